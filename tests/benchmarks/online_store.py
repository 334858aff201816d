"""The online store: compare-and-sets a second, and writers that are killed amid their writes.

The baseline writes the same features to Redis without a version: a hash and its time to live, which
an older write overwrites and a replay makes fresh again.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import redis

from jobs.runtime.online.redis_values import RedisValues
from jobs.runtime.online.sqlite_values import SqliteValues
from jobs.runtime.online.values import SECOND, ValueStore, Write
from tests.oracles.versioned_values import holdings
from tests.support.online_stores import redis_server
from tests.support.value_writers import FEATURES, HOUR, Workload, differences, write_all

WRITES = int(os.environ.get("PLAYHEAD_BENCH_WRITES", "10000000"))  # of all writers, to each store
TIMED = 300_000
USERS = 50_000
BATCH = 2_000
HORIZON_S = 7 * 86_400
KILLS = 20


def run() -> dict[str, Any]:
    """Rates of one process, then what WRITES of four processes leave, for each store."""
    now = int(time.time())
    writes = _features(now)
    with (
        tempfile.TemporaryDirectory(prefix="playhead-bench-") as folder,
        redis_server(Path(folder)) as url,
    ):
        client = redis.Redis.from_url(url)
        openings = {
            "sqlite": partial(SqliteValues, Path(folder) / "values.db", HORIZON_S),
            "redis": partial(RedisValues, url, HORIZON_S),
        }
        baseline = _rate(lambda batch: _put_unversioned(client, batch), writes)
        stores: dict[str, Any] = {}
        for name, open_store in openings.items():
            client.flushdb()
            stores[name] = _rates(open_store(), writes) | _killed(open_store, now)
    return {
        "events": TIMED,
        "rate_per_s": stores["redis"]["rate_per_s"],
        "baseline": "HSET and EXPIRE in Redis, no version",
        "baseline_rate_per_s": baseline,
        "ratio": round(stores["redis"]["rate_per_s"] / baseline, 3),
        **stores,
    }


def _features(now: int) -> list[Write]:
    """Writes of features in no order, six to a user."""
    chosen, document = random.Random(7), json.dumps(FEATURES)
    return [
        Write(
            f"timed_{chosen.randrange(USERS)}",
            "features",
            now * SECOND - chosen.randrange(HOUR * SECOND),
            f"{number:064x}",
            document,
            HOUR,
        )
        for number in range(TIMED)
    ]


def _rates(store: ValueStore, writes: Sequence[Write]) -> dict[str, int]:
    """Compare-and-sets a second: of writes that are new, and of the same again, all refused."""
    return {"rate_per_s": _rate(store.apply, writes), "replayed_per_s": _rate(store.apply, writes)}


def _rate(put: Callable[[Sequence[Write]], Any], writes: Sequence[Write]) -> int:
    began = time.perf_counter()
    for begin in range(0, len(writes), BATCH):
        put(writes[begin : begin + BATCH])
    return round(len(writes) / (time.perf_counter() - began))


def _put_unversioned(client: Any, batch: Sequence[Write]) -> None:
    with client.pipeline(transaction=False) as pipe:
        for write in batch:
            pipe.hset(f"user_features:{write.key}", "features", str(write.document))
            pipe.expire(f"user_features:{write.key}", HOUR)
        pipe.execute()


def _killed(open_store: Callable[..., Any], now: int) -> dict[str, Any]:
    """What four writers leave that are killed amid shuffled, repeated and replayed writes."""
    workload = Workload(now, events=WRITES * 2 // 5, keys=100_000, writes=WRITES // 4)
    began = time.perf_counter()
    outcome = write_all(workload, open_store, KILLS)
    seconds = time.perf_counter() - began
    expected = holdings(workload.all_writes(), now)
    store = open_store(clock=lambda: now)
    pairs = [(value, store.get(*place)) for place, value in expected.items()]
    return {
        "writes": WRITES,
        "writers": workload.writers,
        "kills": outcome.kills,
        "writes_per_s": round(WRITES / seconds),
        "reads_meanwhile": outcome.reads,
        "stale_overwrites": outcome.stale,
        "values": len(expected),
        "values_that_differ": differences([found for _, found in pairs], list(expected.values())),
        "resurrected": sum(
            value.document is None and found.document is not None for value, found in pairs
        ),
        "expired_but_fresh": sum(
            value.is_expired and not found.is_expired for value, found in pairs
        ),
    }
