"""Attribution: what experiments measure of each user, held to the oracle."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.oracles.attribution import DAY, HOUR, Event, Row, experiment_users
from tests.support.attribution_cases import (
    END,
    START,
    assigned,
    documents,
    keyed,
    outcome,
    random_history,
    silver,
)
from tests.support.attribution_times import AT, CHANCE
from transforms.experiments.definitions import catalogue
from transforms.experiments.estimators import estimator_of
from transforms.experiments.variables import sample_of, variables_of
from transforms.gold.experiment_user import (
    ASSIGNMENTS,
    PLAN_COLUMNS,
    STATES,
    assignments,
    attribute_outcomes,
    deduplicate_per_user,
    exposures,
    outcomes,
    plans,
)

DEFINED = catalogue(documents())


def batch(spark: SparkSession, arrived: list[Event]) -> DataFrame:
    schema = ", ".join(f"{name} {ddl}" for name, ddl in PLAN_COLUMNS.items())
    planned = spark.createDataFrame(plans(DEFINED), schema)
    tables = silver(spark, arrived)
    exposed = exposures(assignments(tables[ASSIGNMENTS]), planned)
    return attribute_outcomes(
        exposed, deduplicate_per_user(outcomes(tables)), planned, DEFINED.metrics_asked_for
    )


@pytest.fixture(scope="module")
def random_case(spark: SparkSession) -> tuple[DataFrame, dict[Any, Row]]:
    arrived = random_history(users=400, seed=11)
    return batch(spark, arrived).persist(), experiment_users(arrived, documents())


def test_batch_equals_the_oracle(random_case: tuple[DataFrame, dict[Any, Row]]) -> None:
    rows, expected = random_case
    assert keyed(rows) == expected


def test_the_random_case_is_worth_it(random_case: tuple[DataFrame, dict[Any, Row]]) -> None:
    """Every state, and for every variable of an attributed user both zero and another number."""
    _, expected = random_case
    states = Counter(row["state"] for row in expected.values())
    assert states.keys() == set(STATES)
    assert min(states.values()) >= 5
    measured = [row for (name, _), row in expected.items() if name == "rows" and row["totals"]]
    for name in measured[0]["totals"]:
        assert len({row["totals"][name] for row in measured}) >= 2, name
    assert any(len(row["samples"]["long"]) > 1 for row in measured)


def test_every_row_names_its_definition(random_case: tuple[DataFrame, dict[Any, Row]]) -> None:
    rows, _ = random_case
    found = {tuple(row) for row in rows.select("experiment_id", "definition_hash").collect()}
    hashes = {(name, DEFINED.definition_hash(name)) for name in ("rows", "delay")}
    assert found == {*hashes, ("ghost", None)}


def watched(event_id: str, user: str, at: int) -> Event:
    return outcome("VideoPlaybackCompleted", event_id, user, at, CHANCE)


CLICK = watched("o1", "after", AT + HOUR)


BEFORE = watched("o2", "moved", AT - HOUR)


CASES = [
    CLICK,
    assigned("a1", "after", AT, "new"),
    assigned("a2", "moved", AT, "new"),
    BEFORE,
    assigned("z2", "moved", AT - 2 * HOUR, "new"),
    assigned("a3", "both", AT, "new"),
    assigned("b3", "both", AT + DAY, "control"),
    assigned("b4", "tied", AT, "new", region="us"),
    assigned("a4", "tied", AT, "new", region="eu"),
    assigned("a5", "early", START - 1, "new"),
    assigned("a6", "first", START, "new"),
    assigned("a7", "last", END - 1, "new"),
    assigned("a8", "late", END, "new"),
]


@pytest.fixture(scope="module")
def cases(spark: SparkSession) -> dict[str, Row]:
    return {user: row for (_, user), row in keyed(batch(spark, CASES)).items()}


def test_an_assignment_may_come_after_its_outcomes(cases: dict[str, Row]) -> None:
    assert cases["after"]["totals"]["watch"] == CLICK["watchDuration"]


def test_an_earlier_assignment_that_comes_late_moves_every_span(cases: dict[str, Row]) -> None:
    totals = cases["moved"]["totals"]
    assert (totals["watch"], totals["watch_before"]) == (BEFORE["watchDuration"], 0)


def test_a_user_in_two_variants_is_counted_and_measured_in_none(cases: dict[str, Row]) -> None:
    row = cases["both"]
    assert (row["state"], row["variant"]) == ("contaminated", "new")
    assert (row["variants"], row["totals"], row["samples"]) == (["control", "new"], {}, {})


def test_the_first_by_order_decides_between_equal_times(cases: dict[str, Row]) -> None:
    assert cases["tied"]["region"] == "eu"


def test_the_time_of_an_experiment_holds_its_start_and_not_its_end(cases: dict[str, Row]) -> None:
    states = [cases[user]["state"] for user in ("early", "first", "last", "late")]
    assert states == ["outside", "attributed", "attributed", "outside"]


def test_variables_are_those_of_the_estimators() -> None:
    for name, metric in DEFINED.metrics.items():
        estimator = estimator_of(name, metric)
        if estimator is not None:
            assert {v.name for v in variables_of(name, metric)} == set(estimator.variables)
            assert sample_of(name, metric) is None
