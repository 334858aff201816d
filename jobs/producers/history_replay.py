"""Replay of a viewing history: rows to checked events, and an account of every row.

A row is sent whole or not at all: if one of its events breaks its contract, none is sent. Event ids
are made of the row's content, so the events of a second replay are recognised as duplicates of the
first within the duplicate horizon; neither the clock nor the mapping changes them.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Any

from jobs.producers.history_mapping import EventMaker, HistoryMapping
from jobs.producers.history_rows import content, rows_of
from jobs.producers.history_values import RefusedValueError, Row
from jobs.producers.records import Record, to_json
from jobs.runtime.settings import RefineSettings
from transforms.contracts.encoding import encode
from transforms.contracts.validation import violations

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:playhead:viewing-history")
ROWS_SHOWN = 3
DAY_S = 86_400


@dataclass
class Refusal:
    """The rows that were refused for one reason.

    Attributes:
        rows: how many.
        first: numbers of the first ROWS_SHOWN of them, from 1, the heading not counted.
        example: what the first of them holds.
    """

    rows: int = 0
    first: list[int] = field(default_factory=list)
    example: str = ""

    def add(self, number: int, example: str) -> None:
        """Count a row."""
        self.rows += 1
        self.example = self.example or example
        if len(self.first) < ROWS_SHOWN:
            self.first.append(number)


@dataclass
class Account:
    """What became of the rows read so far.

    Attributes:
        rows: rows read.
        events: events made, by type.
        copies: rows that say the same as an earlier one, and are no events again.
        silent: rows that no entry of the mapping applies to.
        refused: refused rows, by reason.
        oldest: event time of the oldest event, aware; None without events.
        newest: event time of the newest.
    """

    rows: int = 0
    events: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    silent: int = 0
    refused: dict[str, Refusal] = field(default_factory=dict)
    oldest: datetime | None = None
    newest: datetime | None = None

    @property
    def refused_rows(self) -> int:
        """How many rows were refused."""
        return sum(refusal.rows for refusal in self.refused.values())

    def refuse(self, number: int, reason: str, example: str) -> None:
        """Count a refused row."""
        self.refused.setdefault(reason, Refusal()).add(number, example)

    def accept(self, event: dict[str, Any]) -> None:
        """Count an event that is sent."""
        self.events[event["eventType"]] += 1
        at = datetime.fromisoformat(event["timestamp"])
        self.oldest = min(self.oldest or at, at)
        self.newest = max(self.newest or at, at)

    def lines(self, file: Path, bounds: RefineSettings, now: datetime) -> Iterator[str]:
        """The account in words; nothing if no row was read.

        Args:
            file: the file that was read.
            bounds: the event times that refine accepts.
            now: the present, about when the events arrive.
        """
        if not self.rows:
            return
        made = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.events.items()))
        yield f"{file}: {self.rows:,} rows, {self.events.total():,} events: {made or 'none'}"
        if self.copies:
            yield (
                f"rows equal to an earlier row, not sent again: {self.copies:,} -> if each is an "
                "event of its own, add a column that tells them apart"
            )
        if self.silent:
            yield f"rows for which no `when` of the mapping holds, so no events: {self.silent:,}"
        yield from self._refusals()
        yield from self._untimely(bounds, now)

    def _refusals(self) -> Iterator[str]:
        """The refused rows by reason, the most frequent first."""
        if self.refused:
            yield f"rows refused, nothing of them was sent: {self.refused_rows:,}"
        by_count = sorted(self.refused.items(), key=lambda each: -each[1].rows)
        for reason, refusal in by_count:
            places = ", ".join(map(str, refusal.first))
            more = " ..." if refusal.rows > len(refusal.first) else ""
            yield f"  {refusal.rows:,}  {reason}: {refusal.example} (row {places}{more})"

    def _untimely(self, bounds: RefineSettings, now: datetime) -> Iterator[str]:
        """What refine would quarantine for its time."""
        if self.oldest is None or self.newest is None:
            return
        days = ceil((now - self.oldest).total_seconds() / DAY_S)
        if days > bounds.oldest_event_days:
            yield (
                f"the oldest event is {days:,} days old, refine takes {bounds.oldest_event_days:,} "
                "-> before refine and recompute: "
                f"export PLAYHEAD_REFINE__OLDEST_EVENT_DAYS={days + 1}"
            )
        if (self.newest - now).total_seconds() > bounds.future_tolerance_s:
            yield (
                f"the newest event is of {self.newest:%Y-%m-%d %H:%M} UTC, in the future: refine "
                "will quarantine it -> correct the mapping's zone or format"
            )


class BrokenEventError(ValueError):
    """An event breaks its contract.

    Attributes:
        reason: event type, path and rule.
        message: the violation.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.message = message


class HistoryReplay:
    """Makes the records of a file's rows, and keeps the account.

    Args:
        file: the file.
        mapping: mapping of its rows.
        limit: number of rows to read; None: all.
    """

    def __init__(self, file: Path, mapping: HistoryMapping, limit: int | None = None) -> None:
        self.file = file
        self.mapping = mapping
        self.limit = limit
        self.account = Account()
        self._met: set[bytes] = set()

    def records(self) -> Iterator[Record]:
        """Yield the records of all rows, in order of the rows.

        Raises:
            SettingsError: the format is unknown, or the file lacks a column of the mapping.
            ServiceError: the file cannot be read.
        """
        for number, row in enumerate(rows_of(self.file, self.mapping), 1):
            self.account.rows = number
            try:
                if isinstance(row, RefusedValueError):
                    raise row
                yield from self._records_of(row)
            except RefusedValueError as error:
                self.account.refuse(number, error.problem, error.shown)
            except BrokenEventError as error:
                self.account.refuse(number, error.reason, error.message)
            if number == self.limit:
                return

    def _records_of(self, row: Row) -> list[Record]:
        """The records of a row: all of its events, or none.

        Raises:
            RefusedValueError: a cell cannot be read.
            BrokenEventError: an event breaks its contract.
        """
        text = content(row, self.mapping.file.identity)
        if not self._is_new(text):
            self.account.copies += 1
            return []
        made = [
            self._event(maker, row, text) for maker in self.mapping.makers if maker.applies(row)
        ]
        records = [record_of(maker, event) for maker, event in made]
        self.account.silent += not records
        sent = []
        for (maker, event), record in zip(made, records, strict=True):
            if not maker.once or self._is_new(f"{maker.name}/{event[maker.contract.key]}"):
                self.account.accept(event)
                sent.append(record)
        return sent

    def _event(self, maker: EventMaker, row: Row, text: str) -> tuple[EventMaker, dict[str, Any]]:
        """The event of a row with its eventId, beside its maker.

        Args:
            maker: maker of the event.
            row: the row.
            text: content of the row.

        Raises:
            RefusedValueError: a cell cannot be read.
        """
        try:
            event = maker.event(row)
        except RefusedValueError as error:
            error.problem = f"{maker.contract.event_type}: {error.problem}"
            raise
        about = to_json(event.get(maker.contract.key)) if maker.once else text
        event.setdefault("eventId", str(uuid.uuid5(NAMESPACE, f"{maker.name}/{about}")))
        return maker, event

    def _is_new(self, text: str) -> bool:
        """Whether a text was not met before; it is from now on."""
        digest = blake2b(text.encode(), digest_size=16).digest()
        if digest in self._met:
            return False
        self._met.add(digest)
        return True


def record_of(maker: EventMaker, event: dict[str, Any]) -> Record:
    """Check an event by its contract, and encode it.

    Most events are proven valid by the pattern of canonical texts, many times faster than by the
    validation, which says what is wrong with the others.

    Args:
        maker: maker of the event.
        event: event with no members but those that its contract declares.

    Raises:
        BrokenEventError: the event breaks the contract.
    """
    contract = maker.contract
    value = encode(contract, event)
    if maker.canonical.match(value.decode()) is None:
        for violation in violations(contract, event):
            reason = f"{contract.event_type} {violation.path} ({violation.rule})"
            raise BrokenEventError(reason, violation.message)
    return Record(contract.topics[0], str(event[contract.key]).encode(), value)
