"""A difference between stream and recompute is named by what made it, or refused.

Each test changes one thing on the batch side only, or to the lake behind the stream's back.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from jobs.recompute import main
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline import judging
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.recompute import check
from jobs.runtime.recompute.check import recompute
from jobs.runtime.settings import Settings, load_settings
from tests.oracles.pipeline import Raw
from tests.support.lakes import BATCH_BY_BATCH, deliver, stream
from tests.support.strategies import INTERACTIONS, MINUTE, NOON
from transforms.contracts.registry import Registry
from transforms.events.upcasters import UPCASTERS
from transforms.gold.fold import count
from transforms.gold.tables import FOLDS, PLAY, USER_DAY

DAY = 24 * 60 * MINUTE
STARTED = "VideoPlaybackStarted"
LATE = Counter(late_duplicate=1)  # of the history itself, in every comparison


def play(user: str, title: str = "title_x", event_id: str | None = None) -> dict[str, Any]:
    return {
        "eventType": STARTED,
        "version": "2.1",
        "timestamp": "2026-09-21T14:13:20Z",
        "eventId": event_id or f"{user}-{title}",
        "userId": user,
        "sessionId": "s",
        "deviceInfo": {"deviceType": "mobile", "platform": "web"},
        "contentInfo": {"titleId": title, "contentType": "movie", "duration": 60},
        "playbackContext": {"source": "search", "position": 5},
        "metadata": {},
    }


def old_play(user: str) -> dict[str, Any]:
    return {
        **{"eventType": STARTED, "version": "1.0", "timestamp": "2026-09-21T14:13:20Z"},
        **{"userId": user, "sessionId": "s", "deviceType": "mobile", "platform": "web"},
        **{"titleId": "title_x", "contentType": "movie", "durationMs": 5, "source": "search"},
        "positionMs": 7,
    }


def arrived(offset: int, arrival: int, event: dict[str, Any]) -> Raw:
    key = event["userId"].encode()
    return Raw(INTERACTIONS, 0, offset, key, json.dumps(event).encode(), arrival)


HISTORY = [
    [
        arrived(0, NOON, play("ada")),
        arrived(1, NOON, play("ada", "title_y")),
        arrived(2, NOON, old_play("bob")),
        arrived(3, NOON, play("cy", "no title", "cy-1")),  # refused: no id may hold a space
        arrived(4, NOON, play("ada")),
        arrived(5, NOON, play("dora", "title_z")),
        arrived(6, NOON, play("late")),
    ],
    [arrived(7, NOON + 3 * DAY, play("eve"))],
    [arrived(8, NOON + 3 * DAY + MINUTE, play("fay"))],  # the stream forgets a batch later
    [arrived(9, NOON + 3 * DAY + 2 * MINUTE, play("late"))],  # three days after its first copy
]


@pytest.fixture(scope="module")
def streamed(
    spark: SparkSession, empty_lake: Path, tmp_path_factory: pytest.TempPathFactory
) -> Lake:
    """A lake that has streamed HISTORY a batch at a time."""
    root = tmp_path_factory.mktemp("recompute") / "lake"
    shutil.copytree(empty_lake, root)
    lake = Lake(spark, str(root))
    deliver(lake, HISTORY)
    stream(lake, load_settings(overrides=BATCH_BY_BATCH, environment={}))
    return lake


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare gold.user_day alone: each table costs seconds."""
    for name in set(FOLDS) - {USER_DAY.name}:
        monkeypatch.delitem(FOLDS, name)


@pytest.fixture
def causes(streamed: Lake, base_settings: Settings) -> Callable[[], Counter[str]]:
    return lambda: (
        recompute(streamed, load_judge(base_settings.refine), base_settings.refine).causes
    )


def contracts(change: Callable[[dict[str, Any]], Any]) -> Callable[[], Registry]:
    """The contracts with a changed one for VideoPlaybackStarted 2.1."""
    documents: dict[str, dict[str, Any]] = {}
    for contract in judging.load_registry():
        documents.setdefault(contract.event_type, {})[contract.version] = copy.deepcopy(
            dict(contract.schema)
        )
    change(documents[STARTED]["2.1"])
    return lambda: Registry(documents)


def only_titles(*names: str) -> Callable[[dict[str, Any]], Any]:
    def change(schema: dict[str, Any]) -> None:
        schema["properties"]["contentInfo"]["properties"]["titleId"] = {
            "type": "string",
            "enum": list(names),
        }

    return change


ALL_TITLES = ("title_x", "title_y", "title_z")


def test_a_record_that_a_contract_now_takes_is_released_from_quarantine(
    causes: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = contracts(only_titles(*ALL_TITLES, "no title"))
    monkeypatch.setattr(judging, "load_registry", loose)
    assert causes() == LATE + Counter(quarantine_released=1)


def test_a_record_that_a_contract_now_refuses_is_a_change_of_contract(
    causes: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "load_registry", contracts(only_titles("title_x", "title_y")))
    assert causes() == LATE + Counter(contract_changed=1)


def test_a_fold_that_is_declared_otherwise_is_a_change_of_code(
    causes: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics = {**USER_DAY.statistics, "plays": count(f"{PLAY} AND title_id = 'title_x'")}
    monkeypatch.setitem(FOLDS, USER_DAY.name, replace(USER_DAY, statistics=statistics))
    found = causes()
    assert found["unexplained"] == 0
    assert found["code_changed"] == 2  # ada saw two titles, dora another one


def test_an_upcaster_on_one_path_only_is_unexplained(
    causes: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(old: Column) -> Any:
        members = dict(upcaster(old))
        return {**members, "deviceInfo": {**members["deviceInfo"], "deviceType": F.lit("tablet")}}

    upcaster = UPCASTERS[STARTED, 2]
    monkeypatch.setitem(UPCASTERS, (STARTED, 2), wrong)
    assert causes() == LATE + Counter(unexplained=1)


def test_a_filter_on_one_path_only_is_unexplained(
    causes: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "deduplicate", lambda rows: rows)
    assert causes() == Counter(unexplained=1)  # ada's copy came at once; late's is on both sides


def test_what_was_deleted_from_bronze_is_erased_and_what_refine_has_not_read_is_in_flight(
    streamed: Lake, base_settings: Settings, tmp_path: Path
) -> None:
    root = tmp_path / "lake"
    shutil.copytree(streamed.root, root)
    lake = Lake(streamed.spark, str(root))
    lake.delete(BRONZE, "offset = 7")
    deliver(lake, [*HISTORY, [arrived(10, NOON + 4 * DAY, play("new"))]])
    found = recompute(lake, load_judge(base_settings.refine), base_settings.refine)
    assert found.causes == LATE + Counter(erased=1, in_flight=1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--check"], "has no bronze.events"),
        (["--check", "--report", "page.html"], "--report does not go with --check -> leave out"),
        (["--plan", "--report", "page.html"], "--report does not go with --plan -> leave out"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_why(
    spark: SparkSession, tmp_path: Path, options: list[str], told: str
) -> None:
    refused = CliRunner().invoke(main, [*options, "--set", f"lake.root={tmp_path}"])
    assert refused.exit_code != 0
    assert told in refused.stderr
    assert "Traceback" not in refused.output
