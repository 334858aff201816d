"""Lists of recommendations in an online store: lists by user and context, and cached answers.

One interface for every store, so that the query side does not know which it asks. A publication
goes in with the version of gold.recommendations that it came from, and evicts the cached answers
that it changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class StoredList:
    """A list as it is stored.

    Attributes:
        user_id: user whose list it is, or the one that stands for everybody.
        context_type: context that it is made for.
        document: items as a JSON array, best first; None deletes the list.
    """

    user_id: str
    context_type: str
    document: str | None


@dataclass(frozen=True)
class Publication:
    """What an online store holds.

    Attributes:
        table_version: Delta version of gold.recommendations.
        model_version: registered version of the model that scored it.
        generation: generation of gold.
        published_at: seconds since the epoch when the store last got lists, as the store says; None
            if it does not know. Publications of the same lists are equal whenever they were made.
    """

    table_version: int
    model_version: str
    generation: int = 1
    published_at: float | None = field(default=None, compare=False)


class ListStore(Protocol):
    """An online store. Every method raises StoreError if it cannot be reached or is damaged."""

    def get(self, user_id: str, context_type: str) -> str | None:
        """Read the document of a list; None if there is no such list."""

    def publication(self) -> Publication | None:
        """Read what was published last; None if nothing was."""

    def apply(self, changes: Iterable[StoredList], publication: Publication, *, anew: bool) -> int:
        """Write changed lists and evict the cached answers that they touch.

        Args:
            changes: lists that differ.
            publication: what the store then holds.
            anew: whether all lists are dropped first.

        Returns:
            The number of changes.
        """

    def recall(self, user_id: str, key: str) -> str | None:
        """Read a cached answer; None if there is none or it has expired."""

    def forget(self, user_id: str) -> None:
        """Delete a user's lists and cached answers, from the files too."""

    def remember(self, user_id: str, key: str, answer: str, for_s: int) -> None:
        """Cache an answer for so many seconds."""
