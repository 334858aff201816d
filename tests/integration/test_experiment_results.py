"""Results of experiments: from gold.experiment_user to decisions that can be reproduced."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from jobs.experiments import main
from jobs.runtime.errors import DataError
from jobs.runtime.experiments.audit import audit_assignments
from jobs.runtime.experiments.results import (
    arms_of,
    newest_pins,
    newest_results,
    reproduce_results,
    store_results,
    stored_results,
)
from jobs.runtime.experiments.results_refresh import refresh_results
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_RESULTS, EXPERIMENT_USER, TABLES
from tests.oracles.attribution import Key, Row, experiment_users
from tests.oracles.strict_json import EPOCH
from tests.support.attribution_cases import END, documents, random_history
from tests.support.local_time import FIRST_HOUR, SECOND_HOUR
from transforms.experiments.assignment import hashed_variant
from transforms.experiments.definitions import Catalogue, catalogue
from transforms.experiments.estimators import estimator_of
from transforms.experiments.quantiles import BELOW, EVENTS, QuantileSample, sample_quantile
from transforms.experiments.sums import Sums
from transforms.gold.experiment_user import ASSIGNMENTS

AT = EPOCH + timedelta(microseconds=END)


def definitions() -> dict[str, Any]:
    """As in attribution, with a plan under which few users are enough."""
    known = documents()
    known["rows.yaml"]["plan"] = {"minimum_units": 2, "contamination_limit": 0.9}
    known["rows.yaml"]["invalidated_by"] = {"models": ["ranker"]}
    return known


DEFINED = catalogue(definitions())
Table = dict[Key, Row]


@pytest.fixture(scope="module")
def users() -> Table:
    return experiment_users(random_history(users=3000, seed=23), definitions())


def write(lake: Lake, users: Table, number: int, known: Catalogue = DEFINED) -> None:
    """Make gold.experiment_user hold these users."""
    schema = TABLES[EXPERIMENT_USER].schema
    hashes = {name: known.definition_hash(name) for name in known.experiments}
    rows = [
        {
            "experiment_id": experiment,
            "user_id": user,
            "definition_hash": hashes.get(experiment),
            **row,
            "exposed_at": EPOCH + timedelta(microseconds=row["exposed_at"]),
        }
        for (experiment, user), row in users.items()
    ]
    lake.replace(
        EXPERIMENT_USER, lake.spark.createDataFrame(rows, schema), Transaction("test", number)
    )


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, users: Table) -> Lake:
    lake = Lake(spark, str(tmp_path_factory.mktemp("results")))
    lake.ensure([EXPERIMENT_USER, EXPERIMENT_RESULTS, ASSIGNMENTS, "silver.models"])
    write(lake, users, 0)
    return lake


@pytest.fixture(scope="module")
def rows(lake: Lake) -> list[dict[str, Any]]:
    return refresh_results(lake, DEFINED, AT)


def in_arm(users: Table, variant: str) -> list[Row]:
    return [
        row
        for (name, _), row in users.items()
        if name == "rows" and row["state"] == "attributed" and row["variant"] == variant
    ]


def test_arms_are_the_sums_over_their_users(lake: Lake, users: Table) -> None:
    metrics = DEFINED.metrics_asked_for
    mine = lake.read(EXPERIMENT_USER).where("experiment_id = 'rows'")
    [arms] = arms_of(mine, {"rows": metrics}).values()
    assert set(arms) == {"control", "new"}
    for variant, arm in arms.items():
        own = in_arm(users, variant)
        for name, metric in metrics.items():
            estimator = estimator_of(name, metric)
            if estimator is None:
                continue
            expected = Sums.of(
                **{x: [row["totals"][x] for row in own] for x in estimator.variables}
            )
            assert arm.sums.count == expected.count
            assert expected.totals.items() <= arm.sums.totals.items()
            assert expected.products.items() <= arm.sums.products.items()


def test_quantiles_are_those_of_the_values(lake: Lake, users: Table) -> None:
    mine = lake.read(EXPERIMENT_USER).where("experiment_id = 'rows'")
    [arms] = arms_of(mine, {"rows": DEFINED.metrics_asked_for}).values()
    for variant, arm in arms.items():
        own = in_arm(users, variant)
        long = arm.quantiles["long"]
        assert isinstance(long, QuantileSample)
        values = sorted(value for row in own for value in row["samples"]["long"])
        assert (long.count, long.value) == (len(values), values[math.ceil(0.9 * len(values)) - 1])
        lists = [row["samples"]["long"] for row in own]
        assert long.clusters == Sums.of(
            **{
                BELOW: [sum(value <= long.value for value in one) for one in lists],
                EVENTS: [len(one) for one in lists],
            }
        )
        stars = [row["totals"]["stars"] for row in own]
        assert arm.quantiles["stars"] == sample_quantile(
            {value: stars.count(value) for value in stars}, 0.5
        )


def test_segments_divide_the_arms(lake: Lake) -> None:
    own = {"rows": DEFINED.metrics_asked_for}
    mine = lake.read(EXPERIMENT_USER).where("experiment_id = 'rows'")
    [whole] = arms_of(mine, own).values()
    parts = arms_of(mine, own, "region")
    assert {region for _, region in parts} == {"eu", "us", "unknown"}
    for variant, arm in whole.items():
        first, *others = (arms[variant].sums for arms in parts.values())
        for other in others:
            first += other
        assert first == arm.sums


def test_a_result_for_each_metric_of_each_variant(rows: list[dict[str, Any]]) -> None:
    found = {(row["experiment_id"], row["variant"], row["metric"]) for row in rows}
    assert found == {("delay", "new", "clicked")} | {
        ("rows", "new", name) for name in DEFINED.experiments["rows"].metrics
    }
    assert all(row["states"]["contaminated"] > 0 for row in rows)


def test_no_result_holds_a_number_that_is_none(lake: Lake, rows: list[dict[str, Any]]) -> None:
    text = json.dumps(stored_results(lake, "rows") + stored_results(lake, "delay"), default=str)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert len(rows) == len(stored_results(lake, "rows")) + len(stored_results(lake, "delay"))


def test_results_of_the_hour_that_is_told_twice_are_found(
    lake: Lake, rows: list[dict[str, Any]]
) -> None:
    of_delay = [row for row in rows if row["experiment_id"] == "delay"]
    for at in (FIRST_HOUR, SECOND_HOUR):
        store_results(lake, [{**row, "experiment_id": "twice", "computed_at": at}
                             for row in of_delay])  # fmt: skip
    newest = newest_results(lake, "twice")
    assert {row["computed_at"] for row in newest} == {SECOND_HOUR}
    assert len(newest) == len(of_delay)
    for at in (FIRST_HOUR, SECOND_HOUR):
        assert {row["computed_at"] for row in stored_results(lake, "twice", at)} == {at}


def test_a_result_is_reproduced_after_the_tables_moved_on(
    lake: Lake, users: Table, rows: list[dict[str, Any]]
) -> None:
    before = stored_results(lake, "rows", AT)
    some = {key: row for number, (key, row) in enumerate(users.items()) if number % 3}
    write(lake, some, 1)
    publish_model(lake, 1)
    assert newest_pins(lake).experiment_user > before[0]["built_from"]["experiment_user"]
    assert reproduce_results(lake, before) == before
    assert run(lake, "reproduce", "rows", AT.isoformat()).exit_code == 0

    later = AT + timedelta(hours=1)
    again = refresh_results(lake, DEFINED, later, ["rows"])
    numbers = [(row["control"], row.get("lift")) for row in again]
    assert numbers != [(row["control"], row["lift"]) for row in before]
    assert {row["decision"]["verdict"] for row in again} == {"invalid"}
    assert "overlapping_change" in again[0]["decision"]["reasons"]
    assert again[0]["overlapping_changes"] == ["model ranker 7"]

    version = lake.version(EXPERIMENT_RESULTS)
    kept = refresh_results(lake, DEFINED, AT, once=True)
    assert [row for row in kept if row["experiment_id"] == "rows"] == before
    assert lake.version(EXPERIMENT_RESULTS) == version, "results of that instant were replaced"


def publish_model(lake: Lake, number: int) -> None:
    """Version 7 of the ranker, a day before the experiment's end."""
    schema = TABLES["silver.models"].schema
    row = {
        "event_type": "RecommendationModelPublished",
        "event_time": AT - timedelta(days=1),
        "model_name": "ranker",
        "model_version": "7",
        "event_date": (AT - timedelta(days=1)).date(),
    }
    complete = [tuple(row.get(name) for name in schema.names)]
    lake.append(
        "silver.models", lake.spark.createDataFrame(complete, schema), Transaction("test", number)
    )


def test_a_forged_result_is_found(lake: Lake, rows: list[dict[str, Any]]) -> None:
    then = AT + timedelta(hours=2)
    refresh_results(lake, DEFINED, then, ["delay"])
    table = f"delta.`{lake.path(EXPERIMENT_RESULTS)}`"
    at = then.strftime("%Y-%m-%d %H:%M:%S")
    lake.spark.sql(f"UPDATE {table} SET control = control + 1e-9 WHERE computed_at = '{at}'")
    assert run(lake, "reproduce", "delay", then.isoformat()).exit_code == 4


def test_results_of_another_definition_are_refused(lake: Lake, users: Table) -> None:
    changed = definitions()
    changed["rows.yaml"]["goals"] = ["watch"]
    with pytest.raises(DataError, match=r"earlier definitions of rows.*jobs.attribute"):
        refresh_results(lake, catalogue(changed), AT)


def run(lake: Lake, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--set", f"lake.root={lake.root}"])


def test_what_has_no_results_is_one_clear_error(lake: Lake) -> None:
    result = run(lake, "reproduce", "nobody", AT.isoformat())
    assert result.exit_code == 2
    assert "has no results of nobody" in result.output
    result = run(lake, "results", "nobody", "--no-publish")
    assert result.exit_code == 2
    assert "unknown experiment 'nobody'" in result.output


def test_the_audit_finds_who_was_moved(lake: Lake) -> None:
    schema = TABLES[ASSIGNMENTS].schema
    experiment = DEFINED.experiments["rows"]
    recorded = {f"user_{n}": hashed_variant(experiment, f"user_{n}") for n in range(20)}
    recorded["user_3"] = "new" if recorded["user_3"] == "control" else "control"
    rows = [
        tuple(
            {
                "event_type": "ExperimentAssignment",
                "event_date": AT.date(),
                "user_id": user,
                "experiment_id": "rows",
                "variant": variant,
            }.get(name)
            for name in schema.names
        )
        for user, variant in recorded.items()
    ]
    lake.append(ASSIGNMENTS, lake.spark.createDataFrame(rows, schema), Transaction("test", 2))
    count, wrong = audit_assignments(lake, DEFINED)
    assert count == 20
    assert [row.user_id for row in wrong.collect()] == ["user_3"]


def folder_of(tmp_path: Path, known: dict[str, Any]) -> str:
    for name, content in known.items():
        (tmp_path / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(tmp_path)


def test_definitions_are_checked_from_the_shell(tmp_path: Path) -> None:
    sound = CliRunner().invoke(main, ["check", "--definitions", folder_of(tmp_path, definitions())])
    assert sound.exit_code == 0
    broken = json.loads(json.dumps(definitions()))
    broken["rows.yaml"]["variants"][0]["weight"] = 0.4
    wrong = CliRunner().invoke(main, ["check", "--definitions", folder_of(tmp_path, broken)])
    assert wrong.exit_code == 2
    assert "rows.yaml: variants: the weights sum to 0.9, not 1" in wrong.output


def test_a_change_that_moves_users_is_refused(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    known = definitions()
    for experiment in ("rows.yaml", "delay.yaml"):
        known[experiment]["start"] = (now - timedelta(days=1)).isoformat()
        known[experiment]["end"] = (now + timedelta(days=9)).isoformat()
    moved = json.loads(json.dumps(known))
    moved["rows.yaml"]["salt"] = "another"
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = folder_of(tmp_path / "old", known), folder_of(tmp_path / "new", moved)
    result = CliRunner().invoke(main, ["check", "--definitions", new, "--against", old])
    assert result.exit_code == 2
    assert "rows is running: its salt must stay" in result.output
