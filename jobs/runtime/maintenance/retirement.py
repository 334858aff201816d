"""Retirement: delete generations that are no longer needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from filelock import Timeout

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.generations import (
    Action,
    Generation,
    action_rows,
    append_action,
    generations,
    lock_log,
)
from jobs.runtime.lake.lake import FIRST_GENERATION, Lake
from jobs.runtime.lake.locks import lock_of, run_alone
from jobs.runtime.lake.tables import GENERATIONS
from jobs.runtime.streams.queries import OF_A_GENERATION, RECOMPUTE
from transforms.instants import instant_of


def retire(lake: Lake, *, keep: int, unread_h: float) -> list[int]:
    """Delete old generations; a repeat finishes a deletion that was killed.

    Never the live one, nor one that is being built, streamed into, or was opened or live within
    `unread_h` hours.

    Args:
        lake: any generation of the lake.
        keep: number of the newest complete generations that stay besides the live one.
        unread_h: hours that a generation must have been unused.

    Returns:
        The numbers of all retired generations, of earlier runs too.

    Raises:
        DataError: a stream is running on a generation to be deleted.
    """
    lake.ensure([GENERATIONS])
    with lock_log(lake):
        known, live = generations(lake), lake.live()
        others = [g for g in known.values() if g.number != live and not g.is_retired]
        complete = [g for g in others if g.is_complete][: -keep or None]
        before = datetime.now(UTC) - timedelta(hours=unread_h)
        old = [g for g in complete if _last_used(lake, g) < before]
        for generation in old:
            with _streams_stopped(lake, generation.number):
                append_action(lake, generation.number, Action.RETIRED, {})
        gone = [g.number for g in generations(lake).values() if g.is_retired]
    for number in gone:
        lake.of_generation(number).remove_generation()
    return gone


def abandon(lake: Lake, number: int) -> None:
    """Retire a batch build that has begun and not ended, and delete its files.

    Args:
        lake: any generation of the lake.
        number: number of the generation.

    Raises:
        SettingsError: the generation is no unfinished build.
        DataError: a recompute is running.
    """
    with run_alone(lake.shared_checkpoint(RECOMPUTE), RECOMPUTE), lock_log(lake):
        known = generations(lake)
        if number not in known or not known[number].is_unfinished:
            unfinished = [str(each.number) for each in known.values() if each.is_unfinished]
            raise SettingsError(
                f"generation {number} is no unfinished build",
                f"unfinished: {', '.join(unfinished) or 'none'}",
            )
        lake.ensure([GENERATIONS])  # columns that an older playhead did not write
        append_action(lake, number, Action.RETIRED, {})
    lake.of_generation(number).remove_generation()


@contextmanager
def _streams_stopped(lake: Lake, generation: int) -> Iterator[None]:
    """Hold the locks of a generation's streams for the time of the block.

    Raises:
        DataError: one of the streams is running.
    """
    with ExitStack() as stack:
        for query in OF_A_GENERATION:
            where = lake.of_generation(generation).checkpoint(query)
            try:
                stack.enter_context(lock_of(where, timeout_s=0))
            except Timeout:
                raise DataError(
                    f"generation {generation}: {query} is running on it", "stop that job first"
                ) from None
        yield


def _last_used(lake: Lake, generation: Generation) -> datetime:
    """The UTC instant at which a generation was last read, built or live."""
    never = datetime.min.replace(tzinfo=UTC)
    left = _switched_away_at(action_rows(lake), generation.number)
    read = lake.of_generation(generation.number).address.last_read()
    return max([*generation.actions.values(), left or never, read or never])


def _switched_away_at(rows: Sequence[Any], number: int) -> datetime | None:
    """The UTC instant at which readers were last switched away from a generation.

    Args:
        rows: rows of ops.generations, oldest first.
        number: number of the generation.

    Returns:
        The instant; None if readers were never switched away from it.
    """
    switches = [row for row in rows if row["action"] == Action.SWITCHED]
    live = [FIRST_GENERATION, *(row["generation"] for row in switches)]
    left = [instant_of(row["at"]) for was, row in zip(live, switches, strict=False)
            if was == number]  # fmt: skip
    return left[-1] if left else None
