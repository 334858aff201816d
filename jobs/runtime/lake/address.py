"""The address of a lake: where the tables of one generation are, and what its streams keep."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobs.runtime.lake.tables import is_generational


@dataclass(frozen=True)
class LakeAddress:
    """A root and a generation of silver and gold below it.

    Attributes:
        root: absolute folder or object-store prefix.
        generation: number of the build that the names of silver and gold mean.
    """

    root: str
    generation: int

    @property
    def is_local(self) -> bool:
        """Is the root a folder, not an object store?"""
        return "://" not in self.root

    def path(self, table: str) -> str:
        """Where a table's files are."""
        layer, name = table.split(".")
        build = f"/generation={self.generation}" if is_generational(table) else ""
        return f"{self.root}{build}/{layer}/{name}"

    def checkpoint(self, query: str) -> str:
        """Where a streaming query of this generation keeps its progress."""
        return f"{self.root}/checkpoints/generation={self.generation}/{query}"

    def shared_checkpoint(self, query: str) -> str:
        """Where a query or job keeps its progress, or its lock, that works for all generations."""
        return f"{self.root}/checkpoints/{query}"

    def mark_read(self) -> None:
        """Leave a mark for whoever retires generations; a reader may lack the right to."""
        if self.is_local:
            with suppress(OSError):
                self._mark.touch()

    def last_read(self) -> datetime | None:
        """When somebody last read from this generation, UTC; None if that is not known."""
        if not self.is_local or not self._mark.exists():
            return None
        return datetime.fromtimestamp(self._mark.stat().st_mtime, UTC)

    @property
    def _mark(self) -> Path:
        return Path(self.root) / f"generation={self.generation}" / "last-read"


def absolute_root(root: str) -> str:
    """The root of a lake as an absolute folder; an object-store prefix as it is."""
    return root if "://" in root else str(Path(root).absolute())
