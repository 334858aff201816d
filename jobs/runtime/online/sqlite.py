"""The online store in one SQLite file, the default."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.runtime.errors import first_line
from jobs.runtime.online.store import Clock, Publication, StoredList, StoreError
from transforms.recommendations.contexts import EVERYBODY


class SqliteLists:
    """Three tables in a file: lists, cached answers, and the publication that the lists are of.

    Processes and threads may share it.

    Args:
        file: database, created if it does not exist.
        clock: function that returns seconds since the epoch.
    """

    TABLES = """
        CREATE TABLE IF NOT EXISTS lists (
            user_id TEXT, context_type TEXT, document TEXT NOT NULL,
            PRIMARY KEY (user_id, context_type)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS answers (
            user_id TEXT, key TEXT, answer TEXT NOT NULL, until REAL NOT NULL,
            PRIMARY KEY (user_id, key)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS published (
            one INTEGER PRIMARY KEY CHECK (one = 1), table_version INTEGER, model_version TEXT,
            generation INTEGER);
    """

    def __init__(self, file: Path, clock: Clock = time.time) -> None:
        self._file = file
        self._clock = clock
        self._turn = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `ListStore`."""
        return self._one(
            "SELECT document FROM lists WHERE user_id = ? AND context_type = ?",
            (user_id, context_type),
        )

    def publication(self) -> Publication | None:
        """See `ListStore`."""
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT table_version, model_version, generation FROM published"
            )
            found = row.fetchone()
        return Publication(*found) if found else None

    def apply(self, changes: Iterable[StoredList], publication: Publication, *, anew: bool) -> int:
        """See `ListStore`; all in one transaction."""
        count = 0
        with self._transaction() as connection:
            before = connection.execute("SELECT model_version FROM published").fetchone()
            if anew:
                connection.execute("DELETE FROM lists")
            evict_all = anew or before != (publication.model_version,)
            for change in changes:
                count += 1
                evict_all |= change.user_id.startswith(EVERYBODY)
                _put(connection, change)
            if evict_all:
                connection.execute("DELETE FROM answers")
            connection.execute(
                "INSERT OR REPLACE INTO published VALUES (1, ?, ?, ?)",
                (publication.table_version, publication.model_version, publication.generation),
            )
        return count

    def recall(self, user_id: str, key: str) -> str | None:
        """See `ListStore`."""
        return self._one(
            "SELECT answer FROM answers WHERE user_id = ? AND key = ? AND until > ?",
            (user_id, key, self._clock()),
        )

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """See `ListStore`; answers that have expired are evicted."""
        now = self._clock()
        with self._transaction() as connection:
            connection.execute("DELETE FROM answers WHERE until <= ?", (now,))
            connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                (user_id, key, answer, now + for_s),
            )

    def forget(self, user_id: str) -> None:
        """See `ListStore`; SQLite overwrites what it deletes, and its log is truncated."""
        if not self._file.exists():
            return
        with self._transaction() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            for table in ("lists", "answers"):
                connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))
        with self._transaction() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _one(self, query: str, arguments: tuple[Any, ...]) -> str | None:
        with self._transaction() as connection:
            row = connection.execute(query, arguments).fetchone()
        return None if row is None else str(row[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._turn:
                connection = self._open = self._open or self._connect()
                with connection:
                    yield connection
        except (sqlite3.Error, OSError) as error:
            self._open = None
            raise StoreError(
                f"the online store {self._file} does not serve: {first_line(error)}",
                "delete the file and load it again with python -m jobs.publish",
            ) from None

    def _connect(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=10, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(self.TABLES)
        return connection


def _put(connection: sqlite3.Connection, change: StoredList) -> None:
    key = (change.user_id, change.context_type)
    if change.document is None:
        connection.execute("DELETE FROM lists WHERE user_id = ? AND context_type = ?", key)
    else:
        connection.execute("INSERT OR REPLACE INTO lists VALUES (?, ?, ?)", (*key, change.document))
    connection.execute("DELETE FROM answers WHERE user_id = ?", (change.user_id,))
