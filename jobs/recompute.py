"""Recompute: the next generation from bronze in batch, compared, and switched to."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import click

from jobs.runtime.cli import AwareInstant, PageFile, job
from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.catalog_names import give_names
from jobs.runtime.lake.generations import switch
from jobs.runtime.lake.lake import open_live_lake
from jobs.runtime.lake.locks import locked
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.quality.check import check as check_quality
from jobs.runtime.quality.gate import refuse_switch
from jobs.runtime.recompute.check import recompute
from jobs.runtime.recompute.comparison import compared, refuse_unexplained
from jobs.runtime.recompute.next_generation import generation_of, next_generation
from jobs.runtime.recompute.plan import plan, told
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


@job
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
@click.option("--check", is_flag=True, help="Write nothing: only compare gold with its recompute.")
def main(
    settings: Settings,
    bronze_version: int | None,
    as_of: datetime | None,
    switching: bool,
    check: bool,
    first: datetime | None,
    last: datetime | None,
    event_types: tuple[str, ...],
    users: tuple[str, ...],
    table: str | None,
    report: Path | None,
    planning: bool,
) -> None:
    """Build the next generation of silver and gold from bronze, in batch, and compare.

    The live generation keeps streaming and being read. Killed at any moment, the same command
    goes on where it was. When the batch build is complete, the streams of the new generation
    catch up with bronze, and gold is compared row by row: each differing row has a named cause,
    or the job fails. The comparison is kept in ops.parity.

    With a part named, only its events are judged anew; the others are taken over from the live
    generation. Of a gold table, none are: all gold is folded anew in any case.

    --as-of makes it repeatable, for schedulers: a generation built by the same code and settings
    from bronze as it was then is taken as it is, and so is its comparison. Once readers have been
    switched to it, a repeat does nothing, also if they have been switched on, or back, since.
    """
    if report is not None and (planning or check):
        raise SettingsError(
            "--report tells of a build, and --check and --plan make none",
            "leave it out, or compare two builds: python -m jobs.compare OLD NEW --page FILE",
        )
    lake = open_live_lake(RECOMPUTE, settings)
    if planning:
        click.echo(told(plan(lake, bronze_version)))
        return
    lake.require(BRONZE, *(f"gold.{name}" for name in FOLDS))
    judge = load_judge(settings.refine)
    if check:
        refuse_unexplained(recompute(lake, judge, settings.refine, bronze_version))
        return
    scope = _scope(first, last, event_types, users, table)
    with locked(lake.shared_checkpoint(RECOMPUTE), RECOMPUTE):
        if as_of is None:
            built = next_generation(lake, judge, settings, bronze_version, scope)
            refuse_unexplained(compared(lake, built, settings))
        else:
            run = generation_of(lake, judge, settings, lake.version_at(BRONZE, as_of), scope)
            if run is None:
                return
            built = run
        if report is not None:
            from jobs.runtime.recompute.impact_page import report_on  # 1 s, for who wants a page

            report_on(lake, built, report)
        if switching:
            check_quality(built)
            refuse_switch(built, settings.quality)
            switch(lake, built.generation)
            give_names(built, settings.lake.catalog)
            log.info("generation %d is live", built.generation)


def _scope(
    first: datetime | None,
    last: datetime | None,
    event_types: Collection[str],
    users: Collection[str],
    table: str | None,
) -> Scope:
    types = frozenset(event_types) if event_types else None
    if table is not None:
        types = PARTS[table] if types is None else PARTS[table] & types
    return Scope(
        None if first is None else first.date(),
        None if last is None else last.date(),
        types,
        users or None,
    )


if __name__ == "__main__":
    main()
