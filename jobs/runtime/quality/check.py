"""Quality: hold silver and gold to conf/expectations, at pinned versions."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.quality.expectations import load_expectations
from jobs.runtime.quality.measurement import Finding, measure, pin_tables, store_findings

log = logging.getLogger(__name__)


def check(
    lake: Lake, tables: tuple[str, ...] = (), version: int | None = None, docs: Path | None = None
) -> list[Finding]:
    """Measure tables, judge, and keep the findings in ops.quality.

    Args:
        lake: the generation.
        tables: which; empty: all that have expectations and exist.
        version: of the one table that is named.
        docs: where to write data docs; None: nowhere.

    Raises:
        SettingsError: a table has no expectations or does not exist, or a version is not there.
    """
    from jobs.runtime.quality.data_docs import (
        judge_measures,  # 3 s, which only those who check should wait
    )

    known = load_expectations()
    for table in tables:
        if table not in known:
            raise SettingsError(
                f"nothing is expected of a table called '{table}'", f"use: {', '.join(known)}"
            )
    if version is not None and len(tables) != 1:
        raise SettingsError("--version is of one table", "name it with --table")
    suites = {table: known[table] for table in tables or known}
    now = datetime.now(UTC)
    at = pin_tables(lake, None if version is None else {tables[0]: version})
    lake.require(*tables)
    measures = measure(at, suites, now)
    if docs is not None:
        shutil.rmtree(docs / "validations", ignore_errors=True)  # of earlier checks
    findings = judge_measures(measures, suites, at.versions, docs)
    if findings:
        store_findings(at, findings, now)
    return findings


def refuse(findings: list[Finding]) -> None:
    """DataError if a blocker failed."""
    failed = [each for each in findings if each.blocks]
    if failed:
        raise DataError(
            f"{len(failed)} blockers failed; the first: {failed[0]}",
            f"{failed[0].expectation.why}; see ops.quality",
        )
