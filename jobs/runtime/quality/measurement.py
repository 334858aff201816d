"""Quality measurement: tables measured at pinned versions, findings stored in ops.quality."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pyspark.sql import DataFrame

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.locks import wait_for_lock
from jobs.runtime.lake.tables import PARTIALS, QUALITY, TABLES
from jobs.runtime.pipeline.gold import NOTHING, Snapshot, read_gold_at, snapshot
from jobs.runtime.quality.expectations import Expectation, Measure, Schema, Suite, schema_text
from jobs.runtime.spark.failures import SPARK_ERRORS
from transforms.gold.tables import FOLDS

log = logging.getLogger(__name__)


AT_ONCE = 2


FINDINGS, LOCK_S = "quality-findings", 60.0  # checks write their findings one after the other


class Result(StrEnum):
    """The result of an expectation, as ops.quality names it."""

    HOLDS = "holds"
    FAILED = "failed"
    NOTHING_TO_MEASURE = "nothing_to_measure"


@dataclass(frozen=True)
class PinnedTables:
    """Tables pinned at versions, so that all measures are of the same rows.

    Attributes:
        lake: the generation.
        versions: Delta version of each table that exists; of a fold, its base's.
        gold: all folds after one micro-batch; None: a fold is read as its base alone.
    """

    lake: Lake
    versions: Mapping[str, int]
    gold: Snapshot | None

    def rows(self, table: str) -> DataFrame:
        """A table's rows at its pinned version.

        Returns:
            Rows in the declared columns; none if the table does not exist.
        """
        if table not in self.versions:
            return self.lake.spark.createDataFrame([], TABLES[table].schema)
        fold = FOLDS.get(table.removeprefix("gold."))
        if fold is not None and self.gold is not None:
            return read_gold_at(self.lake, fold, self.gold)
        return self.lake.read_declared(table, self.versions[table])

    def partials(self, table: str) -> int | None:
        """The Delta version of gold.partials that a table is read with.

        Returns:
            The version; None if the table is no fold or is read without partials.
        """
        return self.gold.partials if self.gold and table.removeprefix("gold.") in FOLDS else None


@dataclass(frozen=True)
class Finding:
    """The outcome of one expectation.

    Attributes:
        table: name of the table.
        expectation: the expectation that was measured.
        found: the measure as text; None if there was nothing to measure.
        expected: the expected value or range as text.
        passed: whether the expectation does not fail.
    """

    table: str
    expectation: Expectation
    found: str | None
    expected: str
    passed: bool

    @property
    def result(self) -> Result:
        """Whether it holds, failed, or there was nothing to measure."""
        if not self.passed:
            return Result.FAILED
        return Result.NOTHING_TO_MEASURE if self.found is None else Result.HOLDS

    @property
    def blocks(self) -> bool:
        """Whether it stops what depends on the table: a blocker that failed."""
        return not self.passed and self.expectation.severity == "blocker"

    def __str__(self) -> str:
        name, found = self.expectation.name, self.found
        return f"{self.table}: {name}: found {found}, expected {self.expected}"


def pin_tables(lake: Lake, version: Mapping[str, int] | None = None) -> PinnedTables:
    """Pin every table that exists at its newest version, or at a version that is given.

    Args:
        lake: the generation.
        version: Delta version, by table; the other tables are pinned at their newest.

    Raises:
        SettingsError: a table has no such version.
    """
    versions = {table: lake.version(table) for table in TABLES if lake.has(table)}
    for table, wanted in (version or {}).items():
        if not 0 <= wanted <= versions.get(table, NOTHING):
            raise SettingsError(
                f"{table} has no version {wanted}",
                f"the newest is {versions[table]}" if table in versions else "it does not exist",
            )
    folds = all(table in versions for table in (PARTIALS, *(f"gold.{name}" for name in FOLDS)))
    gold = snapshot(lake) if folds and not version else None
    if gold is not None:
        versions |= {f"gold.{name}": base for name, (base, _) in gold.bases.items()}
    return PinnedTables(lake, {**versions, **(version or {})}, gold)


def measure(
    at: PinnedTables, suites: Mapping[str, Suite], now: datetime
) -> dict[str, dict[str, Measure]]:
    """Measure every expectation of the tables that exist.

    Args:
        at: the pinned tables.
        suites: expectations, by table.
        now: the instant that ages are measured to.

    Returns:
        Measures by table and name of the expectation.

    Raises:
        SettingsError: Spark cannot evaluate an expectation.
    """
    there = [table for table in suites if table in at.versions]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = pool.map(lambda table: _measure_table(at, table, suites[table], now), there)
        return dict(zip(there, found, strict=True))


def store_findings(at: PinnedTables, findings: Sequence[Finding], now: datetime) -> None:
    """Append findings to ops.quality, in one commit; checks side by side do so in turn.

    Args:
        at: the pinned tables that were measured.
        findings: the findings to store.
        now: instant of the check.

    Raises:
        DataError: another check has been writing for LOCK_S seconds.
    """
    lake = at.lake
    lake.ensure([QUALITY])
    with wait_for_lock(lake.shared_checkpoint(FINDINGS), QUALITY, LOCK_S):
        lake.append(
            QUALITY, _rows(at, findings, now), Transaction("quality", lake.version(QUALITY))
        )


def _rows(at: PinnedTables, findings: Sequence[Finding], now: datetime) -> DataFrame:
    """Findings as rows of ops.quality."""
    rows = [
        {
            "at": now,
            "generation": at.lake.generation,
            "table_name": each.table,
            "version": at.versions[each.table],
            "partials_version": at.partials(each.table),
            "expectation": each.expectation.name,
            "kind": each.expectation.kind,
            "severity": each.expectation.severity,
            "passed": each.passed,
            "result": str(each.result),
            "found": each.found,
            "expected": each.expected,
            "why": each.expectation.why,
        }
        for each in findings
    ]
    return at.lake.spark.createDataFrame(rows, TABLES[QUALITY].schema).coalesce(1)


def unmeasured(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """The names of the expectations with nothing to measure, by table."""
    found: dict[str, list[str]] = {}
    for each in findings:
        if each.result is Result.NOTHING_TO_MEASURE:
            found.setdefault(each.table, []).append(each.expectation.name)
    return found


def describe_results(findings: Sequence[Finding]) -> str:
    """How many expectations hold, failed and had nothing to measure, as text."""
    counts = Counter(each.result for each in findings)
    held, failed, nothing = (counts[result] for result in Result)
    return (
        f"{held} of {len(findings)} expectations hold, {failed} failed, "
        f"{nothing} had nothing to measure"
    )


def _measure_table(at: PinnedTables, table: str, suite: Suite, now: datetime) -> dict[str, Measure]:
    """The measures of one table, by name of the expectation.

    Raises:
        SettingsError: Spark cannot evaluate an expectation.
    """
    rows = at.rows(table)
    found: dict[str, Measure] = {}
    try:
        aggregates = {each.name: each.aggregate(now) for each in suite}
        columns = [c.alias(name) for name, c in aggregates.items() if c is not None]
        if columns:
            found |= rows.agg(*columns).collect()[0].asDict()
        for each in suite:
            if isinstance(each, Schema):
                files = at.lake.read(table, at.versions[table])
                found[each.name] = schema_text(files.schema)
            elif aggregates[each.name] is None:
                found[each.name] = each.query(rows, at.rows)
    except SPARK_ERRORS as error:
        raise SettingsError(
            f"{table}: an expectation cannot be measured: {_first_line(error)}",
            f"mend conf/expectations/{table}.yaml",
        ) from error
    return found


def _first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).strip().splitlines()[0]


def summarize_findings(findings: Sequence[Finding]) -> dict[str, Any]:
    """The number of expectations, and those that do not hold, as a JSON document."""
    failed = [each for each in findings if not each.passed]
    return {
        "expectations": len(findings),
        "nothing_to_measure": unmeasured(findings),
        "blockers_failed": [str(each) for each in failed if each.blocks],
        "warnings": [str(each) for each in failed if not each.blocks],
    }
