"""The next generation: built in batch from bronze, then caught up by its own streams."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from jobs.runtime.errors import DataError
from jobs.runtime.experiments.attribution import attributing
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.lake.erasure_log import refuse_unfinished
from jobs.runtime.lake.generations import Action, Generation, generations, record_action
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, EXPERIMENT_USER, USER_PROFILE
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.gold import NOTHING, compact
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.progress import (
    ingested_through,
    read_whole_through,
    refuse_unreadable,
)
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.profiles.profiles import build_profiles, store_profiles
from jobs.runtime.recompute.batch_build import build_definition, build_silver, carry_over
from jobs.runtime.recompute.comparison import compare_generations, refuse_unexplained
from jobs.runtime.recompute.partial_build import build_part
from jobs.runtime.recompute.reruns import find_build, is_compared
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import RECOMPUTE
from jobs.runtime.streams.query import follow
from transforms import provenance
from transforms.gold.facts import FACT_SOURCES
from transforms.instants import EPOCH
from transforms.silver.scope import Scope

log = logging.getLogger(__name__)


EVERYTHING = Scope()


def generation_of(
    lake: Lake, judge: Judge, settings: Settings, bronze_version: int, scope: Scope
) -> Lake | None:
    """Build and compare a generation from a version of bronze, unless an earlier run has done so.

    Args:
        lake: the live generation.
        judge: judge of bronze records.
        settings: settings of all jobs.
        bronze_version: Delta version of bronze.events to build from.
        scope: events to judge again.

    Returns:
        The generation; None if readers were already switched to it.

    Raises:
        DataError: a difference from the live generation is unexplained.
    """
    done = find_build(lake, bronze_version, _definition_of(judge, scope))
    if done is None:
        new = next_generation(lake, judge, settings, bronze_version, scope)
    elif Action.SWITCHED in done.actions:
        log.info("generation %d is of that run, and was switched to: nothing to do", done.number)
        return None
    else:
        log.info("generation %d is of that run", done.number)
        new = lake.of_generation(done.number)
    if not is_compared(lake, new.generation):
        refuse_unexplained(compare_generations(lake, new, settings))
    return new


def next_generation(
    lake: Lake,
    judge: Judge,
    settings: Settings,
    bronze_version: int | None = None,
    scope: Scope = EVERYTHING,
) -> Lake:
    """Build a generation in batch, or finish one whose build was killed, and let it catch up.

    Args:
        lake: the live generation.
        judge: judge of bronze records.
        settings: settings of refine, fold and attribute.
        bronze_version: Delta version of bronze.events to build from; None: the newest, or that of
            the unfinished build.
        scope: events to judge again.

    Returns:
        The new generation.

    Raises:
        SettingsError: the version does not exist or can no longer be read.
        DataError: an erasure is unfinished, or the unfinished build's version can no longer be
            read.
    """
    lake.ensure([BRONZE, *FACT_SOURCES])
    refuse_unfinished(lake, RECOMPUTE)
    began = time.monotonic()
    goal = _goal(lake, judge, bronze_version, scope)
    assert goal.bronze_version is not None
    new = lake.of_generation(goal.number)
    log.info(
        "building generation %d from %s at version %d", goal.number, BRONZE, goal.bronze_version
    )
    if scope == EVERYTHING:
        events = build_silver(new, judge, settings.refine, goal.bronze_version)
    else:
        events = build_part(lake, new, judge, settings.refine, goal.bronze_version, scope)
    catch_up(new, judge, settings)
    for table, remake in REMADE.items():
        if lake.has(table) and not lake.read(table).isEmpty():
            remake(new, settings)
    carry_over(lake, new, goal.bronze_version)
    if Action.BUILT not in goal.actions:
        seconds = time.monotonic() - began
        record_action(lake, goal.number, Action.BUILT, events=events, seconds=seconds)
    return new


def catch_up(lake: Lake, judge: Judge, settings: Settings) -> None:
    """Run refine and fold through what bronze holds now; the first fold builds gold in batch."""
    with refining(lake, judge, settings.refine, available_now=True) as run:
        follow(run)
    with folding(lake, settings.fold, available_now=True) as run:
        follow(run)
    compact(lake)


def _remake_profiles(lake: Lake, _: Settings) -> None:
    """Rebuild gold.user_profile."""
    with build_profiles(lake, None) as rows:
        store_profiles(lake, rows)


def _remake_attribution(lake: Lake, settings: Settings) -> None:
    """Run the attribute query through what silver holds now."""
    known = load_definitions()
    with attributing(lake, settings.attribute, known, available_now=True) as run:
        follow(run)


# tables of optional jobs: built where the live generation has rows
REMADE: Mapping[str, Callable[[Lake, Settings], None]] = {
    USER_PROFILE: _remake_profiles,
    EXPERIMENT_USER: _remake_attribution,
}


def _definition_of(judge: Judge, scope: Scope) -> str:
    """The digest of a build's code, contracts, settings and scope, as stored in ops.generations."""
    return provenance.digest(build_definition(judge), scope.told())


def _goal(lake: Lake, judge: Judge, bronze_version: int | None, scope: Scope) -> Generation:
    """The unfinished build of the same definition, else a new one.

    An unfinished build of another definition is retired; a new one is recorded as begun.

    Raises:
        SettingsError: the version to build from does not exist or can no longer be read; nothing
            was recorded.
        DataError: the version of the unfinished build can no longer be read.
    """
    known, defined = generations(lake), _definition_of(judge, scope)
    last = known[max(known)]
    resumes = last.is_unfinished and last.definition == defined
    if resumes and bronze_version in (None, last.bronze_version):
        _refuse_hopeless(lake, last)
        log.info("going on with generation %d", last.number)
        return last
    newest = lake.version(BRONZE) if scope == EVERYTHING else read_whole_through(lake)
    version = newest if bronze_version is None else bronze_version
    if version != NOTHING:
        refuse_unreadable(lake, version, newest)
    if last.is_unfinished:
        record_action(lake, last.number, Action.RETIRED)
    number = last.number + 1
    record_action(
        lake,
        number,
        Action.BUILDING,
        bronze_version=version,
        ingested_through=ingested_through(lake, version) or EPOCH,
        definition=defined,
    )
    return generations(lake)[number]


def _refuse_hopeless(lake: Lake, unfinished: Generation) -> None:
    """Stop if the unfinished build's version of bronze can no longer be read.

    Raises:
        DataError: it cannot be read.
    """
    version = unfinished.bronze_version
    assert version is not None
    if not lake.can_read(BRONZE, version):
        raise DataError(
            f"generation {unfinished.number} was begun from version {version} of {BRONZE}, which "
            "can no longer be read: its build cannot end",
            f"give it up with python -m jobs.generations abandon {unfinished.number}, then "
            "recompute again",
        )
