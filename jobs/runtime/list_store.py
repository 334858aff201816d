"""The online read model of recommendations: lists by user and context, and cached answers.

SQLite by default, Redis by setting; one interface, so that the query side does not know which.
What is published goes in with the version of gold.recommendations that it came from, and takes the
cached answers that it changes with it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import redis

from jobs.runtime.errors import ServiceError, SettingsError, first_line
from jobs.runtime.settings import RecommendSettings
from transforms.recommendations.lists import EVERYBODY

Clock = Callable[[], float]
BATCH = 500


class StoreError(ServiceError):
    """The read model cannot be read or written."""


@dataclass(frozen=True)
class StoredList:
    """A list as it is stored.

    Attributes:
        user_id: whose.
        context_type: for what.
        document: the items as a JSON array, best first; None takes the list out.
    """

    user_id: str
    context_type: str
    document: str | None


@dataclass(frozen=True)
class Published:
    """What a read model holds.

    Attributes:
        table_version: of gold.recommendations.
        model_version: that scored it.
        generation: of gold.
    """

    table_version: int
    model_version: str
    generation: int = 1


class ListStore(Protocol):
    """A read model. Every method raises StoreError when it cannot be reached or is damaged."""

    def get(self, user_id: str, context_type: str) -> str | None:
        """The document of a list."""

    def published(self) -> Published | None:
        """What was published last; None if nothing was."""

    def apply(self, changes: Iterable[StoredList], published: Published, *, anew: bool) -> int:
        """Take changes in and forget the cached answers they touch; how many there were.

        Args:
            changes: the lists that differ.
            published: what the read model then holds.
            anew: drop all lists first.
        """

    def recall(self, user_id: str, key: str) -> str | None:
        """A cached answer that has not expired."""

    def forget(self, user_id: str) -> None:
        """Take out a user's lists and cached answers, from the files too."""

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """Cache an answer for a while."""


def open_store(settings: RecommendSettings, root: str) -> ListStore:
    """The read model that the settings name.

    Raises:
        SettingsError: the lake is in an object store and no Redis is named.
    """
    if settings.redis_url is not None:
        return RedisLists(settings.redis_url, settings.model)
    if "://" in root:
        raise SettingsError(f"SQLite cannot live at {root}", "set recommend.redis_url")
    return SqliteLists(Path(root) / "online" / f"{settings.model}.db")


class SqliteLists:
    """The read model in one SQLite file; processes and threads may share it.

    Args:
        file: made if it does not exist.
        clock: seconds since the epoch.
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

    def published(self) -> Published | None:
        """See `ListStore`."""
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT table_version, model_version, generation FROM published"
            )
            found = row.fetchone()
        return Published(*found) if found else None

    def apply(self, changes: Iterable[StoredList], published: Published, *, anew: bool) -> int:
        """See `ListStore`; all in one transaction."""
        count = 0
        with self._transaction() as connection:
            known = connection.execute("SELECT model_version FROM published").fetchone()
            if anew:
                connection.execute("DELETE FROM lists")
            forget_all = anew or known != (published.model_version,)
            for change in changes:
                count += 1
                forget_all |= change.user_id.startswith(EVERYBODY)
                _put(connection, change)
            if forget_all:
                connection.execute("DELETE FROM answers")
            connection.execute(
                "INSERT OR REPLACE INTO published VALUES (1, ?, ?, ?)",
                (published.table_version, published.model_version, published.generation),
            )
        return count

    def recall(self, user_id: str, key: str) -> str | None:
        """See `ListStore`."""
        return self._one(
            "SELECT answer FROM answers WHERE user_id = ? AND key = ? AND until > ?",
            (user_id, key, self._clock()),
        )

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """See `ListStore`; answers that have expired make room."""
        now = self._clock()
        with self._transaction() as connection:
            connection.execute("DELETE FROM answers WHERE until <= ?", (now,))
            connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                (user_id, key, answer, now + for_s),
            )

    def forget(self, user_id: str) -> None:
        """See `ListStore`: SQLite overwrites what it deletes, and its log is emptied."""
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
                f"the read model {self._file} does not serve: {first_line(error)}",
                "delete the file and load it again with python -m jobs.publish",
            ) from None

    def _connect(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=10, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(self.TABLES)
        return connection


class RedisLists:
    """The read model in Redis: a hash of lists and a hash of cached answers for each user.

    Args:
        url: as redis://host:6379/0.
        model: the registered name, which all keys begin with.
        clock: seconds since the epoch.
    """

    def __init__(self, url: str, model: str, clock: Clock = time.time) -> None:
        self._url = url
        self._clock = clock
        self._prefix = f"playhead:{model}"
        self._redis: Any = redis.Redis.from_url(
            url, decode_responses=True, socket_timeout=5, socket_connect_timeout=2
        )

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `ListStore`."""
        with self._explained():
            found = self._redis.hget(self._lists(user_id), context_type)
        return None if found is None else str(found)

    def published(self) -> Published | None:
        """See `ListStore`."""
        with self._explained():
            found = self._redis.hgetall(f"{self._prefix}:published")
        if not found:
            return None
        versions = int(found["table_version"]), str(found["model_version"])
        return Published(*versions, int(found["generation"]))

    def apply(self, changes: Iterable[StoredList], published: Published, *, anew: bool) -> int:
        """See `ListStore`; a publication cut short is repeated from what was published before."""
        count = 0
        known = self.published()
        with self._explained():
            if anew:
                self._drop("list")
            forget_all = anew or known is None or known.model_version != published.model_version
            for batch in _batches(changes):
                count += len(batch)
                forget_all |= any(change.user_id.startswith(EVERYBODY) for change in batch)
                self._put(batch)
            if forget_all:
                self._drop("answer")
            self._redis.hset(f"{self._prefix}:published", mapping=asdict(published))
        return count

    def recall(self, user_id: str, key: str) -> str | None:
        """See `ListStore`."""
        with self._explained():
            found = self._redis.hget(self._answers(user_id), key)
        if found is None:
            return None
        until, answer = json.loads(found)
        return str(answer) if until > self._clock() else None

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """See `ListStore`."""
        until = self._clock() + for_s
        with self._explained(), self._redis.pipeline() as pipe:
            pipe.hset(self._answers(user_id), key, json.dumps([until, answer]))
            pipe.expire(self._answers(user_id), for_s)
            pipe.execute()

    def forget(self, user_id: str) -> None:
        """See `ListStore`; Redis rewrites its files by its own settings."""
        with self._explained():
            self._redis.delete(self._lists(user_id), self._answers(user_id))

    def _put(self, batch: Iterable[StoredList]) -> None:
        with self._redis.pipeline() as pipe:
            for change in batch:
                key = self._lists(change.user_id)
                if change.document is None:
                    pipe.hdel(key, change.context_type)
                else:
                    pipe.hset(key, change.context_type, change.document)
                pipe.delete(self._answers(change.user_id))
            pipe.execute()

    def _drop(self, kind: str) -> None:
        for keys in _batches(self._redis.scan_iter(f"{self._prefix}:{kind}:*", count=BATCH)):
            self._redis.delete(*keys)

    def _lists(self, user_id: str) -> str:
        return f"{self._prefix}:list:{user_id}"

    def _answers(self, user_id: str) -> str:
        return f"{self._prefix}:answer:{user_id}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, ValueError) as error:
            raise StoreError(
                f"Redis at {self._url.rpartition('@')[2]} does not serve: {first_line(error)}",
                "start it, or set recommend.redis_url; python -m jobs.publish loads it again",
            ) from None


def _put(connection: sqlite3.Connection, change: StoredList) -> None:
    key = (change.user_id, change.context_type)
    if change.document is None:
        connection.execute("DELETE FROM lists WHERE user_id = ? AND context_type = ?", key)
    else:
        connection.execute("INSERT OR REPLACE INTO lists VALUES (?, ?, ?)", (*key, change.document))
    connection.execute("DELETE FROM answers WHERE user_id = ?", (change.user_id,))


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
