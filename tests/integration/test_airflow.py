"""The DAGs, by Airflow itself: `airflow dags test` on a real lake, tasks under spark-submit."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, RECOMMENDATIONS
from jobs.runtime.recommendations.model_registry import CHALLENGER, CHAMPION, open_model_registry
from jobs.runtime.settings import KafkaSettings, Settings, load_settings
from jobs.setup import write_spark_conf
from tests.oracles.pipeline import Raw
from tests.support.lakes import deliver, stream
from tests.support.strategies import INTERACTIONS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW = ROOT / ".venv-airflow" / "bin" / "python"
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
USERS, TITLES = 40, 24
UPSTREAM = {
    "nightly_recompute": {"build_and_compare": [], "check_and_switch": ["build_and_compare"]},
    "train": {"train": [], "promote": ["train"], "score": ["promote"], "publish": ["score"]},
    "tune": {"tune": [], "promote": ["tune"], "score": ["promote"], "publish": ["score"]},
    "experiment_results": {"attribute": [], "results": ["attribute"]},
    "quality": {"check": []},
    "maintenance": {"retire": [], "maintain": ["retire"]},
    "backfill": {
        "check_dates": [],
        "build_and_compare": ["check_dates"],
        "asked_to_switch": ["build_and_compare"],
        "check_and_switch": ["asked_to_switch"],
    },
}
MADE = {
    ("nightly_recompute", "check_and_switch"): ["gold"],
    ("backfill", "check_and_switch"): ["gold"],
    ("train", "publish"): ["recommendations"],
    ("tune", "publish"): ["recommendations"],
    ("experiment_results", "results"): ["experiment_results"],
    ("quality", "check"): ["quality"],
}


@dataclass(frozen=True)
class Airflow:
    """An Airflow of the test's own; `conf/airflow.sh` sets it up as it does for people."""

    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", '. conf/airflow.sh && exec "$@"', "sh", *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def succeeds(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout


def pair_events(number: int, user: int, title: int, at: datetime) -> Iterator[tuple[str, Any]]:
    """A play, and half an hour later its completion."""
    common = {
        "userId": f"u{user:02}",
        "sessionId": f"s{number}",
        "deviceInfo": {"deviceType": "smart_tv", "platform": "web"},
        "contentInfo": {"titleId": f"t{title:02}", "contentType": "movie", "duration": 5400},
        "playbackContext": {"source": "browse", "position": 0},
        "metadata": {"region": "eu-west-1"},
    }
    yield "VideoPlaybackStarted", {**common, "version": "2.1", "timestamp": at}
    watched = {"watchDuration": 5400, "completionPercentage": 100}
    done = {**common, **watched, "playbackContext": {"source": "browse", "position": 5400}}
    yield "VideoPlaybackCompleted", {**done, "version": "1.0", "timestamp": at + HOUR / 2}


def viewing() -> list[Raw]:
    """A catalogue; then even users watch even titles, odd users odd ones, with some noise."""
    chance = random.Random(11)
    pairs = [(user, title) for user in range(USERS) for title in range(TITLES)
             if chance.random() < (0.6 if title % 2 == user % 2 else 0.08)]  # fmt: skip
    chance.shuffle(pairs)
    start = NOW - (len(pairs) + 2) * HOUR
    told: list[tuple[str, dict[str, Any]]] = [
        ("ContentMetadataUpdated",
         {"version": "1.0", "timestamp": start, "titleId": f"t{title:02}",
          "name": f"Title {title}", "contentType": "movie", "genres": ["Drama"],
          "duration": 5400})
        for title in range(TITLES)
    ]  # fmt: skip
    for number, (user, title) in enumerate(pairs):
        told += pair_events(number, user, title, start + (number + 1) * HOUR)
    return [raw(offset, kind, event) for offset, (kind, event) in enumerate(told)]


def raw(offset: int, event_type: str, event: dict[str, Any]) -> Raw:
    at: datetime = event["timestamp"]
    topic = INTERACTIONS if "userId" in event else "content-metadata-updates"
    body = {**event, "eventType": event_type, "eventId": f"e{offset}", "timestamp": at.isoformat()}
    key = event.get("userId", event.get("titleId", "")).encode()
    return Raw(topic, 0, offset, key, json.dumps(body).encode(), int(at.timestamp() * 10**6))


@pytest.fixture(scope="module")
def lake(
    spark: SparkSession, base_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Lake:
    """A streamed lake."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("scheduled") / "lake"))
    lake.ensure([BRONZE])
    deliver(lake, [viewing()])
    stream(lake, base_settings)
    return lake


@pytest.fixture(scope="module")
def airflow(lake: Lake, broker: KafkaSettings, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    assert AIRFLOW.exists(), "Airflow is not installed: make airflow"
    apply_topics(broker, load_topics("local"))
    home = tmp_path_factory.mktemp("airflow")
    own_session = load_settings(overrides=["spark.driver_memory=2g"], environment={}).spark
    write_spark_conf(home / "spark", own_session)
    passed_on = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {
        **passed_on,
        "AIRFLOW_HOME": str(home),
        "SPARK_CONF_DIR": str(home / "spark"),
        "PLAYHEAD_LAKE__ROOT": lake.root,
        "PLAYHEAD_KAFKA__BOOTSTRAP_SERVERS": str(broker.bootstrap_servers),
    }
    airflow = Airflow(environment)
    airflow.succeeds("airflow", "db", "migrate")
    return airflow


@pytest.fixture(scope="module")
def found(airflow: Airflow) -> dict[str, Any]:
    """What Airflow finds in jobs/dags."""
    told = airflow.succeeds(str(AIRFLOW), "tests/support/dag_facts.py", "jobs/dags")
    facts: dict[str, Any] = json.loads(told.splitlines()[-1])
    return facts


def versions(lake: Lake) -> dict[str, int]:
    """The version of every Delta table below the lake, of all generations."""
    logs = Path(lake.root).rglob("_delta_log")
    return {str(log.parent): DeltaTable(str(log.parent)).version() for log in logs}


def test_every_dag_is_sound(found: dict[str, Any]) -> None:
    assert found["errors"] == {}
    assert not found["pyspark"], "a DAG imports Spark"
    tasks = {name: {task: facts["after"] for task, facts in dag["tasks"].items()}
             for name, dag in found["dags"].items()}  # fmt: skip
    assert tasks == UPSTREAM
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    for name, dag in found["dags"].items():
        assert dag["runs_at_once"] == 1
        assert not dag["catchup"]
        assert dag["timeout_s"]
        assert f"\n## {name}\n" in runbook
        for task, facts in dag["tasks"].items():
            assert facts["owner"] == "playhead"
            assert facts["timeout_s"] <= dag["timeout_s"]
            assert facts["retries"] >= (0 if task == "check_dates" else 1)
            assert facts["backoff"]
            [line] = facts["on_failure"]
            assert f"{name}.{task} failed" in line
            assert line.endswith(f"docs/runbook.md#{name}")
            assert facts["outlets"] == MADE.get((name, task), [])
            if facts["application"]:
                assert Path(facts["application"]).is_file()


def test_dags_set_each_other_off(found: dict[str, Any]) -> None:
    waits = {name: dag["waits_for"] for name, dag in found["dags"].items() if dag["waits_for"]}
    assert waits == {"train": ["gold"], "quality": ["gold", "recommendations"]}


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2026-02-30", "2026-03-01", "input for param first: '2026-02-30' is not a 'date'"),
        ("2026-02-02", "2026-02-01", "first=2026-02-02 is after last=2026-02-01: exchange them"),
        ("2026-02-01", "2026-03-31", "2026-02-01 to 2026-03-31 is more than 31 days"),
    ],
)
def test_a_date_outside_its_range_is_one_clear_message(
    airflow: Airflow, lake: Lake, first: str, last: str, message: str
) -> None:
    before = versions(lake)
    dates = json.dumps({"first": first, "last": last})
    done = airflow.run("airflow", "dags", "test", "backfill", "--conf", dates)
    assert done.returncode != 0
    assert message in done.stdout
    assert versions(lake) == before


def test_a_nightly_recompute_runs_end_to_end_and_a_rerun_changes_nothing(
    airflow: Airflow, lake: Lake
) -> None:
    dag = nightly(airflow, "nightly_recompute")
    dag()
    assert lake.live() == 2
    changes_nothing(lake, dag)


def test_a_training_runs_end_to_end_and_a_rerun_changes_nothing(
    airflow: Airflow, lake: Lake
) -> None:
    dag = nightly(airflow, "train")
    dag()
    live = Lake(lake.spark, lake.root)
    registry = open_model_registry(load_settings(environment={}).recommend, lake.root)
    assert (registry.version_of(CHALLENGER), registry.version_of(CHAMPION)) == ("1", "1")
    lists = live.read(RECOMMENDATIONS).where("user_id NOT LIKE '*%'").select("user_id")
    assert lists.distinct().count() == USERS
    changes_nothing(live, dag)
    assert registry.version_of(CHALLENGER) == "1"


def nightly(airflow: Airflow, dag: str) -> Callable[[], object]:
    """Runs a DAG, each time for the same logical date."""
    night = datetime.now(UTC).isoformat()
    return lambda: airflow.succeeds("airflow", "dags", "test", dag, night)


def changes_nothing(lake: Lake, work: Callable[[], object]) -> None:
    before = versions(lake)
    work()
    assert versions(lake) == before
