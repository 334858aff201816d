"""Values by key and kind in an online store, each with a version that an older write never passes.

A version is a place in the total order of events: event time, then event_id byte by byte. Writes
may arrive in any order, more than once and from any number of writers: what a key and kind then
hold is what the greatest version wrote. A deletion is a version too. So a batch can be sent again
whole whenever it is in doubt.

A value expires `ttl_s` after its event time, not after it was written: a replay makes nothing
fresh. Its version outlives it by the replay horizon, so that nothing older comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, Protocol

from jobs.runtime.errors import DataError

SECOND = 1_000_000  # microseconds
BEYOND = 9_214_646_400 * SECOND  # the first instant after the year 2261
AHEAD_S = 86_400  # an event time further ahead of the clock would hold its key against all others
LONGEST_ID = 1_024  # bytes
LONGEST_TTL_S = BEYOND // SECOND
SWEEP = 1_000
EVENT_TIME = Struct(">Q")  # big-endian: bytes compare as the numbers do


class Write(NamedTuple):
    """One compare-and-set.

    Attributes:
        key: what the value is about, such as a user's id; its kinds are forgotten together.
        kind: what is said of it, such as `features`.
        event_time: event time of the version, in microseconds since 1970.
        event_id: event_id of the version. A version names one document for good.
        document: value, as JSON text; None deletes the value.
        ttl_s: seconds after the event time at which the value expires; None: never.
    """

    key: str
    kind: str
    event_time: int
    event_id: str
    document: str | None
    ttl_s: int | None = None


@dataclass(frozen=True)
class StoredValue:
    """The newest version of a key and kind.

    Attributes:
        document: value, as JSON text; None: it was deleted.
        event_time: event time of the version, in microseconds since 1970.
        event_id: event_id of the version.
        expires_at: instant of expiry, in microseconds since 1970; None: never.
        is_expired: whether that had passed when it was read.
    """

    document: str | None
    event_time: int
    event_id: str
    expires_at: int | None
    is_expired: bool


class ValueStore(Protocol):
    """A store of versioned values. Every method raises StoreError if it cannot be reached."""

    def get(self, key: str, kind: str) -> StoredValue | None:
        """Read the newest version of a key and kind; None if there is none."""

    def apply(self, writes: Sequence[Write]) -> int:
        """Write each value unless an equal or greater version is there, each atomically.

        After an error any part of the writes may be in the store: send all of them again.

        Args:
            writes: values in any order; of several for a key and kind the greatest version stays.

        Returns:
            The number of values written; of a batch that was sent again, by the last time.

        Raises:
            DataError: a write that no store takes; nothing is written.
        """

    def sweep(self, limit: int = SWEEP) -> int:
        """Evict versions that have outlived their values by the replay horizon.

        Args:
            limit: greatest number of versions to evict.

        Returns:
            The number evicted; less than the limit if no more are due.
        """

    def forget(self, key: str) -> None:
        """Delete every kind of a key with its versions, from the files too."""


def version_of(write: Write) -> bytes:
    """A write's place in the order, as bytes that compare like it on every store."""
    return EVENT_TIME.pack(write.event_time) + write.event_id.encode()


def parts_of(version: bytes) -> tuple[int, str]:
    """The event time, in microseconds since 1970, and the event_id of a version."""
    [event_time] = EVENT_TIME.unpack_from(version)
    return event_time, version[EVENT_TIME.size :].decode()


def expiry_of(write: Write) -> int | None:
    """The instant at which a write's value expires, in microseconds since 1970; None: never."""
    return None if write.ttl_s is None else write.event_time + write.ttl_s * SECOND


def kept_until(write: Write, now: int, horizon_s: int) -> int | None:
    """The instant from which a write's version may be evicted.

    Args:
        write: write that a store takes.
        now: instant of writing, in microseconds since 1970.
        horizon_s: how far back a replay can reach, in seconds.

    Returns:
        Microseconds since 1970; None for a value that never expires. A deletion is kept as if its
        value had expired with it.
    """
    expires_at = write.event_time if write.document is None else expiry_of(write)
    return None if expires_at is None else max(expires_at, now) + horizon_s * SECOND


def stored_value(
    version: bytes, document: str | None, expires_at: int | None, now: float
) -> StoredValue:
    """A version as it is read.

    Args:
        version: bytes of `version_of`.
        document: value; None: it was deleted.
        expires_at: instant of expiry, in microseconds since 1970; None: never.
        now: instant of reading, in seconds since the epoch.
    """
    is_expired = expires_at is not None and expires_at <= now * SECOND
    return StoredValue(document, *parts_of(version), expires_at, is_expired)


def refuse_unsound(writes: Sequence[Write], now: float) -> None:
    """Refuse writes of which one cannot take its place in the order.

    Args:
        writes: values to write.
        now: instant of writing, in seconds since the epoch.

    Raises:
        DataError: an event time is outside of the years 1970 to 2261 or more than a day ahead, a
            text is no valid Unicode, the event_id is empty or too long, or the time to live is not
            above 0 or beyond all event times.
    """
    latest = min(BEYOND - 1, int((now + AHEAD_S) * SECOND))
    for write in writes:
        if not 0 <= write.event_time <= latest:
            raise _refusal(write, f"its event time is {write.event_time}")
        if write.ttl_s is not None and not 0 < write.ttl_s <= LONGEST_TTL_S:
            raise _refusal(write, f"its time to live is {write.ttl_s} s")
        _refuse_text(write)


def _refuse_text(write: Write) -> None:
    try:
        size = len(write.event_id.encode())
        for text in (write.key, write.kind, write.document or ""):
            text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise _refusal(write, "it holds half of a surrogate pair") from None
    if not 0 < size <= LONGEST_ID:
        raise _refusal(write, f"its event_id has {size} bytes")


def _refusal(write: Write, problem: str) -> DataError:
    return DataError(
        f"a write of {write.kind} for {write.key!a:.100} cannot be ordered: {problem}",
        "write only events that refine's judge takes; event times are microseconds since 1970",
    )
