"""Generations: the builds of silver and gold that a lake holds, and which one readers see.

ops.generations is a log; its newest switch says which generation is live. A switch is one commit,
and so is switching back. Who has opened a generation keeps reading it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from filelock import Timeout

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import FIRST_GENERATION, Lake, open_lake
from jobs.runtime.lake.locks import lock_of
from jobs.runtime.lake.tables import GENERATIONS, TABLES
from jobs.runtime.settings import Settings

LOG = "generations"


LOCK_S = 60.0


class Action(StrEnum):
    """What happened to a generation."""

    BUILDING = "building"  # the batch build began
    BUILT = "built"  # it is complete, gold included
    FOLDED = "folded"  # its gold is, from now on, by these declarations
    SWITCHED = "switched"  # readers see it
    RETIRED = "retired"  # it may be deleted, and nobody can switch to it


@dataclass(frozen=True)
class Generation:
    """What the log says of a generation.

    Attributes:
        number: from 1.
        actions: what happened to it, in order, with the time of the last of each.
        bronze_version: the version of bronze.events from which it was built in batch; None if it
            was streamed from the start.
        definition: a digest of what the batch build was made by; None without one.
        folds: the digest of each fold's declaration by which its gold was made.
    """

    number: int
    actions: Mapping[str, datetime]
    bronze_version: int | None
    definition: str | None
    folds: Mapping[str, str]

    @property
    def is_complete(self) -> bool:
        """May readers be switched to it?"""
        built = self.bronze_version is None or Action.BUILT in self.actions
        return built and not self.is_retired

    @property
    def is_unfinished(self) -> bool:
        """Was its batch build begun, and neither completed nor given up?"""
        begun = self.bronze_version is not None and Action.BUILT not in self.actions
        return begun and not self.is_retired

    @property
    def is_retired(self) -> bool:
        """Is it deleted, or about to be?"""
        return Action.RETIRED in self.actions


def record_action(lake: Lake, generation: int, action: Action, **details: Any) -> None:
    """Add a row to the log.

    Args:
        lake: any generation of it.
        generation: whose row.
        action: what happened.
        details: further columns of ops.generations.
    """
    lake.ensure([GENERATIONS])
    with lock_log(lake):
        append_action(lake, generation, action, details)


def generations(lake: Lake) -> dict[int, Generation]:
    """All generations by number; the first one is there before the log is."""
    rows = action_rows(lake)
    numbers = sorted({FIRST_GENERATION} | {row["generation"] for row in rows})
    return {number: _generation_of(number, rows) for number in numbers}


def switch(lake: Lake, generation: int) -> None:
    """Let every reader that opens the lake from now on see a generation; one commit.

    Raises:
        SettingsError: there is no such generation, or it is not complete.
    """
    lake.ensure([GENERATIONS])
    with lock_log(lake):
        known = generations(lake)
        if generation not in known or not known[generation].is_complete:
            ready = ", ".join(str(g.number) for g in known.values() if g.is_complete)
            raise SettingsError(
                f"generation {generation} is not complete", f"switch to one of: {ready}"
            )
        append_action(lake, generation, Action.SWITCHED, {})


def live_lakes(app: str, settings: Settings) -> Iterator[Lake]:
    """The lake at its live generation, and again after each switch; once if it is pinned.

    Args:
        app: the name of the session.
        settings: lake.generation pins.
    """
    while True:
        lake = open_lake(app, settings)
        yield lake
        if not Superseded(lake)():
            return


class Superseded:
    """Asks whether readers have been switched away from a lake's generation; cheap to repeat."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._seen = lake.switches

    def __call__(self) -> bool:
        """Is another generation live? Never, for a lake that is pinned."""
        lake = self._lake
        switches = None if lake.pinned else lake.newest_switches()
        if switches == self._seen:
            return False
        self._seen = switches
        return lake.live() != lake.generation


def action_rows(lake: Lake) -> Sequence[Any]:
    """The rows of ops.generations, oldest first; none before the log is."""
    if not lake.has(GENERATIONS):
        return []
    return lake.read(GENERATIONS).orderBy("sequence").collect()


def _generation_of(number: int, rows: Sequence[Any]) -> Generation:
    own = [row for row in rows if row["generation"] == number]
    builds = [row for row in own if row["action"] == Action.BUILDING]
    folds = [row["folds"] for row in own if row["folds"]]
    return Generation(
        number,
        {row["action"]: row["at"].astimezone(UTC) for row in own},
        builds[-1]["bronze_version"] if builds else None,
        builds[-1]["definition"] if builds else None,
        folds[-1] if folds else {},
    )


def append_action(lake: Lake, generation: int, action: Action, details: Mapping[str, Any]) -> None:
    """As `record_action`, for who holds `lock_log` and knows that the log is there."""
    _, last = lake.transaction(GENERATIONS, LOG)
    sequence = 0 if last is None else last + 1
    row = {"sequence": sequence, "generation": generation, "action": str(action), **details}
    row["at"] = datetime.now(UTC)
    schema = TABLES[GENERATIONS].schema
    values = tuple(row.get(name) for name in schema.fieldNames())
    rows = lake.spark.createDataFrame([values], schema).coalesce(1)
    lake.append(GENERATIONS, rows, Transaction(LOG, sequence))


@contextmanager
def lock_log(lake: Lake) -> Iterator[None]:
    """Keep others from writing to the log for the time of the block.

    Raises:
        DataError: somebody else has held the lock for LOCK_S seconds.
    """
    lock = lock_of(lake.shared_checkpoint(LOG), timeout_s=LOCK_S)
    try:
        with lock:
            yield
    except Timeout:
        raise DataError(
            f"{GENERATIONS}: another process has held {lock.lock_file} for {LOCK_S:.0f} s",
            "wait for the retirement or switch that is running, then try again",
        ) from None
