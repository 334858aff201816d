"""The HTTP service alone: latencies at a fixed rate, counted from when a request was due.

The baseline is /health of the same process in the same run: an answer that asks nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np

from jobs.runtime.online.features import UserFeatures, write_features
from jobs.runtime.online.lists import Publication, StoredList
from jobs.runtime.online.opening import open_store, open_values
from jobs.runtime.online.values import SECOND
from jobs.runtime.settings import Settings, load_settings
from tests.support.processes import Process
from tests.support.value_writers import FEATURES, HOUR

RATES = (200, 2_000)
SECONDS = float(os.environ.get("PLAYHEAD_BENCH_SERVING_S", "10"))
CONNECTIONS = 32
FEW_USERS = 100  # whose answers are cached after the first round
SERVING = re.compile(r"http://127\.0\.0\.1:(\d+) answers")


def run() -> dict[str, Any]:
    """Latencies of each endpoint at each rate, over SQLite."""
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as folder:
        settings = load_settings(overrides=[f"lake.root={folder}"])
        users = int(sum(RATES) * SECONDS) + 1
        _fill(settings, users)
        command = [sys.executable, "-m", "jobs.serve"]
        for assigned in (f"lake.root={folder}", "serve.port=0", "serve.rate_per_s=100000"):
            command += ["--set", assigned]
        process = Process(command, SERVING)
        process.await_line(0)
        try:
            results = _measured(int(process.found[0][1]))
        finally:
            process.kill()
    fastest = f"at_{RATES[-1]}_per_s"
    rate, baseline = (results[name][fastest]["rate_per_s"] for name in ("http_cached", "health"))
    return {
        "events": int(RATES[-1] * SECONDS),
        "rate_per_s": rate,
        "baseline": "/health, which asks nothing",
        "baseline_rate_per_s": baseline,
        "ratio": round(rate / baseline, 3),
        **results,
    }


def _fill(settings: Settings, users: int) -> None:
    """A list of 50 titles for each user, and features of the last hour."""
    item = {"score": 0.51, "units": 33_423, "reason": "popular", "contributions": {"popularity": 1}}
    metadata = {"name": "A title of some length", "genres": ["Drama"], "year": 1999}
    items = [
        {"rank": rank, "title_id": f"title_{rank}", **item, "metadata": metadata}
        for rank in range(1, 51)
    ]
    document = json.dumps(items)
    stored = (StoredList(f"user_{number}", "homepage", document) for number in range(users))
    store = open_store(settings.online, settings.recommend.model, settings.lake.root)
    store.apply(stored, Publication(1, "1"), anew=True)
    now = int(time.time() * SECOND)
    rows = (UserFeatures(f"user_{n}", FEATURES, now - n, f"e{n}") for n in range(users))
    write_features(open_values(settings.online, settings.lake.root), rows, HOUR)


def _measured(port: int) -> dict[str, Any]:
    fresh = count()
    paths: dict[str, Callable[[int], str]] = {
        "health": lambda _: "/health",
        "features": lambda n: f"/v1/users/user_{n % FEW_USERS}/features",
        "http_uncached": lambda _: f"/v1/users/user_{next(fresh)}/recommendations",
        "http_cached": lambda n: f"/v1/users/user_{n % FEW_USERS}/recommendations",
        "assignments": lambda n: f"/v1/users/user_{n}/assignments/home-row-order",
    }
    return {
        name: {f"at_{rate}_per_s": asyncio.run(_at_rate(port, path, rate)) for rate in RATES}
        for name, path in paths.items()
    }


async def _at_rate(port: int, path: Callable[[int], str], rate: int) -> dict[str, Any]:
    """Send requests when they are due, on the connections in turn."""
    requests = int(rate * SECONDS)
    began = time.perf_counter() + 0.1
    due = iter([(number, began + number / rate) for number in range(requests)])
    took: list[float] = []
    statuses: dict[str, int] = {}
    clients = (_client(port, path, due, took, statuses) for _ in range(CONNECTIONS))
    await asyncio.gather(*clients)
    seconds = time.perf_counter() - began
    return {
        "count": len(took),
        "rate_per_s": round(len(took) / seconds),
        "statuses": statuses,
        **{
            f"{name}_ms": round(float(np.percentile(took, share)) * 1_000, 3)
            for name, share in [("p50", 50), ("p95", 95), ("p99", 99), ("p999", 99.9), ("max", 100)]
        },
    }


async def _client(
    port: int,
    path: Callable[[int], str],
    due: Iterator[tuple[int, float]],
    took: list[float],
    statuses: dict[str, int],
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, at in due:
        ahead = at - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        writer.write(f"GET {path(number)} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        took.append(time.perf_counter() - at)
        status = head[9:12].decode()
        statuses[status] = statuses.get(status, 0) + 1
    writer.close()
    await writer.wait_closed()
