"""Quality check: silver and gold measured against conf/expectations, at pinned versions."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pages import write_page
from jobs.runtime.quality.expectations import load_expectations
from jobs.runtime.quality.measurement import (
    Finding,
    Result,
    describe_results,
    measure,
    pin_tables,
    store_findings,
)

log = logging.getLogger(__name__)


def check(
    lake: Lake, tables: tuple[str, ...] = (), version: int | None = None, docs: Path | None = None
) -> list[Finding]:
    """Measure tables, judge the measures, and store the findings in ops.quality.

    Args:
        lake: the generation to check.
        tables: names of the tables; empty: all that exist and have expectations.
        version: Delta version of the one table that is named; None: the newest.
        docs: folder that data docs are written to; None: they are not written.

    Returns:
        One finding for each expectation of each table.

    Raises:
        SettingsError: a table has no expectations, a version does not exist, or a version comes
            without exactly one table.
        DataError: a table that is named does not exist.
    """
    from jobs.runtime.quality.data_docs import (
        judge_measures,  # takes 3 s: imported only by a check
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


def write_findings(findings: Sequence[Finding], data_docs: Path, file: Path) -> None:
    """Write a page of the findings, failures first, that needs no network.

    Args:
        findings: findings of a check.
        data_docs: index page of Great Expectations' data docs, to link to.
        file: path of the page.
    """
    order = (Result.FAILED, Result.NOTHING_TO_MEASURE, Result.HOLDS)
    write_page(
        file,
        "quality.html",
        findings=sorted(findings, key=lambda each: order.index(each.result)),
        results=describe_results(findings),
        data_docs=data_docs.relative_to(file.parent).as_posix(),
    )


def refuse(findings: list[Finding]) -> None:
    """Stop if a blocker failed.

    Raises:
        DataError: a blocker failed; names the first.
    """
    failed = [each for each in findings if each.blocks]
    if failed:
        raise DataError(
            f"{len(failed)} blockers failed; the first: {failed[0]}",
            f"{failed[0].expectation.why}; see ops.quality",
        )
