"""Every declared expectation holds of sound rows and fails on rows that break it, and it alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.tables import TABLES
from jobs.runtime.quality.check import write_findings
from jobs.runtime.quality.data_docs import judge_measures
from jobs.runtime.quality.expectations import (
    KINDS,
    Condition,
    Drift,
    Expectation,
    Freshness,
    NotNull,
    Range,
    Reference,
    Rows,
    Schema,
    Unique,
    Volume,
    load_expectations,
    schema_text,
)
from jobs.runtime.quality.measurement import (
    Finding,
    Result,
    describe_results,
    summarize_findings,
    unmeasured,
)
from transforms.quality.history import drift, volume_ratio

SUITES = load_expectations()
DAYS, A_DAY = 40, 100
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = NOW - timedelta(days=DAYS)
FAILING = {  # for each declared condition, columns of a row for which it is false
    "event_date = to_date(event_time)": {"event_date": "date_add(event_date, 1)"},
    "ingest_time >= kafka_timestamp - INTERVAL 1 HOUR": {
        "ingest_time": "kafka_timestamp - INTERVAL 61 MINUTES"
    },
    "removed OR name IS NOT NULL": {
        "removed": "false",
        "name": "CAST(NULL AS STRING)",
    },
    "plays >= 0 AND completions >= 0 AND watch_s >= 0 AND ratings >= 0": {"ratings": "-1L"},
    "plays_on_smart_tv + plays_on_mobile + plays_on_tablet + plays_on_desktop + plays_on_console "
    "+ plays_on_streaming_stick <= plays": {"plays_on_tablet": "plays + 1"},
    "plays_from_recommendation + plays_from_search + plays_from_browse + "
    "plays_from_continue_watching + plays_from_notification + plays_from_external <= plays": {
        "plays_from_search": "plays + 1"
    },
    "(plays > 0) = (last_play IS NOT NULL)": {"plays": "0L"},
    "first_time <= last_time": {"last_time": "first_time - INTERVAL 1 MICROSECOND"},
    "last_rating.half_stars BETWEEN 1 AND 10": {
        "last_rating": "named_struct('event_time', last_rating.event_time, 'event_id', "
        "last_rating.event_id, 'half_stars', 11L)"
    },
    "size(viewers) <= plays": {"viewers": "transform(sequence(0, plays), i -> string(i))"},
    "recommended_plays <= plays AND recommended_completions <= completions AND "
    "recommended_watch_s <= watch_s": {"recommended_watch_s": "watch_s + 1"},
    "size(recommended_titles) <= recommended_plays": {"recommended_plays": "0L"},
    "recommended_clicks <= recommended_click_ranks": {"recommended_click_ranks": "0L"},
    "state <> 'attributed' OR (variant IS NOT NULL AND exposed_at IS NOT NULL)": {
        "state": "'attributed'",
        "variant": "CAST(NULL AS STRING)",
    },
    "size(titles) = size(preferences)": {"titles": "array()"},
}


def value_of(name: str, kind: DataType) -> str:
    """SQL for a sound value, from the row's number (`id`)."""
    ddl = kind.simpleString()
    if isinstance(kind, StructType):
        fields = (f"'{f.name}', {value_of(f.name, f.dataType)}" for f in kind.fields)
        return f"named_struct({', '.join(fields)})"
    if isinstance(kind, ArrayType):
        return f"array({value_of(name, kind.elementType)})"
    if isinstance(kind, MapType):
        return f"map('k', {value_of(name, kind.valueType)})"
    of_kind = {
        "string": f"concat('{name}-', id)",
        "timestamp": f"TIMESTAMP '{FIRST:%Y-%m-%d %H:%M:%S}' + make_dt_interval(id % {DAYS})",
        "date": f"date_add(DATE '{FIRST:%Y-%m-%d}', CAST(id % {DAYS} AS INT))",
        "boolean": "true",
        "binary": "X'00'",
    }
    return of_kind.get(ddl, "1")


def sound(spark: SparkSession, table: str) -> DataFrame:
    """A hundred rows a day, with few values where drift is looked for."""
    drifting = {e.column for e in SUITES.get(table, ()) if isinstance(e, Drift) and not e.bins}
    rows = spark.range(0, DAYS * A_DAY, 1, 1)
    columns = []
    for field in TABLES[table].schema:
        sql = f"concat('{field.name}-', id DIV {DAYS} % 4)"
        sql = sql if field.name in drifting else value_of(field.name, field.dataType)
        if field.name.startswith(("plays_on_", "plays_from_")):
            sql = "0"
        columns.append(F.expr(f"CAST({sql} AS {field.dataType.simpleString()})").alias(field.name))
    return rows.select(*columns)


def beyond(expected: Range, rows: DataFrame) -> DataFrame:
    low, high = expected.at_least, expected.at_most
    return rows.withColumn(expected.column, F.lit(low - 1 if high is None else high + 1))  # type: ignore[operator]


def aged(expected: Freshness, rows: DataFrame) -> DataFrame:
    late = F.lit(NOW - timedelta(hours=expected.within_h, seconds=1))
    return rows.withColumn(expected.column, late)


def without_the_last_complete_day(expected: Volume, rows: DataFrame) -> DataFrame:
    return rows.where(F.col(expected.column) != F.date_sub(F.lit(NOW).cast("date"), 2))


def drifted(expected: Drift, rows: DataFrame) -> DataFrame:
    recent = F.col(expected.by) >= F.date_sub(F.lit(NOW).cast("date"), expected.days)
    other = F.lit("9") if expected.bins else F.lit("elsewhere")
    value = other.cast(rows.schema[expected.column].dataType)
    return rows.withColumn(expected.column, F.when(recent, value).otherwise(F.col(expected.column)))


BREAK: dict[type[Expectation], Callable[[Any, DataFrame], DataFrame]] = {
    Schema: lambda _, rows: rows.drop(rows.columns[-1]),
    Rows: lambda each, rows: rows.limit(each.at_least - 1),
    NotNull: lambda each, rows: rows.withColumn(each.columns[0], F.lit(None).cast("string")),
    Unique: lambda _, rows: rows.unionAll(rows.limit(1)),
    Range: beyond,
    Condition: lambda each, rows: rows.withColumns(
        {name: F.expr(sql) for name, sql in FAILING[each.sql].items()}
    ),
    Reference: lambda each, rows: rows.withColumn(each.column, F.lit("nobody")),
    Freshness: aged,
    Volume: without_the_last_complete_day,
    Drift: drifted,
}


def broken(each: Expectation, rows: DataFrame) -> DataFrame:
    """Rows that break one expectation."""
    return BREAK[type(each)](each, rows)


def measure(each: Expectation, rows: DataFrame, opened: Any) -> Any:
    if isinstance(each, Schema):
        return schema_text(rows.schema)
    aggregate = each.aggregate(NOW)
    if aggregate is None:
        return each.query(rows, opened)
    return rows.agg(aggregate).collect()[0][0]


def verdicts(table: str, measures: dict[str, Any]) -> list[Finding]:
    return judge_measures({table: measures}, {table: SUITES[table]}, {table: 0})


def aggregated(frames: dict[str, DataFrame], suite: Any) -> dict[str, dict[str, Any]]:
    """All aggregates of several variants of a table, in one job."""
    columns = {e.name: e.aggregate(NOW) for e in suite}
    wanted = [column.alias(name) for name, column in columns.items() if column is not None]
    tagged = [rows.agg(*wanted).withColumn("tag", F.lit(tag)) for tag, rows in frames.items()]
    found = reduce(DataFrame.unionAll, tagged).collect()
    return {row.tag: {k: v for k, v in row.asDict().items() if k != "tag"} for row in found}


def test_each_kind_is_declared_somewhere_and_each_condition_has_rows_that_break_it() -> None:
    every = [each for suite in SUITES.values() for each in suite]
    assert {each.kind for each in every} == set(KINDS)
    assert {each.sql for each in every if isinstance(each, Condition)} == set(FAILING)


@pytest.mark.parametrize("table", SUITES)
def test_every_expectation_holds_of_sound_rows_and_fails_on_broken_ones(
    spark: SparkSession, table: str
) -> None:
    suite, rows = SUITES[table], sound(spark, table).localCheckpoint()

    def opened(name: str) -> DataFrame:
        return sound(spark, name)

    aggregates = [e for e in suite if not isinstance(e, Schema) and e.aggregate(NOW) is not None]
    variants = {each.name: broken(each, rows) for each in aggregates}
    found = aggregated({"sound": rows, **variants}, suite)
    others = {e.name: measure(e, rows, opened) for e in suite if e not in aggregates}
    base = {**found["sound"], **others}
    assert [str(each) for each in verdicts(table, base) if not each.passed] == []
    for each in suite:
        if each in aggregates:
            value = found[each.name][each.name]
        else:
            value = measure(each, broken(each, rows), opened)
        [failed] = [f for f in verdicts(table, {**base, each.name: value}) if not f.passed]
        assert failed.expectation == each
        assert failed.blocks == (each.severity == "blocker")


def test_an_empty_table_has_nothing_to_measure_but_its_schema_and_its_rows(
    spark: SparkSession,
) -> None:
    table, suite = "silver.ratings", SUITES["silver.ratings"]
    none = spark.createDataFrame([], TABLES[table].schema)

    def opened(name: str) -> DataFrame:
        return spark.createDataFrame([], TABLES[name].schema)

    aggregates = [e for e in suite if not isinstance(e, Schema) and e.aggregate(NOW) is not None]
    measures: dict[str, Any] = aggregated({"none": none}, aggregates)["none"]
    measures |= {e.name: measure(e, none, opened) for e in suite if e not in aggregates}
    found = verdicts(table, measures)
    results = {each.expectation.kind: each.result for each in found}
    assert results == {
        **dict.fromkeys((each.kind for each in suite), Result.NOTHING_TO_MEASURE),
        "schema": Result.HOLDS,
        "rows": Result.FAILED,
    }
    assert all(each.passed for each in found if each.expectation.kind != "rows")
    assert describe_results(found) == (
        "1 of 9 expectations hold, 1 failed, 7 had nothing to measure"
    )
    assert len(unmeasured(found)[table]) == 7
    assert summarize_findings(found)["nothing_to_measure"] == unmeasured(found)


def test_a_condition_and_a_range_of_nulls_alone_have_nothing_to_measure(
    spark: SparkSession,
) -> None:
    rows = spark.createDataFrame([(None,), (None,)], "half_stars INT")
    shared: Any = {"severity": "blocker", "why": "w"}
    for each in (
        Range(column="half_stars", at_least=1, **shared),
        Condition(sql="half_stars BETWEEN 1 AND 10", **shared),
    ):
        assert measure(each, rows, None) is None
        assert measure(each, rows.unionAll(rows.sparkSession.range(1).selectExpr("11")), None) == (
            1 if isinstance(each, Condition) else 0
        )


def test_the_page_puts_failures_first_and_says_what_was_not_measured(tmp_path: Path) -> None:
    held, failing, empty = SUITES["silver.ratings"][:3]
    findings = [
        Finding("silver.ratings", held, "as declared", "as declared", passed=True),
        Finding("silver.ratings", empty, None, "at most 0", passed=True),
        Finding("silver.ratings", failing, "0", "at least 1", passed=False),
    ]
    write_findings(findings, tmp_path / "index.html", tmp_path / "findings.html")
    page = (tmp_path / "findings.html").read_text(encoding="utf-8")
    assert re.findall(r'<td class="\w+">([\w ]+)</td>', page) == [
        "failed", "nothing to measure", "holds"
    ]  # fmt: skip
    assert "1 of 3 expectations hold, 1 failed, 1 had nothing to measure" in page
    assert 'href="index.html"' in page


def days(*sizes: int) -> dict[date, dict[str, int]]:
    return {date(2026, 1, 1) + timedelta(n): {"": size} for n, size in enumerate(sizes) if size}


def test_the_last_complete_day_is_held_to_the_median_of_those_before() -> None:
    assert volume_ratio(days(10, 30, 20, 40, 1), before=3) == 2.0
    assert volume_ratio(days(10, 30, 20, 0, 1), before=3) == 0.0, "a day without rows counts"
    assert volume_ratio(days(30, 20, 40, 1), before=3) is None, "too short a history"
    assert volume_ratio(days(10, 0, 0, 40, 1), before=3) is None, "no usual size"
    assert volume_ratio({}, before=3) is None


def test_drift_is_the_population_stability_index() -> None:
    then, now = date(2026, 1, 1), date(2026, 1, 2)
    same = {then: {"a": 50, "b": 50}, now: {"a": 500, "b": 500}}
    assert drift(same, 1, 1, 1) == 0
    moved = {then: {"a": 50, "b": 50}, now: {"a": 75, "b": 25}}
    assert drift(moved, 1, 1, 1) == pytest.approx(0.25 * 1.0986122886681098)  # a quarter of ln 3
    assert drift(moved, 1, 1, 101) is None
    assert drift({then: {"a": 100}, now: {"b": 100}}, 1, 1, 1) > 5, "a kind that is new"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("gold.nothing", "expectations: [{expect: schema}]", r"no table is called 'gold\.nothing'"),
        ("gold.user_day", "expectations: []", "no list 'expectations'"),
        ("gold.user_day", "expectations: [{expect: exact}]", "unknown kind 'exact' -> use one of"),
        ("gold.user_day", "expectations: [schema]", "unknown kind 'None'"),
        (
            "gold.user_day",
            "expectations: [{expect: schema, severity: blocker, why: w, over: 1}]",
            r"expectation 1 \(schema\): unknown key 'over' -> allowed here: severity, why",
        ),
        (
            "gold.user_day",
            "expectations: [{expect: schema, severity: fatal, why: w}]",
            r"key 'severity': found 'fatal' -> expected: .*'blocker' or 'warning'",
        ),
        (
            "gold.user_day",
            "expectations: [{expect: unique, columns: [user], severity: blocker, why: w}]",
            r"gold\.user_day has no column 'user' -> use one of: user_id",
        ),
        (
            "gold.user_title",
            "expectations: [{expect: reference, column: title_id, table: silver.titles, "
            "to: title_id, at_most: 0, severity: blocker, why: w}]",
            r"no table is called 'silver\.titles'",
        ),
        (
            "gold.user_day",
            "expectations: [{expect: schema, severity: blocker, why: w}, "
            "{expect: schema, severity: warning, why: w}]",
            r"schema\(\) is expected twice",
        ),
    ],
)
def test_what_is_declared_wrong_is_one_line(
    tmp_path: Path, file: str, text: str, said: str
) -> None:
    (tmp_path / f"{file}.yaml").write_text(text)
    with pytest.raises(SettingsError, match=said) as raised:
        load_expectations(tmp_path)
    assert "\n" not in str(raised.value)
