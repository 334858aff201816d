"""Faults on request, in shares of the events, and the ground truth about what was sent.

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

STREAM = 3  # random stream, apart from those of jobs.producers.population


class Lot(NamedTuple):
    """The fault drawn for one event.

    Attributes:
        code: index of FAULT_KINDS, or SOUND for no fault.
        chance: chance in [0, 1) that determines the fault's form.
    """

    code: int
    chance: float


@dataclass(frozen=True)
class Faults:
    """The share of events with each fault.

    Args:
        shares: share of the events in [0, 1], by name of the fault; they sum to at most 1.
        seed: seed of the draw.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def parse(cls, text: str, seed: int) -> Faults:
        """Parse `name=share,name=share`; the empty text means no faults.

        Args:
            text: text of the option --faults.
            seed: seed of the draw.

        Raises:
            SettingsError: a name is unknown, a share is not a number from 0 to 1, or the shares sum
                to more than 1.
        """
        shares = dict(_parse_share(part) for part in text.split(",") if part)
        if sum(shares.values()) > 1:
            raise SettingsError(
                f"--faults {text}: the shares sum to more than 1", "an event has one fault at most"
            )
        return cls(shares, seed)

    def draw(self, event_types: Sequence[str], chunk: int) -> list[Lot]:
        """Draw the fault of each event of a chunk.

        Args:
            event_types: event types of the chunk's events, in order.
            chunk: number of the chunk.

        Returns:
            One lot for each event; it depends on shares, seed, chunk and event types only.
        """
        rng = np.random.default_rng([self.seed, chunk, STREAM])
        shares = [self.shares.get(each.fault, 0.0) / WAYS[each.fault] for each in FAULT_KINDS]
        which, how = rng.random((2, len(event_types)))
        codes = np.searchsorted(np.cumsum(shares), which, side="right").tolist()
        return [
            Lot(code if _can_have(event_type, code) else SOUND, chance)
            for event_type, code, chance in zip(event_types, codes, how.tolist(), strict=True)
        ]


def _parse_share(part: str) -> tuple[str, float]:
    """The name and share of one `name=share`.

    Raises:
        SettingsError: the name is unknown, or the share is not a number from 0 to 1.
    """
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
    """Whether an event of a type can have the fault of a code."""
    return code == SOUND or event_type in (FAULT_KINDS[code].only or (event_type,))


def deliver(sound: Iterable[Record], lots: Iterable[Lot], until: int) -> list[Record]:
    """The records sent for a chunk of sound records, with their faults, in order.

    Args:
        sound: records of the chunk's events, in order.
        lots: lot of each event, from `Faults.draw`.
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
    """The ground truth: what is sent, and where the pipeline must put it.

    Attributes:
        produced: number of records, by event type; repeats and broken ones included.
        silver: number of events, by family, such as `playback`.
        quarantined: number of records, by reason.
        duplicates: number of records that repeat another.
        faults: number of events, by fault.
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
        """Count some events of one type and one kind of fault."""
        self.faults[affliction.fault] += count
        self.produced[event_type] += count * (1 + affliction.duplicates)
        self.duplicates += count * affliction.duplicates
        if affliction.reason is None:
            self.silver[ROUTES[event_type].family] += count
        else:
            self.quarantined[affliction.reason] += count

    @property
    def records(self) -> int:
        """The number of records sent in all."""
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
