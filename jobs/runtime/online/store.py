"""What the online stores share: their error, their clock, and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from jobs.runtime.errors import ServiceError

BATCH = 500
Clock = Callable[[], float]
T = TypeVar("T")


class StoreError(ServiceError):
    """The online store cannot be read or written."""


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Items in lists of BATCH, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
