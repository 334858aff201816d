"""Lists of recommendations in one SQLite file, the default."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jobs.runtime.online.lists import Publication, StoredList
from jobs.runtime.online.sqlite import SqliteFile
from jobs.runtime.online.store import Clock
from transforms.recommendations.contexts import EVERYBODY

SCHEMA = (
    (
        """CREATE TABLE IF NOT EXISTS lists (
            user_id TEXT, context_type TEXT, document TEXT NOT NULL,
            PRIMARY KEY (user_id, context_type)) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS answers (
            user_id TEXT, key TEXT, answer TEXT NOT NULL, until REAL NOT NULL,
            PRIMARY KEY (user_id, key)) WITHOUT ROWID""",
        """CREATE TABLE IF NOT EXISTS published (
            one INTEGER PRIMARY KEY CHECK (one = 1), table_version INTEGER, model_version TEXT,
            generation INTEGER)""",
    ),
    (
        "ALTER TABLE published ADD COLUMN published_at REAL",
        "CREATE INDEX answers_until ON answers (until)",
    ),
)
REMEDY = "delete the file and load it again with python -m jobs.publish"


class SqliteLists:
    """Three tables in a file: lists, cached answers, and the publication that the lists are of.

    Processes and threads may share it.

    Args:
        file: database, created if it does not exist.
        clock: function that returns seconds since the epoch.
    """

    def __init__(self, file: Path, clock: Clock = time.time) -> None:
        self._database = SqliteFile(file, SCHEMA, REMEDY)
        self._clock = clock

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `ListStore`."""
        return self._one(
            "SELECT document FROM lists WHERE user_id = ? AND context_type = ?",
            (user_id, context_type),
        )

    def publication(self) -> Publication | None:
        """See `ListStore`."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT table_version, model_version, generation, published_at FROM published"
            )
            found = row.fetchone()
        return Publication(*found) if found else None

    def apply(self, changes: Iterable[StoredList], publication: Publication, *, anew: bool) -> int:
        """See `ListStore`; all in one transaction."""
        count = 0
        with self._database.transaction() as connection:
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
                "INSERT OR REPLACE INTO published VALUES (1, ?, ?, ?, ?)",
                (
                    publication.table_version,
                    publication.model_version,
                    publication.generation,
                    self._clock(),
                ),
            )
        return count

    def recall(self, user_id: str, key: str) -> str | None:
        """See `ListStore`."""
        return self._one(
            "SELECT answer FROM answers WHERE user_id = ? AND key = ? AND until > ?",
            (user_id, key, self._clock()),
        )

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """See `ListStore`; answers that have expired are evicted.

        Raises:
            StoreError: the file cannot be written, or another process is writing it: an answer does
                not wait for that.
        """
        now = self._clock()
        with self._database.transaction(wait_s=0) as connection:
            connection.execute("DELETE FROM answers WHERE until <= ?", (now,))
            connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                (user_id, key, answer, now + for_s),
            )

    def forget(self, user_id: str) -> None:
        """See `ListStore`."""
        deleted_from = ("lists", "answers")
        deletions = [f"DELETE FROM {table} WHERE user_id = ?" for table in deleted_from]
        self._database.delete_and_overwrite(deletions, user_id)

    def _one(self, query: str, arguments: tuple[Any, ...]) -> str | None:
        with self._database.transaction() as connection:
            row = connection.execute(query, arguments).fetchone()
        return None if row is None else str(row[0])


def _put(connection: sqlite3.Connection, change: StoredList) -> None:
    key = (change.user_id, change.context_type)
    if change.document is None:
        connection.execute("DELETE FROM lists WHERE user_id = ? AND context_type = ?", key)
    else:
        connection.execute("INSERT OR REPLACE INTO lists VALUES (?, ?, ?)", (*key, change.document))
    connection.execute("DELETE FROM answers WHERE user_id = ?", (change.user_id,))
