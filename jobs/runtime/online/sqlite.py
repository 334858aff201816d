"""One SQLite file: how it is opened, brought to its schema, erased from, and how it fails."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jobs.runtime.errors import first_line
from jobs.runtime.online.store import StoreError

BUSY_S = 10
MAIN_CODE = 0xFF  # of an extended result code
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = NORMAL",  # a killed process loses nothing; a machine without power, the latest
    # writes to many keys take two thirds of the time that they take with SQLite's own 2,000 KiB of
    # cache and a checkpoint every 1,000 pages
    "cache_size = -65536",
    "wal_autocheckpoint = 8000",
)
REMEDIES = {
    sqlite3.SQLITE_BUSY: "end the process that holds it, or share a server: online.redis_url",
    sqlite3.SQLITE_FULL: "free disk space",
    sqlite3.SQLITE_READONLY: "give this user the right to write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "give this user the right to write the file and its folder",
    sqlite3.SQLITE_IOERR: "check the disk, and free space on it",
}


class SqliteFile:
    """A database in WAL mode; processes and threads may share it.

    Args:
        file: database, created at the first transaction if it does not exist.
        schema: statements that make each version of the schema out of the one before it.
        remedy: what to do about a damaged file.
    """

    def __init__(self, file: Path, schema: Sequence[Sequence[str]], remedy: str) -> None:
        self.file = file
        self._schema = schema
        self._remedy = remedy
        self._turn = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._wait_s: float = BUSY_S

    @contextmanager
    def transaction(self, wait_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
        """Open a transaction for the time of the block; one of a process at a time.

        Args:
            wait_s: seconds to wait, if the block writes, while another process writes.

        Yields:
            The connection. A statement that writes takes the file's only lock for writing.

        Raises:
            StoreError: the file is damaged, of a later version, or cannot be read or written.
        """
        with self._turn:
            try:
                connection = self._open = self._open or self._connect()
                self._set_wait(connection, wait_s)
                with connection:
                    yield connection
            except (sqlite3.Error, OSError) as error:
                if _code(error) != sqlite3.SQLITE_BUSY:
                    self._close()
                raise self._explain(error) from None

    def delete_and_overwrite(self, statements: Sequence[str], key: str) -> None:
        """Run statements with a key to delete by, and leave nothing of the rows in the files.

        SQLite overwrites what it deletes, the file is rewritten, and its log truncated.

        Raises:
            StoreError: as `transaction`.
        """
        if not self.file.exists():
            return
        with self.transaction() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            for statement in statements:
                connection.execute(statement, (key,))
        with self.transaction() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connect(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.file, timeout=BUSY_S, check_same_thread=False)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if _version(connection) != len(self._schema):
            with connection:
                self._migrate(connection)
        return connection

    def _set_wait(self, connection: sqlite3.Connection, wait_s: float) -> None:
        if wait_s != self._wait_s:
            connection.execute(f"PRAGMA busy_timeout = {int(wait_s * 1_000)}")
            self._wait_s = wait_s

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the file to the newest schema; another process may have done so meanwhile."""
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)
        if version > len(self._schema):
            raise StoreError(
                f"the online store {self.file} is of version {version}, this playhead knows "
                f"{len(self._schema)}",
                f"install the later playhead, or {self._remedy}",
            )
        for statements in self._schema[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(self._schema)}")

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self._wait_s = None, BUSY_S

    def _explain(self, error: Exception) -> StoreError:
        problem = f"the online store {self.file} does not serve: {first_line(error)}"
        return StoreError(problem, REMEDIES.get(_code(error), self._remedy))


def _code(error: Exception) -> int:
    """SQLite's own code of an error; 0 if it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & MAIN_CODE


def _version(connection: sqlite3.Connection) -> int:
    """The version of a file's schema, 0 of a new one."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
