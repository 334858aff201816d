"""Processes that write versioned values in any order, more than once, and are killed meanwhile."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from jobs.runtime.online.values import Write

BATCH = 1_000
REPLAYED = 5  # batches that a writer that was killed sends again
PAUSE_S = 0.001  # between reads: the writers are to have the machine
HOUR = 3_600
SECOND = 1_000_000
FEATURES = {"last_watched_genre": "Drama", "device_type": "smart_tv", "content_type": "movie"}

StoreFactory = Callable[[], Any]


@dataclass(frozen=True)
class Workload:
    """Writes of some writers, each of which draws from the same events.

    Attributes:
        now: instant that event times lie up to two hours before, in seconds since the epoch.
        events: how many there are.
        keys: how many keys they are about.
        writes: how many each writer sends, kills not counted.
        writers: how many.
    """

    now: int
    events: int
    keys: int
    writes: int
    writers: int = 4

    def stream(self, writer: int) -> Iterator[Write]:
        """The writes of one writer, the same at each call."""
        chosen = random.Random(writer)
        for _ in range(self.writes):
            yield self.event(chosen.randrange(self.events))

    def event(self, number: int) -> Write:
        """One event; of two kinds, every sixteenth a deletion, and some at the same instant."""
        mixed = number * 0x9E3779B97F4A7C15 % 2**64
        key, kind = f"user_{number % self.keys}", ("features", "assignment")[mixed >> 63]
        at = self.now * SECOND - mixed % (2 * HOUR * SECOND // 64) * 64
        document = None if mixed >> 16 & 15 == 0 else json.dumps({**FEATURES, "n": number})
        ttl_s = HOUR if kind == "features" else None
        return Write(key, kind, at, f"{mixed:016x}", document, ttl_s)

    def all_writes(self) -> Iterator[Write]:
        """What all writers send."""
        return chain.from_iterable(map(self.stream, range(self.writers)))


@dataclass
class Outcome:
    """What was seen while the writers wrote.

    Attributes:
        kills: how many writers were killed.
        reads: how often a value was read meanwhile.
        stale: reads that found an older version than one before had found.
    """

    kills: int = 0
    reads: int = 0
    stale: int = 0
    seen: dict[tuple[str, str], tuple[int, bytes]] = field(default_factory=dict)

    def look(self, store: Any, key: str, kind: str) -> None:
        """Read a value, and compare its version with the one found before."""
        found = store.get(key, kind)
        version = (-1, b"") if found is None else (found.event_time, found.event_id.encode())
        self.reads += 1
        self.stale += version < self.seen.get((key, kind), version)
        self.seen[key, kind] = version


def write_all(workload: Workload, open_store: StoreFactory, kills: int, seed: int = 0) -> Outcome:
    """Run the writers to their ends, kill some with SIGKILL on the way, and read meanwhile.

    Args:
        workload: what they write.
        open_store: function that opens the store, in each process.
        kills: how many times a writer is killed.
        seed: of what is killed when, and read.
    """
    chosen, outcome, store = random.Random(seed), Outcome(), open_store()
    running = [_Writer(workload, open_store, number) for number in range(workload.writers)]
    batches = workload.writers * workload.writes // BATCH
    kill_at = sorted(chosen.sample(range(batches), kills))
    while any(writer.is_running for writer in running):
        outcome.look(store, f"user_{chosen.randrange(workload.keys)}", "features")
        time.sleep(PAUSE_S)
        if kill_at and sum(writer.done for writer in running) >= kill_at[0]:
            kill_at.pop(0)
            outcome.kills += chosen.choice(running).kill()
    assert all(writer.succeeded for writer in running)
    return outcome


class _Writer:
    """One process at a time that writes a stream on, from a little before where it was killed."""

    def __init__(self, workload: Workload, open_store: StoreFactory, number: int) -> None:
        self._arguments = (workload, open_store, number)
        self._progress = multiprocessing.get_context("spawn").RawValue(ctypes.c_long, 0)
        self._start(0)

    def _start(self, batch: int) -> None:
        arguments = (*self._arguments, batch, self._progress)
        self._process = multiprocessing.get_context("spawn").Process(target=_write, args=arguments)
        self._process.start()

    @property
    def done(self) -> int:
        """How many batches were acknowledged."""
        return int(self._progress.value)

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    @property
    def succeeded(self) -> bool:
        return self._process.exitcode == 0

    def kill(self) -> bool:
        """Kill it and start it again, if it runs; has it been killed?"""
        self._process.kill()
        self._process.join()
        if self.succeeded:
            return False
        self._start(max(0, self.done - REPLAYED))
        return True


def _write(
    workload: Workload, open_store: StoreFactory, number: int, batch: int, progress: Any
) -> None:
    store = open_store()
    stream = islice(workload.stream(number), batch * BATCH, None)
    while writes := list(islice(stream, BATCH)):
        store.apply(writes)
        batch += 1
        progress.value = batch


def differences(found: Sequence[Any], expected: Sequence[Any]) -> int:
    """How many of the values differ, field by field."""
    fields = ("document", "event_time", "event_id", "expires_at", "is_expired")
    return sum(
        any(getattr(one, name) != getattr(other, name) for name in fields)
        for one, other in zip(found, expected, strict=True)
    )
