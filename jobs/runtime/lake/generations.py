"""Generations: the builds of silver and gold in a lake, and which one is live.

ops.generations is a log; its newest switch names the live generation. A switch is one commit, and
so is switching back. A reader that has opened a generation stays on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import FIRST_GENERATION, Lake, open_lake
from jobs.runtime.lake.locks import wait_for_lock
from jobs.runtime.lake.tables import GENERATIONS, TABLES
from jobs.runtime.settings import Settings
from transforms.instants import instant_of

LOG = "generations"


LOCK_S = 60.0


class Action(StrEnum):
    """What happened to a generation."""

    BUILDING = "building"  # the batch build began
    BUILT = "built"  # it is complete, gold included
    FOLDED = "folded"  # its gold is made by these declarations from now on
    SWITCHED = "switched"  # it became the live one
    RETIRED = "retired"  # it may be deleted and can no longer be switched to


@dataclass(frozen=True)
class Generation:
    """The state of a generation, from the log.

    Attributes:
        number: number of the generation, from 1.
        actions: time (UTC) of the last occurrence of each action, in the order of the log.
        bronze_version: version of bronze.events that the batch build read; None if the generation
            was streamed from the start.
        ingested_through: last ingest time in that version, UTC, the epoch if it has no rows; None
            without a batch build, or if an older playhead began it.
        definition: digest of what determines the batch build's result; None without a batch build.
        folds: digest of the declaration that each fold's gold was made by, by fold.
    """

    number: int
    actions: Mapping[str, datetime]
    bronze_version: int | None
    ingested_through: datetime | None
    definition: str | None
    folds: Mapping[str, str]

    @property
    def is_complete(self) -> bool:
        """Whether readers may be switched to it."""
        built = self.bronze_version is None or Action.BUILT in self.actions
        return built and not self.is_retired

    @property
    def is_unfinished(self) -> bool:
        """Whether its batch build has begun, and is neither completed nor retired."""
        begun = self.bronze_version is not None and Action.BUILT not in self.actions
        return begun and not self.is_retired

    @property
    def is_retired(self) -> bool:
        """Whether it is deleted or about to be."""
        return Action.RETIRED in self.actions


def record_action(lake: Lake, generation: int, action: Action, **details: Any) -> None:
    """Append an action to the log.

    Args:
        lake: the lake, at any generation.
        generation: number of the generation.
        action: what happened to it.
        details: values of further columns of ops.generations.

    Raises:
        DataError: another process has held the log's lock for LOCK_S seconds.
    """
    lake.ensure([GENERATIONS])
    with lock_log(lake):
        append_action(lake, generation, action, details)


def generations(lake: Lake) -> dict[int, Generation]:
    """The state of all generations, by number.

    Returns:
        At least FIRST_GENERATION, which exists before the log does.
    """
    rows = action_rows(lake)
    numbers = sorted({FIRST_GENERATION} | {row["generation"] for row in rows})
    return {number: _generation_of(number, rows) for number in numbers}


def switch(lake: Lake, generation: int) -> None:
    """Make a generation the live one, for every reader that opens the lake later, in one commit.

    Raises:
        SettingsError: the generation does not exist or is not complete.
        DataError: another process has held the log's lock for LOCK_S seconds.
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
    """Follow the live generation from switch to switch.

    Args:
        app: name of the Spark session.
        settings: settings of the lake and of Spark; lake.generation pins a generation.

    Yields:
        The lake at its live generation, and again after each switch; only once if it is pinned.
    """
    while True:
        lake = open_lake(app, settings)
        yield lake
        if not Superseded(lake)():
            return


class Superseded:
    """A cheap, repeatable check whether readers were switched to another generation."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._seen = lake.switches

    def __call__(self) -> bool:
        """Whether another generation is live, by a switch since the last call.

        Returns:
            False at each call for a pinned lake.
        """
        lake = self._lake
        switches = None if lake.pinned else lake.newest_switches()
        if switches == self._seen:
            return False
        self._seen = switches
        return lake.live() != lake.generation


def action_rows(lake: Lake) -> Sequence[Any]:
    """The rows of ops.generations, oldest first, none if the table does not exist.

    Returns:
        Rows with the declared columns, instants in microseconds since 1970.
    """
    if not lake.has(GENERATIONS):
        return []
    rows = lake.read_declared(GENERATIONS)
    instants = {name: F.unix_micros(name) for name in ("at", "ingested_through")}
    return rows.withColumns(instants).orderBy("sequence").collect()


def _generation_of(number: int, rows: Sequence[Any]) -> Generation:
    """The state of one generation, from the rows of the log in order."""
    own = [row for row in rows if row["generation"] == number]
    builds = [row for row in own if row["action"] == Action.BUILDING]
    through = builds[-1]["ingested_through"] if builds else None
    folds = [row["folds"] for row in own if row["folds"]]
    return Generation(
        number,
        {row["action"]: instant_of(row["at"]) for row in own},
        builds[-1]["bronze_version"] if builds else None,
        None if through is None else instant_of(through),
        builds[-1]["definition"] if builds else None,
        folds[-1] if folds else {},
    )


def append_action(lake: Lake, generation: int, action: Action, details: Mapping[str, Any]) -> None:
    """Append an action as `record_action` does, for callers that hold `lock_log`.

    Args:
        lake: the lake, at any generation; ops.generations exists.
        generation: number of the generation.
        action: what happened to it.
        details: values of further columns of ops.generations.
    """
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
    """Hold the log's lock, so that no other process writes to the log during the block.

    Raises:
        DataError: another process has held the lock for LOCK_S seconds.
    """
    with wait_for_lock(lake.shared_checkpoint(LOG), GENERATIONS, LOCK_S):
        yield
