"""The truth test: are errors, coverage and power what theory says they are?

Simulates A/A and A/B experiments, looks at each of them every hour, and compares what the
statistics said with what is true. Every figure has its Monte-Carlo error beside it; a check holds
if it is within four of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from time import perf_counter
from typing import Any, Literal

import numpy as np
import tea_tasting
from tea_tasting.aggr import Aggregates

from tests.benchmarks.experiment_simulation import (
    CONVERTED,
    HOURS,
    PLAYS,
    PLAYS_BEFORE,
    WATCH,
    WATCH_BEFORE,
    Simulated,
    relative_std_error,
    simulate,
    simulate_habits,
)
from transforms.experiments.effects import (
    Arm,
    Effect,
    compare,
    contrast,
    estimate_arms,
    mean,
    proportion,
    ratio,
)
from transforms.experiments.inference import AlwaysValid, FixedHorizon
from transforms.experiments.multiplicity import benjamini_hochberg, holm
from transforms.experiments.power import power
from transforms.experiments.quantiles import quantile_arm
from transforms.experiments.sample_ratio import anytime_p_value, chi_square
from transforms.experiments.sums import Sums

SEED = 20_260_105
EXPERIMENTS = 1_000
COMPARISONS = 1_000
USERS, LIFT, ALPHA = 3_000, 0.1, 0.05
FIRST_LOOK_UNITS = 100
FIXED, SEQUENTIAL = FixedHorizon(ALPHA), AlwaysValid(ALPHA, tuning_units=USERS)
CUPED_RUNS = 20  # for each A/A experiment
CUPED_USERS, CUPED_LIFT = 400, 0.5  # of each arm; a lift for which it matters what it is divided by
HALVES = {"control": 1, "treatment": 1}
VARIABLES = (WATCH, PLAYS, WATCH_BEFORE, PLAYS_BEFORE, CONVERTED)
ESTIMATORS = {
    "mean": mean(WATCH),
    "cuped": mean(WATCH, WATCH_BEFORE),
    "ratio": ratio(WATCH, PLAYS),
    "ratio_cuped": ratio(WATCH, PLAYS, (WATCH_BEFORE, PLAYS_BEFORE)),
    "proportion": proportion(CONVERTED),
}


@dataclass(frozen=True)
class Check:
    """An observed frequency and what theory says of it."""

    name: str
    observed: float
    theory: float
    relation: Literal["equals", "at_most", "at_least"]
    monte_carlo_error: float

    @property
    def holds(self) -> bool:
        """Within four Monte-Carlo errors."""
        excess = (self.observed - self.theory) / self.monte_carlo_error
        return {"equals": abs(excess), "at_most": excess, "at_least": -excess}[self.relation] <= 4


@dataclass(frozen=True)
class Verdicts:
    """What one experiment's statistics said.

    Attributes:
        p_values: of every metric's lift, looked at once, at the end.
        covered: whether every metric's interval then held the true lift.
        fixed_alarm, sequential_alarm: whether any hourly look found an effect on the mean.
        always_covered: whether every look's sequential interval held the true lift.
        found_at: the users there were when it was found sequentially; None if it never was.
        mismatch_p_value, mismatch_alarm: of the sample ratio at the end, and at any look.
    """

    p_values: Mapping[str, float]
    covered: Mapping[str, bool]
    fixed_alarm: bool
    sequential_alarm: bool
    always_covered: bool
    found_at: float | None
    mismatch_p_value: float
    mismatch_alarm: bool


def observe(experiment: Simulated) -> Verdicts:
    """Look at an experiment every hour, and once at the end."""
    control, treatment = (experiment.looks(treated, (WATCH,)) for treated in (False, True))
    looks = [
        pair
        for pair in zip(control, treatment, strict=True)
        if min(sums.count for sums in pair) >= FIRST_LOOK_UNITS
    ]
    effects = [compare(*pair, ESTIMATORS["mean"], relative=True) for pair in looks]
    intervals = [SEQUENTIAL.interval(effect) for effect in effects]
    found = [not low <= 0 <= high for low, high in intervals]
    final = dict(_final_effects(experiment))
    mismatches = [anytime_p_value(_counts(pair), HALVES) for pair in looks]
    return Verdicts(
        {name: FIXED.p_value(effect) for name, effect in final.items()},
        {name: _holds(FIXED.interval(effect), experiment) for name, effect in final.items()},
        any(FIXED.p_value(effect) <= ALPHA for effect in effects),
        any(found),
        all(_holds(interval, experiment) for interval in intervals),
        effects[found.index(True)].count if any(found) else None,
        chi_square(_counts(looks[-1]), HALVES),
        min(mismatches) <= ALPHA,
    )


def run(experiments: int = EXPERIMENTS, seed: int = SEED) -> dict[str, Any]:
    """Check everything; rates are comparisons a second.

    Args:
        experiments: how many A/A, and as many A/B.
        seed: of all chance; experiment i of a kind depends on it and i alone.
    """
    began = perf_counter()
    null, planted = (
        [
            observe(simulate(np.random.default_rng([seed, kind, i]), USERS, lift))
            for i in range(experiments)
        ]
        for kind, lift in enumerate((0.0, LIFT))
    )
    seconds = perf_counter() - began
    ours_of_cuped, gbstats_of_cuped = _cuped_std_errors(CUPED_RUNS * experiments, seed)
    checks = [
        *_errors(null),
        *_detection(planted),
        *_corrections(null, planted),
        ours_of_cuped,
    ]
    ours, theirs = _rates(seed)
    return {
        "events": COMPARISONS,
        "experiments": 2 * experiments,
        "users": 2 * experiments * USERS,
        "looks_each": HOURS,
        "seed": seed,
        "seconds": round(seconds, 1),
        "rate_per_s": round(ours),
        "baseline": "tea-tasting 1.14, the same comparisons from the same aggregates",
        "baseline_rate_per_s": round(theirs),
        "ratio": round(ours / theirs, 1),
        "false_positives_peeking_at_a_fixed_horizon": fmean(v.fixed_alarm for v in null),
        "std_error_of_cuped_lift_by_gbstats_0_8_0": gbstats_of_cuped,
        "users_when_found": fmean(v.found_at for v in planted if v.found_at is not None),
        "checks": [{**asdict(check), "holds": check.holds} for check in checks],
        "holds": all(check.holds for check in checks),
    }


def _final_effects(experiment: Simulated) -> Iterator[tuple[str, Effect]]:
    control, treatment = _at_end(experiment)
    for name, estimator in ESTIMATORS.items():
        yield name, compare(control, treatment, estimator, relative=True)
    arms = (quantile_arm(experiment.quantile(treated)) for treated in (False, True))
    yield "quantile", contrast(*arms, relative=True)


def _at_end(experiment: Simulated) -> list[Sums]:
    return [
        sums
        for treated in (False, True)
        for sums in experiment.looks(treated, VARIABLES, [HOURS - 1])
    ]


def _errors(null: list[Verdicts]) -> Iterator[Check]:
    """Of experiments without an effect."""
    for metric in null[0].p_values:
        alarms = [v.p_values[metric] <= ALPHA for v in null]
        yield _frequency(f"false_positives_{metric}", alarms, ALPHA)
    peeks = [v.sequential_alarm for v in null]
    yield _frequency("false_positives_peeking_always_valid", peeks, ALPHA, "at_most")
    mismatches = [v.mismatch_p_value <= ALPHA for v in null]
    yield _frequency("false_mismatches", mismatches, ALPHA)
    peeks = [v.mismatch_alarm for v in null]
    yield _frequency("false_mismatches_peeking_anytime", peeks, ALPHA, "at_most")


def _detection(planted: list[Verdicts]) -> Iterator[Check]:
    """Of experiments with the planted effect."""
    for metric in planted[0].covered:
        yield _frequency(f"coverage_{metric}", [v.covered[metric] for v in planted], 1 - ALPHA)
    always = [v.always_covered for v in planted]
    yield _frequency("coverage_peeking_always_valid", always, 1 - ALPHA, "at_least")
    truth = Effect(LIFT, relative_std_error(USERS, LIFT), math.inf, USERS)
    found = [v.p_values["mean"] <= ALPHA for v in planted]
    yield _frequency("power_fixed_horizon", found, power(FIXED, truth, LIFT))
    found = [v.sequential_alarm for v in planted]
    yield _frequency("power_always_valid", found, power(SEQUENTIAL, truth, LIFT), "at_least")


def _corrections(null: list[Verdicts], planted: list[Verdicts]) -> Iterator[Check]:
    """Several questions at once: all metrics of one experiment; ten experiments, half with effect.

    Benjamini and Hochberg's share of false discoveries is at most alpha times the share of true
    nulls.
    """
    families = [min(holm(list(v.p_values.values()))) <= ALPHA for v in null]
    yield _frequency("familywise_errors_holm", families, ALPHA, "at_most")
    tens = [
        [v.p_values["mean"] for v in null[i : i + 5] + planted[i : i + 5]]
        for i in range(0, len(null) - 4, 5)
    ]
    shares = []
    for ten in tens:
        discovered = [p <= ALPHA for p in benjamini_hochberg(ten)]
        shares.append(sum(discovered[:5]) / max(1, sum(discovered)))
    error = float(np.std(shares, ddof=1)) / math.sqrt(len(shares))
    yield Check("false_discoveries_benjamini_hochberg", fmean(shares), ALPHA / 2, "at_most", error)


def _cuped_std_errors(runs: int, seed: int) -> tuple[Check, float]:
    """The standard error of a lift with CUPED, over the standard deviation that the lifts have.

    Args:
        runs: number of experiments.
        seed: of all chance.

    Returns:
        The check of playhead's, and the same share by the formula of gbstats 0.8.0.
    """
    lifts, ours, theirs = [], [], []
    for i in range(runs):
        arms = simulate_habits(np.random.default_rng([seed, 2, i]), CUPED_USERS, CUPED_LIFT)
        control, treatment = estimate_arms(*arms, ESTIMATORS["cuped"])
        effect = contrast(control, treatment, relative=True)
        lifts.append(effect.estimate)
        ours.append(effect.std_error**2)
        theirs.append(_gbstats_variance(control, treatment))
    deviation = float(np.std(lifts, ddof=1))
    share, of_gbstats = (math.sqrt(fmean(found)) / deviation for found in (ours, theirs))
    error = 1 / math.sqrt(2 * runs)
    return Check("std_error_of_cuped_lift", share, 1, "equals", error), of_gbstats


def _gbstats_variance(control: Arm, treatment: Arm) -> float:
    """The variance of a lift by `frequentist_variance` of gbstats 0.8.0, frequentist/tests.py.

    It gives the control's raw mean the variance of the adjusted one.
    """
    gradient = treatment.raw / control.raw
    return (treatment.var_adjusted + control.var_adjusted * gradient**2) / control.raw**2


def _frequency(
    name: str,
    events: list[bool],
    theory: float,
    relation: Literal["equals", "at_most", "at_least"] = "equals",
) -> Check:
    error = math.sqrt(theory * (1 - theory) / len(events))
    return Check(name, fmean(events), theory, relation, error)


def _holds(interval: tuple[float, float], experiment: Simulated) -> bool:
    return interval[0] <= experiment.lift <= interval[1]


def _counts(pair: tuple[Sums, Sums]) -> dict[str, int]:
    return {name: sums.count for name, sums in zip(HALVES, pair, strict=True)}


def _rates(seed: int) -> tuple[float, float]:
    """Comparisons a second, with CUPED and an interval: ours, and tea-tasting's."""
    experiment = simulate(np.random.default_rng(seed), USERS, LIFT)
    sums = _at_end(experiment)
    aggregates = [_aggregates(arm) for arm in sums]
    theirs = tea_tasting.Mean(WATCH, WATCH_BEFORE)

    def compare_ours() -> None:
        effect = compare(*sums, ESTIMATORS["cuped"], relative=True)
        FIXED.interval(effect)
        FIXED.p_value(effect)

    def compare_theirs() -> None:
        theirs.analyze_aggregates(*aggregates)

    return _rate(compare_ours), _rate(compare_theirs)


def _rate(compared: Callable[[], None]) -> float:
    began = perf_counter()
    for _ in range(COMPARISONS):
        compared()
    return COMPARISONS / (perf_counter() - began)


def _aggregates(sums: Sums) -> Aggregates:
    def cov(a: str, b: str) -> float:
        return float(sums.covariance({a: 1}, {b: 1}))

    names = (WATCH, WATCH_BEFORE)
    return Aggregates(
        sums.count,
        {name: float(sums.mean(name)) for name in names},
        {name: cov(name, name) for name in names},
        {names: cov(*names)},
    )
