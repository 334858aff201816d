"""A job that two people, or a schedule and a person, start at once: the second ends in one line."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from jobs.erase import main as erase
from jobs.experiments import main as experiments
from jobs.maintain import main as maintain
from jobs.profile.__main__ import main as profile
from jobs.publish import main as publish
from jobs.quality import main as quality
from jobs.recompute import main as recompute
from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.locks import run_alone, wait_for_lock
from jobs.runtime.lake.tables import QUALITY
from jobs.runtime.quality.expectations import load_expectations
from jobs.runtime.quality.measurement import FINDINGS, Finding, pin_tables, store_findings
from jobs.runtime.streams.queries import OF_THE_LAKE
from jobs.score import main as score
from jobs.train import main as train
from jobs.tune import main as tune

ALONE: dict[str, tuple[Command, list[str]]] = {
    "train": (train, []),
    "tune": (tune, []),
    "score": (score, []),
    "publish": (publish, []),
    "quality": (quality, []),
    "results": (experiments, ["results", "--no-publish"]),
    "profile": (profile, ["rebuild"]),
    "maintain": (maintain, []),
    "recompute": (recompute, []),
    "erase": (erase, ["ada"]),
}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, empty_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One empty lake for all: a job that is refused writes nothing."""
    root = tmp_path_factory.mktemp("side-by-side") / "lake"
    shutil.copytree(empty_lake, root)
    return Lake(spark, str(root))


def run(lake: Lake, command: Command, arguments: list[str]) -> Result:
    return CliRunner().invoke(command, [*arguments, "--set", f"lake.root={lake.root}"])


@pytest.mark.parametrize("job", ALONE)
def test_the_second_of_a_job_ends_at_once_in_one_line(lake: Lake, job: str) -> None:
    lock = lake.shared_checkpoint(job)
    versions = {table: lake.version(table) for table in load_expectations()}
    with run_alone(lock, job):
        second = run(lake, *ALONE[job])
    assert second.exit_code == 4
    assert second.output.splitlines()[-1] == (
        f"error: {job}: another process is using {lock}: the same job, or an erasure "
        "-> wait until it has ended, then start this one again"
    )
    assert {table: lake.version(table) for table in versions} == versions


@pytest.mark.parametrize("job", OF_THE_LAKE)
def test_an_erasure_begins_beside_none_of_them(lake: Lake, job: str) -> None:
    with run_alone(lake.shared_checkpoint(job), job):
        refused = run(lake, erase, ["ada"])
    assert refused.exit_code == 4
    assert f"error: {job}: another process is using" in refused.output


def test_findings_of_checks_side_by_side_are_all_stored(lake: Lake, tmp_path: Path) -> None:
    own = Lake(lake.spark, str(tmp_path / "lake"))
    own.ensure([QUALITY, "silver.health"])
    [schema, *_] = load_expectations()["silver.health"]
    finding = Finding("silver.health", schema, "as declared", "as declared", passed=True)
    at, lock = pin_tables(own), own.shared_checkpoint(FINDINGS)
    with ThreadPoolExecutor() as pool:
        with wait_for_lock(lock, QUALITY, 60):
            second = pool.submit(store_findings, at, [finding], datetime.now(UTC))
            own.mark(QUALITY, Transaction("quality", own.version(QUALITY)))
        second.result()
    assert own.read(QUALITY).count() == 1


def test_who_waits_too_long_for_a_lock_is_told_which(tmp_path: Path) -> None:
    lock = str(tmp_path / "log")
    with (
        run_alone(lock, "it"),
        pytest.raises(DataError, match=r"ops\.x: another process has held .*log\.lock for 0 s"),
        wait_for_lock(lock, "ops.x", 0.01),
    ):
        pass
