"""A large catalogue, simulated.

15,000 titles, 200,000 users and 20 million interactions, in one process with numpy and scipy
alone: the statistic, the solution, everybody's top 50, a day's update, and one user's fold-in with
their top 20. `exceeded` names the limits that were passed.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from scipy.sparse import csr_array

from transforms.recommendations.fixed_point import RECENCY_ONE, VIEW_ONE, Integers
from transforms.recommendations.gram import Interactions, gram, update_gram
from transforms.recommendations.model import Model, Profile, train
from transforms.recommendations.popularity import log_prior
from transforms.recommendations.ranking import NEVER, top_k
from transforms.recommendations.solvers import SquaredSpectrum

CHUNK = 256
LIST = 50
PRIOR_WEIGHT = 0.05
WORKERS = 2

Result = TypeVar("Result")


@dataclass(frozen=True)
class Size:
    """How large a service to simulate."""

    titles: int = 15_000
    users: int = 200_000
    mean_history: int = 115
    touched_users: int = 20_000
    folds: int = 2_000


LIMITS = {
    "training_s": 360.0,
    "scoring_s": 360.0,
    "update_s": 120.0,
    "peak_gib": 8.0,
    "fold_in_and_top_20_p99_ms": 1.0,
}


def run() -> dict[str, Any]:
    """The full size, against its limits."""
    report = measure(Size())
    exceeded = [name for name, limit in LIMITS.items() if report["measured"][name] > limit]
    return {**report, "limits": LIMITS, "exceeded": exceeded}


def measure(size: Size) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    histories = simulate_histories(generator, size)
    statistic, gram_s = time_call(lambda: gram(histories).reindex(histories.titles))
    model, solve_s = time_call(lambda: train(statistic, SquaredSpectrum()))
    before, after = a_day(generator, histories, size.touched_users)
    statistic, merge_s = time_call(lambda: update_gram(statistic, before=before, after=after))
    _, solve_again_s = time_call(lambda: train(statistic, SquaredSpectrum()))
    prior = log_prior(np.diff(histories.weights.tocsc().indptr) * VIEW_ONE, PRIOR_WEIGHT)
    latency = fold_in_latency(model, histories.weights, prior, size.folds)
    listed, scoring_s = time_call(lambda: everybody(model, histories.weights, prior))
    return {
        "size": asdict(size),
        "events": histories.weights.nnz,
        "rate_per_s": round(histories.weights.nnz / (gram_s + solve_s)),
        "latency": latency,
        "measured": {
            "gram_s": round(gram_s, 1),
            "solve_s": round(solve_s, 1),
            "training_s": round(gram_s + solve_s, 1),
            "scoring_s": round(scoring_s, 1),
            "users_scored_per_s": round(len(listed) / scoring_s),
            "update_s": round(merge_s + solve_again_s, 1),
            "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            "fold_in_and_top_20_p99_ms": latency["p99_ms"],
        },
    }


def time_call(work: Callable[[], Result]) -> tuple[Result, float]:
    started = perf_counter()
    return work(), perf_counter() - started


def simulate_histories(generator: np.random.Generator, size: Size) -> Interactions:
    """Histories of log-normal length over titles of power-law popularity."""
    popularity = 1 / np.arange(1, size.titles + 1) ** 0.8
    cumulated = np.cumsum(popularity) / popularity.sum()
    lengths = generator.lognormal(np.log(size.mean_history) - 0.32, 0.8, size.users)
    lengths = np.clip(lengths, 5, size.titles // 2).astype(np.int64)
    titles = np.searchsorted(cumulated, generator.random(lengths.sum()))
    users = np.repeat(np.arange(size.users), lengths)
    pairs = np.unique(users * size.titles + titles)
    weights = generator.integers(11, 20, len(pairs))
    matrix = csr_array(
        (weights, (pairs // size.titles, pairs % size.titles)), (size.users, size.titles)
    )
    return Interactions(np.array([f"t{n:05d}" for n in range(size.titles)]), matrix)


def a_day(
    generator: np.random.Generator, histories: Interactions, touched: int
) -> tuple[Interactions, Interactions]:
    """The first users watch one more title each: their histories before and after."""
    before = histories.weights[:touched]
    titles = generator.integers(before.shape[1], size=touched)
    watched = csr_array((np.full(touched, 16), (np.arange(touched), titles)), before.shape)
    after = before.maximum(watched).tocsr()
    return Interactions(histories.titles, before), Interactions(histories.titles, after)


def everybody(model: Model, histories: csr_array, prior: Integers) -> list[Integers]:
    """The top 50 of every user, in chunks of users, on all cores."""

    def chunk(start: int) -> list[Integers]:
        rows = histories[start : start + CHUNK]
        scores = model.scores(RECENCY_ONE * rows) + prior
        scores[rows.nonzero()] = NEVER
        return [top_k(row, LIST) for row in scores]

    with ThreadPoolExecutor(WORKERS) as pool:
        chunks = pool.map(chunk, range(0, histories.shape[0], CHUNK))
        return [listed for part in chunks for listed in part]


def fold_in_latency(
    model: Model, histories: csr_array, prior: Integers, folds: int
) -> dict[str, float]:
    """A fresh event of one user after another: fold in, add the prior, list 20."""
    evidence = model.scores(RECENCY_ONE * histories[:CHUNK])
    profiles = []
    for user, row in enumerate(evidence):
        titles = model.titles[histories[[user]].nonzero()[1]].tolist()
        profiles.append(Profile(dict.fromkeys(titles, 16 * RECENCY_ONE), row))
    taken_ms = []
    for fold in range(folds):
        profile = profiles[fold % len(profiles)]
        title = str(model.titles[(fold * 7919) % len(model.titles)])
        started = perf_counter()
        profile = model.fold_in(profile, title, 16 * RECENCY_ONE)
        top_k(profile.evidence + prior, 20)
        taken_ms.append(1000 * (perf_counter() - started))
    p50, p95, p99 = np.percentile(taken_ms, [50, 95, 99])
    return {
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "p99_ms": round(float(p99), 3),
    }
