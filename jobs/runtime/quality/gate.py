"""The quality gate: stop what depends on tables with failed blockers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.catalog_names import give_names
from jobs.runtime.lake.generations import switch
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import QUALITY, TABLES
from jobs.runtime.quality.expectations import load_expectations
from jobs.runtime.settings import QualitySettings, Settings


def refuse_switch(lake: Lake, settings: QualitySettings) -> None:
    """Stop a switch of readers to a lake's generation if its silver or gold fails the gate.

    Raises:
        DataError: the gate stops the switch.
    """
    builds = [table for table in TABLES if table.startswith(("silver.", "gold."))]
    refuse_failing(lake, builds, settings, f"the switch to generation {lake.generation}")


log = logging.getLogger(__name__)


TOLD = 3


def refuse_failing(lake: Lake, tables: Iterable[str], settings: QualitySettings, what: str) -> None:
    """Stop `what` if a blocker failed in the newest check of one of the tables.

    Args:
        lake: the generation that `what` is about.
        tables: tables that `what` depends on; those without expectations are ignored.
        settings: whether to stop, and whether a table must have been checked.
        what: noun phrase for the message.

    Raises:
        DataError: the gate stops it.
    """
    wanted = sorted(set(tables) & load_expectations().keys())
    problem = _failed_blockers(lake, wanted) or _unchecked_tables(lake, wanted, settings)
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


def _failed_blockers(lake: Lake, tables: Sequence[str]) -> tuple[str, bool] | None:
    """The blockers that failed in the newest check of each table.

    Returns:
        A text that lists the first TOLD of them, and True; None if none failed.
    """
    if not lake.has(QUALITY):
        return None
    own = F.col("table_name").isin(*tables) & (F.col("generation") == lake.generation)
    rows = lake.read(QUALITY).where(own)
    newest = rows.groupBy("table_name").agg(F.max("at").alias("at"))
    failed = rows.join(newest, ["table_name", "at"]).where("severity = 'blocker' AND NOT passed")
    listed = failed.select("table_name", "expectation", "found", "expected")
    told = [
        f"{row.table_name}: {row.expectation}: found {row.found}, expected {row.expected}"
        for row in listed.orderBy("table_name", "expectation").collect()
    ]
    more = f", and {len(told) - TOLD} more" if len(told) > TOLD else ""
    return ("; ".join(told[:TOLD]) + more, True) if told else None


def _unchecked_tables(
    lake: Lake, tables: Sequence[str], settings: QualitySettings
) -> tuple[str, bool] | None:
    """The existing tables without a check in the last `max_age_h` hours.

    Returns:
        A text that lists them, and False, as it is no failure; None if all were checked.
    """
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


def switch_readers(lake: Lake, settings: Settings) -> None:
    """Switch readers to a lake's generation, and its tables' names in a catalogue too.

    Args:
        lake: generation that readers shall see.
        settings: settings of the quality gate and of the catalogue.

    Raises:
        DataError: the quality gate stops the switch.
        SettingsError: the generation is not complete.
    """
    refuse_switch(lake, settings.quality)
    switch(lake, lake.generation)
    give_names(lake, settings.lake.catalog)
