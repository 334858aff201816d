"""What tests of commands share."""

from __future__ import annotations


class Ratings(dict[tuple[str, str], int]):
    """A read model held in memory: half stars by user and title."""

    def rating(self, user_id: str, title_id: str) -> int | None:
        return self.get((user_id, title_id))
