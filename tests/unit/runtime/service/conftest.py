from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.runtime.online.features import UserFeatures, write_features
from jobs.runtime.online.lists import Publication, StoredList
from jobs.runtime.online.sqlite_lists import SqliteLists
from jobs.runtime.online.sqlite_values import SqliteValues
from jobs.runtime.service.admission import Tokens
from jobs.runtime.service.application import Limits, application
from jobs.runtime.service.queries import ApplicationQueries
from tests.support.online_stores import Clock
from transforms.experiments.definitions import Catalogue, catalogue

HOUR = 3_600
LIMITS = Limits(rate_per_s=100_000, concurrency=8, timeout_s=10)
MakeClient = Callable[..., TestClient]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lists(tmp_path: Path, clock: Clock) -> SqliteLists:
    store = SqliteLists(tmp_path / "lists.db", clock)
    stored = [
        StoredList(user, kind, json.dumps([{"title_id": title, "rank": 1, "score": 0.5}]))
        for user, kind, title in [
            ("ada", "homepage", "t1"),
            ("ada", "homepage:tv", "t2"),
            ("*", "homepage", "t9"),
        ]
    ]
    store.apply(stored, Publication(3, "7"), anew=True)
    return store


@pytest.fixture
def values(tmp_path: Path, clock: Clock) -> SqliteValues:
    store = SqliteValues(tmp_path / "values.db", HOUR, clock)
    now = int(clock.now) * 1_000_000
    write_features(store, [UserFeatures("ada", {"device_type": "smart_tv"}, now, "e1")], HOUR)
    return store


@pytest.fixture
def definitions(clock: Clock) -> Catalogue:
    now = datetime.fromtimestamp(clock.now, UTC)
    start = (now - timedelta(days=1)).isoformat()
    rows = {
        "id": "rows",
        "layer": "home",
        "population": {"device_type": ["smart_tv"]},
        "variants": [{"name": "control", "weight": 0.5}, {"name": "new", "weight": 0.5}],
        "traffic": [{"at": start, "share": 1}],
        "start": start,
        "end": (now + timedelta(days=1)).isoformat(),
        "goals": ["plays"],
    }
    plays = {"kind": "mean", "outcome": {"event": "VideoPlaybackStarted"}}
    return catalogue(
        {
            "metrics.yaml": {"metrics": {"plays": plays}},
            "layers.yaml": {"layers": {"home": {"salt": "home"}}},
            "rows.yaml": rows,
        }
    )


@pytest.fixture
def make_client(
    lists: SqliteLists, values: SqliteValues, definitions: Catalogue, clock: Clock
) -> MakeClient:
    def make(
        *tokens: str, limits: Limits = LIMITS, assigner: Any = None, queries: Any = None
    ) -> TestClient:
        asked = queries or ApplicationQueries(lists, values, definitions, assigner, 300, clock)
        app = application(asked, limits, Tokens(tokens), "0")
        return TestClient(app, raise_server_exceptions=False)

    return make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()
