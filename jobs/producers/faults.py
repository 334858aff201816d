"""Faults on request, in shares of the events, and the truth about what was sent.

An event has at most one fault. A share is that of the events that can have the fault, so
old_versions=0.1 means a tenth of the playback starts. Faults are drawn apart from the events, so
the events themselves are the same with and without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from jobs.producers.fault_kinds import FAULT_KINDS, SOUND, Deliveries, Draw, FaultKind
from jobs.producers.records import ROUTES, Record
from jobs.runtime.errors import SettingsError

WAYS = Counter(affliction.fault for affliction in FAULT_KINDS)

STREAM = 3  # apart from those of jobs.producers.population


class Lot(NamedTuple):
    """What befalls one event: an index of AFFLICTIONS or SOUND, and a chance in [0, 1)."""

    code: int
    chance: float


@dataclass(frozen=True)
class Faults:
    """How often each fault happens.

    Args:
        shares: share of the events in [0, 1] by the fault's name; they sum to at most 1.
        seed: which events it hits.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def parse(cls, text: str, seed: int) -> Faults:
        """Read `name=share,name=share`; the empty text is no faults.

        Raises:
            SettingsError: a name is unknown, or a share is not a number from 0 to 1.
        """
        shares = dict(_parse_share(part) for part in text.split(",") if part)
        if sum(shares.values()) > 1:
            raise SettingsError(
                f"--faults {text}: the shares sum to more than 1", "an event has one fault at most"
            )
        return cls(shares, seed)

    def draw(self, event_types: Sequence[str], chunk: int) -> list[Lot]:
        """The lot of each event of a chunk; it depends on seed, chunk and event types only."""
        rng = np.random.default_rng([self.seed, chunk, STREAM])
        shares = [self.shares.get(each.fault, 0.0) / WAYS[each.fault] for each in FAULT_KINDS]
        which, how = rng.random((2, len(event_types)))
        codes = np.searchsorted(np.cumsum(shares), which, side="right").tolist()
        return [
            Lot(code if _can_have(event_type, code) else SOUND, chance)
            for event_type, code, chance in zip(event_types, codes, how.tolist(), strict=True)
        ]


def _parse_share(part: str) -> tuple[str, float]:
    name, _, number = part.partition("=")
    if name not in WAYS:
        raise SettingsError(f"--faults: unknown fault '{name}'", f"use: {', '.join(WAYS)}")
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SettingsError(
            f"--faults: {name} has the share '{number}'", "write a number from 0 to 1, as 0.02"
        )
    return name, share


def _can_have(event_type: str, code: int) -> bool:
    return code == SOUND or FAULT_KINDS[code].only in (None, event_type)


def deliver(sound: Iterable[Record], lots: Iterable[Lot], until: int) -> list[Record]:
    """What is sent of a chunk of sound records once their faults have befallen them, in order.

    Args:
        sound: the records of the chunk's events, in order.
        lots: the lot of each, as `Faults.draw` gave them.
        until: the last instant of the whole run, in microseconds since 1970.
    """
    deliveries: Deliveries = []
    for position, (record, lot) in enumerate(zip(sound, lots, strict=True)):
        if lot.code == SOUND:
            deliveries.append((position, record))
        else:
            sent = FAULT_KINDS[lot.code].deliver(record, Draw(lot.chance, until))
            deliveries.extend((position + delay, one) for delay, one in sent)
    return [record for _, record in sorted(deliveries, key=itemgetter(0))]


@dataclass
class Truth:
    """What is sent, and how the pipeline must dispose of it.

    Attributes:
        produced: records by event type, repeats and broken ones included.
        silver: events by silver table.
        quarantined: records by reason.
        duplicates: records that repeat another.
        faults: events by fault.
    """

    produced: Counter[str] = field(default_factory=Counter)
    silver: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, event_types: Iterable[str], lots: Iterable[Lot]) -> None:
        """Count a chunk of events with their lots."""
        kinds = Counter(zip(event_types, (lot.code for lot in lots), strict=True))
        for (event_type, code), count in kinds.items():
            if code == SOUND:
                self.produced[event_type] += count
                self.silver[ROUTES[event_type].family] += count
            else:
                self._add_afflicted(event_type, FAULT_KINDS[code], count)

    def _add_afflicted(self, event_type: str, affliction: FaultKind, count: int) -> None:
        self.faults[affliction.fault] += count
        self.produced[event_type] += count * (1 + affliction.duplicates)
        self.duplicates += count * affliction.duplicates
        if affliction.reason is None:
            self.silver[ROUTES[event_type].family] += count
        else:
            self.quarantined[affliction.reason] += count

    @property
    def records(self) -> int:
        """How many records are sent in all."""
        return sum(self.produced.values())

    def as_json(self) -> dict[str, Any]:
        """The truth as a JSON object, names sorted."""
        return {
            "records": self.records,
            "produced": dict(sorted(self.produced.items())),
            "silver": dict(sorted(self.silver.items())),
            "quarantined": dict(sorted(self.quarantined.items())),
            "duplicates": self.duplicates,
            "faults": dict(sorted(self.faults.items())),
        }
