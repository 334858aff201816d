"""Quality: tables measured at pinned versions, the findings kept in ops.quality, and the gate."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.commits import Transaction
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.expectations import (
    Expectation,
    Measure,
    Schema,
    Suite,
    load_expectations,
    schema_text,
)
from jobs.runtime.faults import SPARK_ERRORS
from jobs.runtime.gold import NOTHING, Snapshot, read_gold_at, snapshot
from jobs.runtime.lake import Lake
from jobs.runtime.settings import QualitySettings
from jobs.runtime.tables import PARTIALS, QUALITY, TABLES
from transforms.gold.tables import FOLDS

log = logging.getLogger(__name__)

TOLD = 3
AT_ONCE = 2


@dataclass(frozen=True)
class Pinned:
    """Tables at versions, so that all measures are of the same rows.

    Attributes:
        lake: the generation.
        versions: the Delta version of each table that exists; of a fold, its base's.
        gold: all folds after one micro-batch; None: a fold is its base alone.
    """

    lake: Lake
    versions: Mapping[str, int]
    gold: Snapshot | None

    def rows(self, table: str) -> DataFrame:
        """A table's rows; none, if it does not exist."""
        if table not in self.versions:
            return self.lake.spark.createDataFrame([], TABLES[table].schema)
        fold = FOLDS.get(table.removeprefix("gold."))
        if fold is not None and self.gold is not None:
            return read_gold_at(self.lake, fold, self.gold)
        return self.lake.read_declared(table, self.versions[table])

    def partials(self, table: str) -> int | None:
        """The version of gold.partials that a fold was read with."""
        return self.gold.partials if self.gold and table.removeprefix("gold.") in FOLDS else None


@dataclass(frozen=True)
class Finding:
    """What became of one expectation."""

    table: str
    expectation: Expectation
    found: str | None
    expected: str
    passed: bool

    @property
    def blocks(self) -> bool:
        """Does it stop what depends on the table?"""
        return not self.passed and self.expectation.severity == "blocker"

    def __str__(self) -> str:
        name, found = self.expectation.name, self.found
        return f"{self.table}: {name}: found {found}, expected {self.expected}"


def pinned(lake: Lake, version: Mapping[str, int] | None = None) -> Pinned:
    """The newest version of every table, or others for those named.

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
    return Pinned(lake, {**versions, **(version or {})}, gold)


def measured(
    at: Pinned, suites: Mapping[str, Suite], now: datetime
) -> dict[str, dict[str, Measure]]:
    """The measure of every expectation, by table and name; tables that do not exist are left out.

    Args:
        at: what to measure.
        suites: what is expected, by table.
        now: the instant that ages are to.
    """
    there = [table for table in suites if table in at.versions]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = pool.map(lambda table: _measured(at, table, suites[table], now), there)
        return dict(zip(there, found, strict=True))


def store(at: Pinned, findings: Sequence[Finding], now: datetime) -> None:
    """Add findings to ops.quality, in one commit."""
    lake = at.lake
    lake.ensure([QUALITY])
    rows = [
        {
            "at": now,
            "generation": lake.generation,
            "table_name": each.table,
            "version": at.versions[each.table],
            "partials_version": at.partials(each.table),
            "expectation": each.expectation.name,
            "kind": each.expectation.kind,
            "severity": each.expectation.severity,
            "passed": each.passed,
            "found": each.found,
            "expected": each.expected,
            "why": each.expectation.why,
        }
        for each in findings
    ]
    frame = lake.spark.createDataFrame(rows, TABLES[QUALITY].schema).coalesce(1)
    lake.append(QUALITY, frame, Transaction("quality", lake.version(QUALITY)))


def refuse_failing(lake: Lake, tables: Iterable[str], settings: QualitySettings, what: str) -> None:
    """The gate: stop `what` if a blocker failed in the newest check of one of the tables.

    Args:
        lake: the generation that `what` is about.
        tables: on what `what` depends; those without expectations are passed over.
        settings: whether to stop, and whether a table must have been checked.
        what: a noun phrase for the message.

    Raises:
        DataError: it is stopped.
    """
    wanted = sorted(set(tables) & load_expectations().keys())
    problem = _failed(lake, wanted) or _unchecked(lake, wanted, settings)
    if problem is None:
        return
    words, is_failure = problem
    if settings.gate == "off" or (settings.gate == "blockers" and not is_failure):
        log.warning("%s goes on although %s", what, words)
        return
    raise DataError(
        f"{what} is stopped: {words}",
        "mend the data and check again with python -m jobs.quality; "
        "--set quality.gate=off goes on all the same",
    )


def _measured(at: Pinned, table: str, suite: Suite, now: datetime) -> dict[str, Measure]:
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
            f"{table}: an expectation cannot be measured: {_first(error)}",
            f"mend conf/expectations/{table}.yaml",
        ) from error
    return found


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _failed(lake: Lake, tables: Sequence[str]) -> tuple[str, bool] | None:
    """The blockers that failed in the newest check of each table."""
    if not lake.has(QUALITY):
        return None
    own = F.col("table_name").isin(*tables) & (F.col("generation") == lake.generation)
    rows = lake.read(QUALITY).where(own)
    newest = rows.groupBy("table_name").agg(F.max("at").alias("at"))
    failed = rows.join(newest, ["table_name", "at"]).where("severity = 'blocker' AND NOT passed")
    told = [
        f"{row.table_name}: {row.expectation}: found {row.found}, expected {row.expected}"
        for row in failed.orderBy("table_name", "expectation").collect()
    ]
    more = f", and {len(told) - TOLD} more" if len(told) > TOLD else ""
    return ("; ".join(told[:TOLD]) + more, True) if told else None


def _unchecked(
    lake: Lake, tables: Sequence[str], settings: QualitySettings
) -> tuple[str, bool] | None:
    """The tables that are there and were not checked within `max_age_h`."""
    since = datetime.now(UTC) - timedelta(hours=settings.max_age_h)
    checked: set[str] = set()
    if lake.has(QUALITY):
        own = (F.col("generation") == lake.generation) & (F.col("at") >= F.lit(since))
        rows = lake.read(QUALITY).where(own).select("table_name").distinct().collect()
        checked = {row.table_name for row in rows}
    missing = [table for table in tables if table not in checked and lake.has(table)]
    if not missing:
        return None
    return f"{', '.join(missing)} had no check in {settings.max_age_h:g} hours", False
