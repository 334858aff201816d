"""The judge: reason, path and rule of each record, the same in whatever lane it is read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.oracles.independent_judge import FORMATS as SECOND_FORMATS
from tests.oracles.independent_judge import Exact, parse
from tests.oracles.pipeline import Raw
from tests.oracles.strict_json import EPOCH, compiled, read_json
from tests.support.measured import CASES, DOCUMENT, TIME, TOPIC, USER, Case, texts
from tests.support.shapes import bronze_of
from tests.support.strategies import NOON
from transforms.contracts.registry import Registry
from transforms.contracts.validation import read_event, violations
from transforms.events.judge import StrictLane, TimeBounds, judge

REGISTRY = Registry({"Measured": {"1.0": DOCUMENT}})
(CONTRACT,) = REGISTRY
MICROSECOND = timedelta(microseconds=1)
ANY_TIME = TimeBounds(10**10, 10**6)
LANES = pytest.mark.parametrize("strict_lane", ["python", "spark"])
NOT_JSON = (
    *('{"a":"\\ud800"}', '{"\\uDFAA":0}', "{'a':0}", '{"a":"x\ty"}', '{"a":NaN}', '{"a":01}'),
    *('{"a":1,}', '{"a":', '{"a" 1}', "{a:1}", '{"a":"\\ud83d\\ud83d"}', '{"a":"\\x41"}'),
    *('\ufeff{"a":1}', "nul", "[1,]", '{"a":"\x00"}', '{"a":1 /*c*/}'),
)
REPEATED = (
    *('{"a":1,"a":2}', '{"b":{"a":1,"a":2}}', '[{"a":1,"a":2}]'),
    '{"a":"\\ud83d\\ude00","a":"\\\\ud800"}',
)
SEVERAL = ('{"a":1} {}', '{"a":1} x', '{"a":1}]', "1 2")
PARSE_RULES = {
    **dict.fromkeys(NOT_JSON, "syntax"),
    **dict.fromkeys(REPEATED, "unique_keys"),
    **dict.fromkeys(SEVERAL, "single_document"),
}


def verdicts(
    spark: SparkSession, values: list[str], strict_lane: StrictLane = "python"
) -> list[Any]:
    """Reason, path and rule of each value."""
    raws = [
        Raw(TOPIC, 0, at, USER.encode(), value.encode(), NOON) for at, value in enumerate(values)
    ]
    rows = judge(bronze_of(spark, raws), REGISTRY, ANY_TIME, strict_lane).collect()
    return [
        (row.reason, row.path, row.rule) for row in sorted(rows, key=lambda row: int(row.offset))
    ]


@LANES
def test_values_at_the_edge_are_judged_as_they_are_written_in_any_lane(
    spark: SparkSession, strict_lane: StrictLane
) -> None:
    sent = [(case, text) for case in CASES for text in texts(case)]
    told = verdicts(spark, [text for _, text in sent], strict_lane)
    wrong = [
        (text, verdict)
        for (case, text), verdict in zip(sent, told, strict=True)
        if verdict != (case.reason, case.path, case.rule)
    ]
    assert wrong == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.member} {case.text[:40]}")
def test_a_producer_and_both_oracles_judge_them_alike(case: Case) -> None:
    (text, *_) = texts(case)
    found = violations(CONTRACT, read_event(text))
    assert (case.rule in {violation.rule for violation in found}) if case.rule else not found
    reasons = set(compiled(DOCUMENT)(read_json(text.encode())))
    assert (case.reason in reasons) if case.reason else not reasons
    second = Exact(DOCUMENT, format_checker=SECOND_FORMATS)
    assert second.is_valid(parse(text.encode())) is (case.reason is None)


@LANES
def test_a_text_that_is_not_one_document_is_told_by_its_rule(
    spark: SparkSession, strict_lane: StrictLane
) -> None:
    told = dict(zip(PARSE_RULES, verdicts(spark, list(PARSE_RULES), strict_lane), strict=True))
    assert told == {text: ("malformed_json", None, rule) for text, rule in PARSE_RULES.items()}


def test_an_event_time_that_not_every_reader_holds_is_refused_by_a_reason_of_its_own(
    spark: SparkSession,
) -> None:
    extreme = ("extreme_time", "$.timestamp", None)
    sound = (None, None, None)
    expected = {
        "0001-01-01T00:00:00Z": extreme,
        "1969-12-31T23:59:59.999999999Z": extreme,
        "1970-01-01T00:59:59+01:00": extreme,
        "1970-01-01T00:00:00Z": sound,
        "1970-01-01t00:00:00z": sound,
        "2261-12-31T23:59:59.999999999Z": sound,
        "2262-01-01T00:00:00Z": extreme,
        "9999-12-31T23:59:59Z": extreme,
    }
    case = Case("whole", "1")
    for place in (0, 2):
        values = [texts(case)[place].replace(TIME, time) for time in expected]
        assert dict(zip(expected, verdicts(spark, values), strict=True)) == expected
    for time, verdict in expected.items():
        found = violations(CONTRACT, read_event(texts(case)[0].replace(TIME, time)))
        assert [(v.path, v.rule) for v in found] == [("$.timestamp", "extreme_time")] * (
            verdict == extreme
        )


def test_event_times_are_those_of_rfc_3339(spark: SparkSession) -> None:
    written = {
        "2026-09-21T14:00:00Z": 0,
        "2026-09-21t14:00:00.0000019z": 1,
        "2026-09-21T14:00:00+18:00": -18 * 3600 * 10**6,
        "2026-09-21T14:00:00-00:30": 1800 * 10**6,
    }
    raws = [
        Raw(
            TOPIC,
            0,
            at,
            USER.encode(),
            texts(Case("whole", "1"))[0].replace(TIME, time).encode(),
            NOON,
        )
        for at, time in enumerate(written)
    ]
    rows = judge(bronze_of(spark, raws), REGISTRY, ANY_TIME).selectExpr(
        "offset", "unix_micros(event_time) AS time"
    )
    at_two = datetime.fromisoformat(TIME) - EPOCH
    assert [row.time for row in sorted(rows.collect(), key=lambda row: int(row.offset))] == [
        at_two // MICROSECOND + micros for micros in written.values()
    ]
