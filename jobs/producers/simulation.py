"""A run of the simulator: a population, a clock and faults, made chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.producers.event_json import record_of_scene
from jobs.producers.faults import Faults, Truth, deliver
from jobs.producers.population import CHUNK, Population
from jobs.producers.records import Record


@dataclass(frozen=True)
class Clock:
    """The event times of a run: number i at `start + i * step`, in microseconds since 1970.

    Attributes:
        start: time of the first event, in microseconds since 1970.
        step: microseconds between two events.
    """

    start: int
    step: float

    def at(self, numbers: range) -> list[str]:
        """The event times of some events, RFC 3339 in UTC, to the millisecond."""
        micros = self.start + (np.array(numbers) * self.step).astype(np.int64)
        instants = np.datetime_as_string(micros.astype("M8[us]"), "ms", timezone="UTC")
        return [str(instant) for instant in instants.tolist()]


@dataclass(frozen=True)
class Simulation:
    """A run; it determines every byte that is sent.

    Args:
        population: users and titles.
        events: number of events, before faults.
        clock: event times.
        faults: shares of the faults.
    """

    population: Population
    events: int
    clock: Clock
    faults: Faults

    @property
    def chunks(self) -> int:
        """The number of chunks; all but the last are full."""
        return -(-self.events // CHUNK)

    @property
    def until(self) -> int:
        """The instant at which the last event has happened, in microseconds since 1970."""
        return self.clock.start + int(self.events * self.clock.step)

    def records(self, chunk: int) -> list[Record]:
        """The records sent for a chunk, faults included, in order."""
        numbers = self._numbers(chunk)
        event_types = self.population.event_types(chunk)[: len(numbers)]
        scenes = self.population.scenes(chunk)
        sound = (
            record_of_scene(scene, at, f"{self.population.name}.{scene.number}")
            for at, scene in zip(self.clock.at(numbers), scenes, strict=False)
        )
        return deliver(sound, self.faults.draw(event_types, chunk), self.until)

    def truth(self) -> Truth:
        """The ground truth of all chunks, computed without making an event."""
        told = Truth()
        for chunk in range(self.chunks):
            event_types = self.population.event_types(chunk)[: len(self._numbers(chunk))]
            told.add(event_types, self.faults.draw(event_types, chunk))
        return told

    def _numbers(self, chunk: int) -> range:
        """The numbers of a chunk's events in the whole run."""
        return range(chunk * CHUNK, min((chunk + 1) * CHUNK, self.events))
