"""Attribution: what experiments measure of each user, held to the oracle."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.attribution_cases import (
    END,
    START,
    assigned,
    documents,
    keyed,
    outcome,
    random_history,
    silver,
)
from tests.attribution_oracle import DAY, HOUR, Event, Row, experiment_users
from transforms.experiments.definitions import catalogue
from transforms.experiments.estimators import estimator_of
from transforms.experiments.variables import sample_of, variables_of
from transforms.gold.experiment_user import (
    ASSIGNMENTS,
    PLAN_COLUMNS,
    STATES,
    assignments,
    attributed,
    exposures,
    outcomes,
    plans,
)

DEFINED = catalogue(documents())
AT = START + 9 * DAY
CHANCE = random.Random(3)


def batch(spark: SparkSession, arrived: list[Event]) -> DataFrame:
    schema = ", ".join(f"{name} {ddl}" for name, ddl in PLAN_COLUMNS.items())
    planned = spark.createDataFrame(plans(DEFINED), schema)
    tables = silver(spark, arrived)
    exposed = exposures(assignments(tables[ASSIGNMENTS]), planned)
    return attributed(exposed, outcomes(tables), planned, DEFINED)


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


def one(spark: SparkSession, *arrived: Event) -> Row:
    [row] = keyed(batch(spark, list(arrived))).values()
    return row


def test_an_assignment_may_come_after_its_outcomes(spark: SparkSession) -> None:
    click = outcome("VideoPlaybackCompleted", "o", "ada", AT + HOUR, CHANCE)
    row = one(spark, click, assigned("a", "ada", AT, "new"))
    assert row["totals"]["watch"] == click["watchDuration"]


def test_an_earlier_assignment_that_comes_late_moves_every_span(spark: SparkSession) -> None:
    before = outcome("VideoPlaybackCompleted", "o", "ada", AT - HOUR, CHANCE)
    late = assigned("z", "ada", AT - 2 * HOUR, "new")
    moved = one(spark, assigned("a", "ada", AT, "new"), before, late)
    assert moved["totals"]["watch"] == before["watchDuration"]
    assert moved["totals"]["watch_before"] == 0


def test_a_user_in_two_variants_is_counted_and_measured_in_none(spark: SparkSession) -> None:
    row = one(spark, assigned("a", "ada", AT, "new"), assigned("b", "ada", AT + DAY, "control"))
    assert (row["state"], row["variant"], row["variants"], row["totals"]) == (
        *("contaminated", "new", ["control", "new"]),
        {},
    )


def test_the_first_by_order_decides_between_equal_times(spark: SparkSession) -> None:
    row = one(
        spark,
        assigned("b", "ada", AT, "new", region="us"),
        assigned("a", "ada", AT, "new", region="eu"),
    )
    assert row["region"] == "eu"


def test_the_time_of_an_experiment_holds_its_start_and_not_its_end(spark: SparkSession) -> None:
    rows = keyed(
        batch(
            spark,
            [
                assigned("a", "early", START - 1, "new"),
                assigned("b", "first", START, "new"),
                assigned("c", "last", END - 1, "new"),
                assigned("d", "late", END, "new"),
            ],
        )
    )
    states = {user: row["state"] for (_, user), row in rows.items()}
    assert states == {
        "early": "outside", "first": "attributed", "last": "attributed", "late": "outside",
    }  # fmt: skip


def test_variables_are_those_of_the_estimators() -> None:
    for name, metric in DEFINED.metrics.items():
        estimator = estimator_of(name, metric)
        if estimator is not None:
            assert {v.name for v in variables_of(name, metric)} == set(estimator.variables)
            assert sample_of(name, metric) is None
