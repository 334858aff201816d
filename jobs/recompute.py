"""Recompute: the next generation of silver and gold in batch from bronze, compared and switched."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.attribute import attributing
from jobs.build import build_silver, carry_over, definition
from jobs.fold import definitions, folding
from jobs.generations import refuse_switch
from jobs.part import build_part
from jobs.plan import plan, told
from jobs.quality import check as check_quality
from jobs.refine import judged, refining, silver_rows
from jobs.runtime.checkpoints import locked
from jobs.runtime.cli import AwareInstant, PageFile, job
from jobs.runtime.definitions import load_definitions
from jobs.runtime.erasures import history_begins, refuse_unfinished
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.generations import Action, Generation, generations, record, switch
from jobs.runtime.gold import compact
from jobs.runtime.lake import Lake
from jobs.runtime.names import give_names
from jobs.runtime.parity import (
    Build,
    Parity,
    build_of,
    compare,
    ingested_through,
    look,
    read_whole_through,
    store,
)
from jobs.runtime.profiles import rebuilt, replace
from jobs.runtime.reruns import build_of_run, is_compared
from jobs.runtime.session import spark_session
from jobs.runtime.settings import RefineSettings, Settings
from jobs.runtime.streams import follow, kept
from jobs.runtime.tables import BRONZE, EXPERIMENT_USER, QUARANTINE, USER_PROFILE, filled_by
from transforms import provenance
from transforms.events.bronze import PLACE
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.fold import evaluate
from transforms.gold.parity import EVIDENCE, Side
from transforms.gold.tables import FOLDS
from transforms.silver.deduplication import without_repeats
from transforms.silver.scope import Scope
from transforms.silver.tables import FAMILIES

log = logging.getLogger(__name__)

JOB = "recompute"
DATE = click.DateTime(["%Y-%m-%d"])
EVERYTHING = Scope()
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
    lake = Lake(spark_session(JOB, settings.spark), settings.lake.root)
    if planning:
        click.echo(told(plan(lake, bronze_version)))
        return
    _refuse_absent(lake)
    if check:
        refuse_unexplained(recompute(lake, settings.refine, bronze_version))
        return
    scope = _scope(first, last, event_types, users, table)
    with locked(lake.shared_checkpoint(JOB), JOB):
        if as_of is None:
            built = next_generation(lake, settings, bronze_version, scope)
            refuse_unexplained(compared(lake, built, settings))
        else:
            run = generation_of(lake, settings, lake.version_at(BRONZE, as_of), scope)
            if run is None:
                return
            built = run
        if report is not None:
            report_on(lake, built, report)
        if switching:
            check_quality(built)
            refuse_switch(built, settings.quality)
            switch(lake, built.generation)
            give_names(built, settings.lake.catalog)
            log.info("generation %d is live", built.generation)


def _refuse_absent(lake: Lake) -> None:
    for table in (BRONZE, *(f"gold.{name}" for name in FOLDS)):
        if not lake.has(table):
            raise DataError(
                f"{table} does not exist in {lake.root}", f"{filled_by(table)} fills it"
            )


def report_on(lake: Lake, built: Lake, page: Path) -> None:
    """Write what people would notice if readers went from one generation to another."""
    from jobs.compare import PERCENT, TOP, impact, write_impact  # 1 s, only for who wants a page

    now, numbers = datetime.now(UTC), (lake.generation, built.generation)
    found = impact(lake, *numbers, load_definitions(), percent=PERCENT, top=TOP, at=now)
    write_impact(found, page)
    log.info("what people would notice: %s", page)


def generation_of(lake: Lake, settings: Settings, bronze_version: int, scope: Scope) -> Lake | None:
    """The generation built and compared from a version of bronze, by this or by an earlier run.

    Returns:
        The generation; None if readers were already switched to it.
    """
    done = build_of_run(lake, bronze_version, _defined(settings.refine, scope))
    if done is None:
        new = next_generation(lake, settings, bronze_version, scope)
    elif Action.SWITCHED in done.actions:
        log.info("generation %d is of that run, and was switched to: nothing to do", done.number)
        return None
    else:
        log.info("generation %d is of that run", done.number)
        new = lake.of_generation(done.number)
    if not is_compared(lake, new.generation):
        refuse_unexplained(compared(lake, new, settings))
    return new


def next_generation(
    lake: Lake,
    settings: Settings,
    bronze_version: int | None = None,
    scope: Scope = EVERYTHING,
) -> Lake:
    """Build a generation in batch, or finish one whose build was killed, and let it catch up.

    Args:
        lake: the live generation.
        settings: of refine and fold.
        bronze_version: what to build from; None: the newest, or that of the unfinished build.
        scope: which events to judge anew.

    Returns:
        The new generation.
    """
    lake.ensure([BRONZE, *FACT_SOURCES])
    refuse_unfinished(lake, "recompute")
    began = time.monotonic()
    goal = _goal(lake, settings.refine, bronze_version, scope)
    assert goal.bronze_version is not None
    new = lake.of_generation(goal.number)
    log.info(
        "building generation %d from %s at version %d", goal.number, BRONZE, goal.bronze_version
    )
    if scope == EVERYTHING:
        events = build_silver(new, settings.refine, goal.bronze_version)
    else:
        events = build_part(lake, new, settings.refine, goal.bronze_version, scope)
    catch_up(new, settings)
    for table, remake in REMADE.items():
        if lake.has(table) and not lake.read(table).isEmpty():
            remake(new, settings)
    carry_over(lake, new, goal.bronze_version)
    if Action.BUILT not in goal.actions:
        seconds = time.monotonic() - began
        record(lake, goal.number, Action.BUILT, events=events, seconds=seconds)
    return new


def catch_up(lake: Lake, settings: Settings) -> None:
    """Take a generation's streams through what bronze holds now; gold is first made in batch."""
    with refining(lake, settings.refine, available_now=True) as run:
        follow(run)
    with folding(lake, settings.fold, available_now=True) as run:
        follow(run)
    compact(lake)


def _remake_profiles(lake: Lake, _: Settings) -> None:
    with rebuilt(lake, None) as rows:
        replace(lake, rows)


def _remake_attribution(lake: Lake, settings: Settings) -> None:
    known = load_definitions()
    with attributing(lake, settings.attribute, known, available_now=True) as run:
        follow(run)


# tables of jobs that an operator may or may not run: made where the live generation has rows
REMADE: Mapping[str, Callable[[Lake, Settings], None]] = {
    USER_PROFILE: _remake_profiles,
    EXPERIMENT_USER: _remake_attribution,
}


def compared(lake: Lake, new: Lake, settings: Settings) -> Parity:
    """Compare a new generation with another, and keep the result in ops.parity."""
    before, after = look(lake), look(new)
    changed = refolded(generations(lake)[lake.generation].folds)
    horizon_h = settings.refine.duplicate_horizon_h
    found = compare(lake, build_of(before), build_of(after), horizon_h, changed)
    store(lake, found, before, after)
    return found


def recompute(lake: Lake, settings: RefineSettings, bronze_version: int | None = None) -> Parity:
    """Compare gold with its batch recompute from one version of bronze; nothing is written."""
    if bronze_version is None:
        bronze_version = lake.version(BRONZE)
    log.info("recomputing from %s at version %d", BRONZE, bronze_version)
    bronze = lake.read(BRONZE, bronze_version)
    with kept(without_repeats(judged(bronze, settings))) as unique:
        silver = {t: silver_rows(t.split(".")[1], unique) for t in FACT_SOURCES}
        with kept(facts(silver, *EVIDENCE)) as recomputed:
            side = Side(recomputed, _ends(unique), ingested_through(lake, bronze_version))
            new = Build(lambda fold: evaluate(fold, recomputed), lambda: side)
            old, horizon_h = build_of(look(lake)), settings.duplicate_horizon_h
            changed = refolded(generations(lake)[lake.generation].folds)
            return compare(lake, old, new, horizon_h, changed)


def _ends(unique: DataFrame) -> DataFrame:
    """Where the records of a recompute would be held."""
    silver = F.concat(F.lit("silver."), "family")
    return unique.select(
        *PLACE,
        "event_id",
        F.when(F.col("reason").isNull(), silver).otherwise(QUARANTINE).alias("held_in"),
        F.col("judged_by").alias("held_by"),
    )


def refolded(folds: Mapping[str, str]) -> dict[str, bool]:
    """For each fold, is it declared otherwise than `folds` says, by digest?"""
    return {name: folds.get(name) != digest for name, digest in definitions().items()}


def refuse_unexplained(found: Parity) -> None:
    """Tell what a comparison found; DataError if a difference has no cause."""
    log.info("%s rows compared, %s differ", f"{found.compared:,}", f"{found.differing:,}")
    for cause, rows in sorted(found.causes.items()):
        log.info("  %-16s %s", cause, f"{rows:,}")
    for (table, cause), examples in found.examples.items():
        if cause == "unexplained":
            for row in examples:
                log.error("gold.%s differs at %s", table, row)
    if found.unexplained:
        raise DataError(
            f"{found.unexplained:,} gold rows differ from the recompute without a cause",
            "the examples above name keys: look their events up in silver and bronze",
        )


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


def _defined(settings: RefineSettings, scope: Scope) -> str:
    """What a build is made by, as ops.generations keeps it."""
    return provenance.digest(definition(settings), scope.told())


def _goal(
    lake: Lake, settings: RefineSettings, bronze_version: int | None, scope: Scope
) -> Generation:
    """The unfinished build of the same definition, else a new one."""
    known = generations(lake)
    defined = _defined(settings, scope)
    last = known[max(known)]
    if last.bronze_version is not None and Action.BUILT not in last.actions:
        same = bronze_version in (None, last.bronze_version)
        if same and last.definition == defined and not last.is_retired:
            log.info("going on with generation %d", last.number)
            return last
        if not last.is_retired:
            record(lake, last.number, Action.RETIRED)
    newest = lake.version(BRONZE) if scope == EVERYTHING else read_whole_through(lake)
    begins = history_begins(lake)
    oldest = 0 if begins is None else begins[0]
    if bronze_version is not None and not oldest <= bronze_version <= newest:
        raise SettingsError(
            f"there is no version {bronze_version} of {BRONZE} to build from",
            f"oldest: {oldest}, newest: {newest}",
        )
    version = newest if bronze_version is None else bronze_version
    number = last.number + 1
    record(lake, number, Action.BUILDING, bronze_version=version, definition=defined)
    return generations(lake)[number]


if __name__ == "__main__":
    main()
