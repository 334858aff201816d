"""Quality: hold silver and gold to conf/expectations, at pinned versions."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path

import click

from jobs.runtime.cli import job
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.expectations import load_expectations
from jobs.runtime.lake import Lake
from jobs.runtime.quality import Finding, measured, pinned, store
from jobs.runtime.session import spark_session
from jobs.runtime.settings import Settings

log = logging.getLogger(__name__)


@job
@click.option("--table", "tables", multiple=True, help="Only this table. Repeatable.")
@click.option("--version", type=int, help="The Delta version of the one --table; default: newest.")
@click.option(
    "--docs",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/quality",
    show_default=True,
    help="Folder for the pages of data docs.",
)
def main(settings: Settings, tables: tuple[str, ...], version: int | None, docs: Path) -> None:
    """Hold the tables of silver and gold to what conf/expectations declares.

    Findings go to ops.quality, where the gates of jobs.generations, jobs.promote and
    jobs.experiments read them, and to pages of data docs. Exits non-zero if a blocker fails.
    """
    spark = spark_session("quality", settings.spark)
    lake = Lake(spark, settings.lake.root, settings.lake.generation)
    findings = check(lake, tables, version, docs)
    for each in findings:
        if not each.passed:
            log.log(logging.ERROR if each.blocks else logging.WARNING, "%s", each)
    passed = sum(each.passed for each in findings)
    click.echo(f"{passed} of {len(findings)} expectations hold: {docs / 'index.html'}")
    refuse(findings)


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
    from jobs.runtime.great import judged  # 3 s, which only those who check should wait

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
    at = pinned(lake, None if version is None else {tables[0]: version})
    for table in tables:
        if table not in at.versions:
            raise SettingsError(
                f"the lake at {lake.root} has no {table}", "run the job that fills it first"
            )
    measures = measured(at, suites, now)
    if docs is not None:
        shutil.rmtree(docs / "validations", ignore_errors=True)  # of earlier checks
    findings = judged(measures, suites, at.versions, docs)
    if findings:
        store(at, findings, now)
    return findings


def refuse(findings: list[Finding]) -> None:
    """DataError if a blocker failed."""
    failed = [each for each in findings if each.blocks]
    if failed:
        raise DataError(
            f"{len(failed)} blockers failed; the first: {failed[0]}",
            f"{failed[0].expectation.why}; see ops.quality",
        )


if __name__ == "__main__":
    main()
