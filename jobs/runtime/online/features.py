"""The latest features of users in the online store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jobs.runtime.online.store import batches
from jobs.runtime.online.values import ValueStore, Write

FEATURES = "features"


class UserFeatures(NamedTuple):
    """What an event says of its user.

    Attributes:
        user_id: user of the event.
        features: values by name.
        event_time: event time, in microseconds since 1970.
        event_id: event_id of the event.
    """

    user_id: str
    features: Mapping[str, Any]
    event_time: int
    event_id: str


def write_features(store: ValueStore, rows: Iterable[UserFeatures], ttl_s: int) -> int:
    """Write features in any order; those of a user's last event by order stay.

    Versions that no replay can reach any more are evicted on the way.

    Args:
        store: online store.
        rows: features of events; they may be written again whole after an error.
        ttl_s: seconds after the event time at which features expire.

    Returns:
        The number of rows that were newer than what the store held.

    Raises:
        DataError: a row has no place in the order.
        StoreError: the store cannot be written.
    """
    newer = 0
    for batch in batches(rows):
        newer += store.apply([_write(row, ttl_s) for row in batch])
        store.sweep()
    return newer


def _write(row: UserFeatures, ttl_s: int) -> Write:
    document = json.dumps(row.features, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return Write(row.user_id, FEATURES, row.event_time, row.event_id, document, ttl_s)
