"""What only tells writes nothing: no version of a table, no table, no folder, no lock."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from jobs.erase import main as erase
from jobs.maintain import main as maintain
from jobs.recompute import main as recompute
from jobs.release import main as release
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import LEDGER, RELEASED
from jobs.runtime.settings import load_settings
from jobs.topics import main as topics
from tests.support.lakes import deliver, stream, written
from tests.support.strategies import Delivery, arrived, examples, plays

SETTINGS = load_settings(environment={})
TELLING = [
    (release, ["--dry-run"]),
    (erase, ["ada", "--dry-run"]),
    (erase, ["--pending", "--dry-run"]),
    (recompute, ["--plan"]),
    (recompute, ["--check"]),
    (maintain, ["--plan"]),
]


@pytest.fixture(scope="module")
def filled(spark: SparkSession, empty_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a user's play and a broken record, and without the locks of those who filled."""
    root = tmp_path_factory.mktemp("dry") / "lake"
    shutil.copytree(empty_lake, root)
    lake = Lake(spark, str(root))
    event = {**examples(plays, 1)[0], "userId": "ada", "eventId": "e1"}
    sound = Delivery("user-interactions", b"ada", json.dumps(event).encode())
    deliver(lake, [arrived([sound, sound._replace(value=b"{")])])
    stream(lake, SETTINGS)
    for lock in root.rglob("*.lock"):
        lock.unlink()
    return lake


def run(lake: Lake, command: click.Command, *arguments: str) -> str:
    done = CliRunner().invoke(command, [*arguments, "--set", f"lake.root={lake.root}"])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(("command", "arguments"), TELLING)
def test_a_command_that_only_tells_writes_nothing(
    filled: Lake, command: click.Command, arguments: list[str]
) -> None:
    before = written(filled)
    run(filled, command, *arguments)
    after = written(filled)
    assert after.keys() == before.keys()
    assert after == before


def test_a_dry_run_makes_no_table_that_a_release_would(filled: Lake, tmp_path: Path) -> None:
    root = shutil.copytree(filled.root, tmp_path / "lake")
    lake = Lake(filled.spark, str(root))
    for table in (RELEASED, LEDGER, "silver.health"):
        shutil.rmtree(lake.path(table))
    before = written(lake)
    run(lake, release, "--dry-run")
    assert written(lake) == before


def test_a_plan_of_topics_makes_no_broker(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    done = CliRunner().invoke(topics, ["--plan", "--set", f"lake.root={root}"])
    assert done.exit_code == 0, done.output
    assert [line.split()[1] for line in done.output.splitlines()] == 7 * ["create"]
    assert not root.exists()
