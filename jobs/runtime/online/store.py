"""The online store of recommendations: lists by user and context, and cached answers.

One interface for every store, so that the query side does not know which it asks. What is
published goes in with the version of gold.recommendations that it came from, and takes the cached
answers that it changes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from jobs.runtime.errors import ServiceError

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


def batched(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Items in lists of BATCH, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
