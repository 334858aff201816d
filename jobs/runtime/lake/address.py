"""Paths of a lake: tables, checkpoints and the read mark of one generation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobs.runtime.lake.tables import is_generational


@dataclass(frozen=True)
class LakeAddress:
    """The root of a lake, and one generation of silver and gold below it.

    Attributes:
        root: absolute folder or object-store prefix.
        generation: number of the build that the names of silver and gold refer to.
    """

    root: str
    generation: int

    @property
    def is_local(self) -> bool:
        """Whether the root is a folder, not an object store."""
        return "://" not in self.root

    def path(self, table: str) -> str:
        """Absolute path of a table's files.

        Args:
            table: table name, `<layer>.<name>`.

        Returns:
            `<root>/<layer>/<name>`; `<root>/generation=<n>/<layer>/<name>` for tables of a
            generation.
        """
        layer, name = table.split(".")
        build = f"/generation={self.generation}" if is_generational(table) else ""
        return f"{self.root}{build}/{layer}/{name}"

    def checkpoint(self, query: str) -> str:
        """Checkpoint folder of a streaming query of this generation."""
        return f"{self.root}/checkpoints/generation={self.generation}/{query}"

    def shared_checkpoint(self, query: str) -> str:
        """Checkpoint or lock folder of a query or job that works for all generations."""
        return shared_checkpoint(self.root, query)

    def mark_read(self) -> None:
        """Record that this generation was read now, for the job that retires generations.

        Does nothing in an object store, or where the process may not write.
        """
        if self.is_local:
            with suppress(OSError):
                self._mark.touch()

    def last_read(self) -> datetime | None:
        """The time of the last recorded read of this generation.

        Returns:
            An instant in UTC; None in an object store and where no read was recorded.
        """
        if not self.is_local or not self._mark.exists():
            return None
        return datetime.fromtimestamp(self._mark.stat().st_mtime, UTC)

    @property
    def _mark(self) -> Path:
        """The file whose modification time is the time of the last read."""
        return Path(self.root) / f"generation={self.generation}" / "last-read"


def shared_checkpoint(root: str, query: str) -> str:
    """Checkpoint or lock folder of a query or job that works for all generations.

    Args:
        root: absolute folder or object-store prefix of the lake.
        query: name of the query or job.
    """
    return f"{root}/checkpoints/{query}"


def absolute_root(root: str) -> str:
    """Normalize the root of a lake.

    Returns:
        The absolute path of a folder; an object-store prefix unchanged.
    """
    return root if "://" in root else str(Path(root).absolute())
