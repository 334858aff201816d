"""Recompute: build the next generation from bronze in batch, compare it, and switch readers."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from jobs.runtime.cli import AwareInstant, PageFile, job, refuse_ignored
from jobs.runtime.lake.lake import Lake, open_live_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.judging import Judge, load_judge
from jobs.runtime.quality.check import check as check_quality
from jobs.runtime.quality.gate import switch_readers
from jobs.runtime.recompute.check import recompute
from jobs.runtime.recompute.comparison import compare_generations, refuse_unexplained
from jobs.runtime.recompute.next_generation import generation_of, next_generation
from jobs.runtime.recompute.plan import plan, plan_text
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import RECOMPUTE
from transforms.gold.tables import FOLDS
from transforms.silver.scope import Scope
from transforms.silver.tables import FAMILIES

log = logging.getLogger(__name__)


DATE = click.DateTime(["%Y-%m-%d"])


PARTS = {
    **{f"silver.{name}": frozenset(family.rows) for name, family in FAMILIES.items()},
    **{f"gold.{name}": frozenset[str]() for name in FOLDS},
}


PART = ("--from", "--to", "--event-type", "--user", "--table")


GO_TOGETHER = {  # options that are allowed with each mode
    "--plan": ("--bronze-version",),
    "--check": ("--bronze-version",),
    "--as-of": (*PART, "--report", "--switch"),
}


@dataclass(frozen=True)
class Request:
    """A recompute as requested: a build, or with `planning` or `checking` none.

    Attributes:
        planning: whether to only print the plan of a build.
        checking: whether to only compare gold with its recompute.
        bronze_version: Delta version of bronze.events to read; None: the newest.
        as_of: instant whose version of bronze is read, without repeating what was done for it;
            None: no such instant.
        scope: events to judge again.
        report: path of the page of the build's impact; None: no page.
        switching: whether to switch readers to the build.
    """

    planning: bool
    checking: bool
    bronze_version: int | None
    as_of: datetime | None
    scope: Scope
    report: Path | None
    switching: bool


@job
@refuse_ignored(GO_TOGETHER)
@click.option("--bronze-version", type=int, help="Build from this version. Default: newest.")
@click.option(
    "--as-of",
    type=AwareInstant(),
    metavar="INSTANT",
    help="Build from the newest version of then; what was done for it is not done again.",
)
@click.option(
    "--switch", "switching", is_flag=True, help="Let readers see it if parity and quality hold."
)
@click.option("--from", "first", type=DATE, help="Only events from this UTC date on.")
@click.option("--to", "last", type=DATE, help="Only events to this UTC date.")
@click.option("--event-type", "event_types", multiple=True, help="Only this type. Repeatable.")
@click.option("--user", "users", multiple=True, help="Only this user's. Repeatable.")
@click.option("--table", type=click.Choice(sorted(PARTS)), help="Only this table's events.")
@click.option(
    "--report",
    type=PageFile(),
    help="Before any switch, write a page of what people would notice, and JSON beside it.",
)
@click.option("--plan", "planning", is_flag=True, help="Say what would be done; do nothing.")
@click.option(
    "--check", "checking", is_flag=True, help="Write nothing: only compare gold with its recompute."
)
def main(settings: Settings, **options: Any) -> None:
    """Build the next generation of silver and gold from bronze, in batch, and compare.

    The live generation keeps streaming and being read. Killed at any moment, the same command
    resumes the build. When the batch build is complete, the streams of the new generation catch up
    with bronze, and gold is compared row by row: each differing row has a named cause, or the job
    fails. The comparison is stored in ops.parity.

    With a part named, only its events are judged again; the others are copied from the live
    generation. If --table is a gold table, none are: all gold is rebuilt in any case.

    --as-of makes it repeatable, for schedulers: a generation built by the same code and settings
    from bronze as of then is reused, and so is its comparison. Once readers have been switched to
    it, a repeat does nothing, also if they have been switched on, or back, since.
    """
    request = _request(**options)
    lake = open_live_lake(RECOMPUTE, settings)
    if request.planning:
        click.echo(plan_text(plan(lake, request.bronze_version)))
        return
    lake.require(BRONZE, *(f"gold.{name}" for name in FOLDS))
    judge = load_judge(settings.refine)
    if request.checking:
        refuse_unexplained(recompute(lake, judge, settings.refine, request.bronze_version))
        return
    with run_alone(lake.shared_checkpoint(RECOMPUTE), RECOMPUTE):
        built = _build(lake, judge, settings, request)
        if built is not None:
            _report_and_switch(lake, built, settings, request)


def _build(lake: Lake, judge: Judge, settings: Settings, request: Request) -> Lake | None:
    """Build the next generation and compare it with the live one.

    Returns:
        The lake of that generation; None if readers were switched to it by an earlier run.

    Raises:
        DataError: a difference is unexplained.
    """
    if request.as_of is not None:
        version = lake.version_at(BRONZE, request.as_of)
        return generation_of(lake, judge, settings, version, request.scope)
    built = next_generation(lake, judge, settings, request.bronze_version, request.scope)
    refuse_unexplained(compare_generations(lake, built, settings))
    return built


def _report_and_switch(lake: Lake, built: Lake, settings: Settings, request: Request) -> None:
    """Write the impact page and switch readers, each if requested.

    Raises:
        DataError: the quality gate stops the switch.
    """
    if request.report is not None:
        from jobs.runtime.recompute.impact_page import report_on  # 1 s, only where a page is asked

        report_on(lake, built, request.report)
    if request.switching:
        check_quality(built)
        switch_readers(built, settings)
        log.info("generation %d is live", built.generation)


def _request(
    first: datetime | None,
    last: datetime | None,
    event_types: Collection[str],
    users: Collection[str],
    table: str | None,
    **others: Any,
) -> Request:
    """The request of the command line's options, whose combination was checked."""
    types = frozenset(event_types) if event_types else None
    if table is not None:
        types = PARTS[table] if types is None else PARTS[table] & types
    scope = Scope(
        None if first is None else first.date(),
        None if last is None else last.date(),
        types,
        users or None,
    )
    return Request(scope=scope, **others)


if __name__ == "__main__":
    main()
