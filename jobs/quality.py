"""Quality: check silver and gold against conf/expectations, at pinned versions."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from jobs.runtime.cli import job, refuse_ignored
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.quality.check import check, refuse, write_findings
from jobs.runtime.quality.measurement import describe_results, unmeasured
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import QUALITY

log = logging.getLogger(__name__)


@job
@refuse_ignored({}, needs={"--version": "--table"})
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
    """Check the tables of silver and gold against the expectations of conf/expectations.

    Findings go to ops.quality, where the gates of jobs.generations, jobs.promote and
    jobs.experiments read them, and to pages of data docs. Exits non-zero if a blocker fails.
    """
    lake = open_lake(QUALITY, settings)
    page = docs / "findings.html"
    with run_alone(lake.shared_checkpoint(QUALITY), QUALITY):
        findings = check(lake, tables, version, docs)
        write_findings(findings, docs / "index.html", page)
    for each in findings:
        if not each.passed:
            log.log(logging.ERROR if each.blocks else logging.WARNING, "%s", each)
    for table, names in unmeasured(findings).items():
        log.info("%s: nothing to measure: %s", table, ", ".join(names))
    click.echo(f"{describe_results(findings)}: {page}")
    refuse(findings)


if __name__ == "__main__":
    main()
