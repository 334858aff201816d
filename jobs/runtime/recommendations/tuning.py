"""Tune: search for better settings on parts of what was known before the test cut.

Every trial is a nested run of MLflow, which names its settings and what they came to. A tuning of
the same tables, code, settings and seed that is started again goes on from the trials recorded.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from time import monotonic
from typing import Any, Literal

import mlflow
import numpy as np

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.recommendations.challenger import origin
from jobs.runtime.recommendations.model_registry import ModelRegistry, open_model_registry
from jobs.runtime.recommendations.training import (
    declaration,
    past_at_cut,
    read_catalogue,
    read_past,
)
from jobs.runtime.recommendations.validation_cuts import (
    random_parts,
    temporal_parts,
    with_sampled_users,
)
from jobs.runtime.settings import RecommendSettings
from transforms import provenance
from transforms.recommendations import search as search_code
from transforms.recommendations import search_space as space_code
from transforms.recommendations import validation as validation_code
from transforms.recommendations.model import Model
from transforms.recommendations.search import Axis, search
from transforms.recommendations.search_space import declaration_at, point_of, search_space
from transforms.recommendations.solvers import UnsolvableError
from transforms.recommendations.validation import OF_THE_MODEL, Part, fit, quality

log = logging.getLogger(__name__)

CACHE_BYTES = 3 << 30
"""Models kept, so that settings of time are tried without training again."""

BYTES_A_WEIGHT = 12
"""An int32, and the float64 that scoring multiplies by."""


@dataclass(frozen=True)
class Plan:
    """How settings are searched and judged.

    Attributes:
        split: temporal: judged by what came after cuts in time; random: by what was held out at
            random, which says nothing about time.
        cuts: number of parts to judge by.
        draws: number of settings that are drawn at random, before steps from the best.
        users: a part is judged by at most so many users.
        seed: seed of all that is random.
        minutes: no trial begins after so many minutes.
        trials: no more trials than these, those of an interrupted tuning counted.
    """

    split: Literal["temporal", "random"] = "temporal"
    cuts: int = 4
    draws: int = 20
    users: int = 5_000
    seed: int = 0
    minutes: float = 60.0
    trials: int = 1_000


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes:
        began: declaration that it began with.
        declared: best declaration.
        value: mean over parts of the mean nDCG@10 over users, of the best.
        start: of the settings as they were.
        trials: number of settings tried, in this call and before.
        finished: whether the search ended by itself, and not by its budget.
        run_id: run of MLflow that the trials are nested in.
    """

    began: Mapping[str, Any]
    declared: Mapping[str, Any]
    value: float
    start: float
    trials: int
    finished: bool
    run_id: str = ""

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that are other than those it began with."""
        return {name: value for name, value in self.declared.items() if value != self.began[name]}


@dataclass
class Objective:
    """What a declaration comes to on some parts.

    Attributes:
        parts: parts to judge by.
    """

    parts: Sequence[Part]
    _models: OrderedDict[str, Model] = field(default_factory=OrderedDict)

    def __call__(self, declared: Mapping[str, Any]) -> float:
        """The mean over parts of the mean nDCG@10 over users; 0 if nothing can be solved."""
        try:
            means = [quality(part, self._model(number, declared), declared).mean()
                     for number, part in enumerate(self.parts)]  # fmt: skip
        except UnsolvableError as error:
            log.info("no solution: %s", error)
            return 0.0
        return float(np.mean(means))

    def _model(self, number: int, declared: Mapping[str, Any]) -> Model:
        key = json.dumps([number, *(declared[name] for name in OF_THE_MODEL)])
        if key not in self._models:
            most = CACHE_BYTES // (BYTES_A_WEIGHT * max(len(self.parts[number].titles), 1) ** 2)
            while self._models and len(self._models) >= most:
                self._models.popitem(last=False)
            self._models[key] = fit(self.parts[number], declared)
        self._models.move_to_end(key)
        return self._models[key]


@dataclass(frozen=True)
class Trials:
    """The trials of a tuning, as nested runs of the active run.

    Attributes:
        known: values by settings, of the trials recorded before.
    """

    known: dict[str, float]

    @classmethod
    def read(cls, registry: ModelRegistry, run_id: str) -> Trials:
        """Read the trials that a run holds."""
        return cls({tags["settings"]: values["ndcg"]
                    for tags, values in registry.nested_runs(run_id)
                    if "ndcg" in values})  # fmt: skip

    def record(self, declared: Mapping[str, Any], value: float, seconds: float) -> None:
        """Record a trial."""
        parent = mlflow.active_run()
        experiment_id = parent.info.experiment_id if parent else None
        with mlflow.start_run(nested=True, experiment_id=experiment_id):
            mlflow.set_tag("settings", text_of(declared))
            mlflow.log_params(dict(declared))
            mlflow.log_metrics({"ndcg": value, "seconds": seconds})
        self.known[text_of(declared)] = value


def text_of(declared: object) -> str:
    """A declaration as one text, the same for the same settings."""
    return json.dumps(declared, sort_keys=True)


def tune(lake: Lake, settings: RecommendSettings, plan: Plan) -> Tuning:
    """Search from the settings as they are, on what was known before the test cut.

    Args:
        lake: lake whose gold is learned from.
        settings: section `recommend`.
        plan: how settings are searched and judged.

    Raises:
        SettingsError: the algorithm has no settings that are searched.
        DataError: gold is empty, or too little lies before the test cut.
        ServiceError: MLflow cannot be reached.
    """
    if settings.algorithm == "als":
        raise SettingsError(
            "als is not tuned: its factors cannot be judged without Spark",
            "set recommend.algorithm to squared_spectrum, edlae or ease",
        )
    registry = open_model_registry(settings, lake.root)
    declared = declaration(settings)
    with registry.run(_identity(lake, settings, plan)) as run_id:
        trials = Trials.read(registry, run_id)
        if trials.known:
            log.info("going on from %s trials of MLflow run %s", len(trials.known), run_id)
        objective = Objective(_read_parts(lake, settings, plan))
        found = search_settings(objective, declared, plan, trials)
        mlflow.set_tags({"best": text_of(found.declared), "plan": text_of(asdict(plan))})
        mlflow.log_metrics({"ndcg": found.value, "ndcg.start": found.start})
    return replace(found, run_id=run_id)


def search_settings(
    objective: Callable[[Mapping[str, Any]], float],
    declared: Mapping[str, Any],
    plan: Plan,
    trials: Trials,
    space: Mapping[str, Axis] | None = None,
) -> Tuning:
    """Try settings until no step helps or the budget is spent.

    Args:
        objective: what judges a declaration.
        declared: declaration to begin with.
        plan: how settings are searched.
        trials: trials recorded before; what is tried now is added.
        space: settings that are searched; None: all that matter to the algorithm and the split.
    """
    space = space or search_space(declared["algorithm"], time=plan.split == "temporal")
    proposals = search(space, point_of(declared, space), draws=plan.draws,
                       generator=np.random.default_rng(plan.seed))  # fmt: skip
    clock, tried = Clock(plan.minutes), dict[str, float]()
    finished = False
    text = text_of(declaration_at(next(proposals), declared))
    while text in trials.known or clock.allows(len(trials.known), plan.trials):
        if text not in trials.known:
            _try(objective, json.loads(text), trials)
        tried[text] = trials.known[text]
        _log_progress(tried, text, clock)
        try:
            text = text_of(declaration_at(proposals.send(tried[text]), declared))
        except StopIteration:
            finished = True
            break
    best, first = max(tried, key=lambda each: tried[each]), next(iter(tried))
    return Tuning(declared, json.loads(best), tried[best], tried[first], len(tried), finished)


class Clock:
    """The budget of time.

    Args:
        minutes: no trial begins after so many minutes; the first always does.
    """

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self._began = monotonic()

    @property
    def spent_minutes(self) -> float:
        """Minutes since the search began."""
        return (monotonic() - self._began) / 60

    def allows(self, tried: int, most: int) -> bool:
        """Whether another trial may begin."""
        return not tried or (tried < most and self.spent_minutes < self.minutes)


def _try(
    objective: Callable[[Mapping[str, Any]], float], declared: Mapping[str, Any], trials: Trials
) -> None:
    began = monotonic()
    value = objective(declared)
    trials.record(declared, value, monotonic() - began)


def _log_progress(tried: Mapping[str, float], text: str, clock: Clock) -> None:
    log.info(
        "trial %s: nDCG@10 %.4f, best %.4f; %.1f of %g minutes",
        len(tried), tried[text], max(tried.values()), clock.spent_minutes, clock.minutes,
    )  # fmt: skip


def _read_parts(lake: Lake, settings: RecommendSettings, plan: Plan) -> list[Part]:
    """Parts of what was known at the test cut; what came after it is not among them."""
    present = read_past(lake)
    catalogue = read_catalogue(lake)
    try:
        training = past_at_cut(present, settings.evaluation_share)
        try:
            parts = (
                temporal_parts(training, plan.cuts, catalogue)
                if plan.split == "temporal"
                else random_parts(training, plan.cuts, catalogue, plan.seed)
            )
        finally:
            training.user_title.unpersist()
    finally:
        present.user_title.unpersist()
    return with_sampled_users(parts, plan.users, plan.seed)


def _identity(lake: Lake, settings: RecommendSettings, plan: Plan) -> dict[str, str]:
    """What the trials of a tuning depend on, as the tag that it is found again by."""
    searched = {k: v for k, v in asdict(plan).items() if k not in ("minutes", "trials")}
    code = provenance.code(validation_code, space_code, search_code)
    decides = [origin(lake, settings), declaration(settings), searched, code]
    return {"tuning": hashlib.sha256(text_of(decides).encode()).hexdigest()}
