"""Versioned values in one SQLite file, the default."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.runtime.online.sqlite import SqliteFile
from jobs.runtime.online.store import Clock
from jobs.runtime.online.values import (
    SECOND,
    SWEEP,
    StoredValue,
    Write,
    expiry_of,
    kept_until,
    refuse_unsound,
    stored_value,
    version_of,
)

SCHEMA = (
    (
        """CREATE TABLE IF NOT EXISTS stored (
            key TEXT, kind TEXT, version BLOB NOT NULL, document TEXT, expires_at INTEGER,
            kept_until INTEGER, PRIMARY KEY (key, kind))""",
        """CREATE INDEX IF NOT EXISTS stored_kept_until ON stored (kept_until)
            WHERE kept_until IS NOT NULL""",
    ),
)
REMEDY = "delete the file and fill it again: python -m jobs.publish"

COMPARE_AND_SET = """
    INSERT INTO stored VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (key, kind) DO UPDATE SET version = excluded.version,
        document = excluded.document, expires_at = excluded.expires_at,
        kept_until = excluded.kept_until
    WHERE excluded.version > stored.version
"""
EVICT = """
    DELETE FROM stored WHERE rowid IN (
        SELECT rowid FROM stored WHERE kept_until <= ? ORDER BY kept_until LIMIT ?)
"""


class SqliteValues:
    """A table of the newest version by key and kind, and an index of when each may be evicted.

    Args:
        file: database, created if it does not exist.
        horizon_s: how far back a replay can reach, in seconds.
        clock: function that returns seconds since the epoch.
    """

    def __init__(self, file: Path, horizon_s: int, clock: Clock = time.time) -> None:
        self._database = SqliteFile(file, SCHEMA, REMEDY)
        self._horizon_s = horizon_s
        self._clock = clock

    def get(self, key: str, kind: str) -> StoredValue | None:
        """See `ValueStore`."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT version, document, expires_at FROM stored WHERE key = ? AND kind = ?",
                (key, kind),
            ).fetchone()
        if row is None:
            return None
        version, document, expires_at = row
        return stored_value(version, document, expires_at, self._clock())

    def apply(self, writes: Sequence[Write]) -> int:
        """See `ValueStore`; all in one transaction."""
        now = self._clock()
        refuse_unsound(writes, now)
        with self._database.transaction() as connection:
            connection.execute("BEGIN IMMEDIATE")
            before = connection.total_changes
            connection.executemany(COMPARE_AND_SET, self._rows(writes, int(now * SECOND)))
            return connection.total_changes - before

    def sweep(self, limit: int = SWEEP) -> int:
        """See `ValueStore`."""
        with self._database.transaction() as connection:
            return connection.execute(EVICT, (int(self._clock() * SECOND), limit)).rowcount

    def forget(self, key: str) -> None:
        """See `ValueStore`."""
        self._database.delete_and_overwrite(["DELETE FROM stored WHERE key = ?"], key)

    def _rows(self, writes: Sequence[Write], now: int) -> Iterator[tuple[object, ...]]:
        for write in writes:
            expires_at = expiry_of(write)
            until = kept_until(write, now, self._horizon_s)
            yield write.key, write.kind, version_of(write), write.document, expires_at, until
