"""Searching settings with a real MLflow on SQLite, without Spark: recorded, resumed, followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
import pytest

from jobs.runtime.recommendations.model_registry import ModelRegistry, open_model_registry
from jobs.runtime.recommendations.training import declaration
from jobs.runtime.recommendations.tuning import Plan, Trials, Tuning, search_settings, text_of
from jobs.runtime.settings import load_settings

SETTINGS = load_settings(environment={}).recommend
DECLARED = declaration(SETTINGS)


@dataclass
class Hill:
    """An objective that is greatest at l2 6 and prior_weight 1; keeps what it was asked."""

    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def __call__(self, declared: Mapping[str, Any]) -> float:
        self.asked.append(declared)
        return float(1 / (1 + abs(declared["l2"] - 6) + abs(declared["prior_weight"] - 1)))


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return open_model_registry(SETTINGS, str(tmp_path))


def tune_in(registry: ModelRegistry, hill: Hill, plan: Plan, tag: str = "same") -> Tuning:
    with registry.run({"tuning": tag}) as run_id:
        return search_settings(hill, DECLARED, plan, Trials.read(registry, run_id))


@pytest.mark.slow
def test_an_interrupted_tuning_goes_on_from_what_it_had_tried(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    first, second, whole = Hill(), Hill(), Hill()
    cut_short = tune_in(registry, first, Plan(draws=3, trials=8))
    assert (len(first.asked), cut_short.finished) == (8, False)
    resumed = tune_in(registry, second, Plan(draws=3, trials=14))
    elsewhere = open_model_registry(SETTINGS, str(tmp_path / "elsewhere"))
    at_once = tune_in(elsewhere, whole, Plan(draws=3, trials=14))
    assert first.asked + second.asked == whole.asked
    assert resumed == at_once
    client = mlflow.MlflowClient(tracking_uri=registry.uri)
    [experiment] = client.search_experiments(filter_string=f"name = '{SETTINGS.model}'")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "tuning" in run.data.tags]
    assert len(parents) == 1
    assert len(runs) == 1 + 14
    nested = [run.data for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert max(run.metrics["ndcg"] for run in nested) == resumed.value
    other = tune_in(registry, third := Hill(), Plan(draws=3, trials=2), tag="other tables")
    assert len(third.asked) == other.trials == 2


class Unrecorded(Trials):
    """Trials without MLflow."""

    def record(self, declared: Mapping[str, Any], value: float, seconds: float) -> None:
        self.known[text_of(declared)] = value


def test_the_search_finds_better_settings_and_says_which_changed() -> None:
    found = search_settings(Hill(), DECLARED, Plan(draws=4), Unrecorded({}))
    assert found.finished
    assert found.declared["l2"] == pytest.approx(6, rel=0.05)
    assert found.value > found.start
    assert {"l2", "prior_weight"} <= set(found.changes) < set(DECLARED)


def test_settings_that_cannot_be_bettered_stay() -> None:
    found = search_settings(lambda _: 0.5, DECLARED, Plan(draws=4), Unrecorded({}))
    assert (found.declared, found.changes) == (DECLARED, {})


def test_without_time_the_settings_as_they_are_are_still_tried() -> None:
    found = search_settings(hill := Hill(), DECLARED, Plan(minutes=0), Unrecorded({}))
    assert (len(hill.asked), found.trials, found.finished) == (1, 1, False)


def test_the_seed_decides_what_is_drawn() -> None:
    plans = (Plan(draws=5, trials=6, seed=seed) for seed in (1, 1, 2))
    one, again, other = (run_hill(plan) for plan in plans)
    assert one == again != other


def run_hill(plan: Plan) -> list[Mapping[str, Any]]:
    search_settings(hill := Hill(), DECLARED, plan, Unrecorded({}))
    return hill.asked
