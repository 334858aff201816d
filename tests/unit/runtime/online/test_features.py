from __future__ import annotations

import json
import random
from pathlib import Path

from jobs.runtime.online.features import FEATURES, UserFeatures, write_features
from jobs.runtime.online.sqlite_values import SqliteValues
from jobs.runtime.online.store import BATCH
from tests.support.online_stores import Clock

HOUR = 3_600


def test_features_of_the_last_event_stay_whatever_the_order(tmp_path: Path, clock: Clock) -> None:
    store = SqliteValues(tmp_path / "values.db", HOUR, clock)
    rows = [
        UserFeatures(f"user_{n % 7}", {"viewing_hour": n, "last_watched_genre": "Comédie"}, n, "e")
        for n in range(2 * BATCH + 1)
    ]
    random.Random(3).shuffle(rows)
    assert write_features(store, iter(rows), HOUR) >= 7
    assert write_features(store, rows, HOUR) == 0
    for user in range(7):
        last = max(n for n in range(2 * BATCH + 1) if n % 7 == user)
        found = store.get(f"user_{user}", FEATURES)
        assert found is not None
        assert (found.event_time, found.expires_at) == (last, last + HOUR * 1_000_000)
        features = json.loads(str(found.document))
        assert features == {"viewing_hour": last, "last_watched_genre": "Comédie"}


def test_who_writes_features_evicts_what_no_replay_can_reach(tmp_path: Path, clock: Clock) -> None:
    store = SqliteValues(tmp_path / "values.db", HOUR, clock)
    write_features(store, [UserFeatures("ada", {}, 1, "e")], HOUR)
    clock.now += HOUR
    write_features(store, [UserFeatures("bob", {}, 1, "e")], HOUR)
    assert store.get("ada", FEATURES) is None
    assert store.get("bob", FEATURES) is not None
