"""kill -9 of the real processes, on a real broker, while events keep arriving."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.lake import Lake
from jobs.runtime.settings import load_settings
from tests.promises import assert_promises, landed

FAULTS = (
    "duplicates=0.05,late=0.02,out_of_order=0.05,malformed=0.02,wrong_key=0.01,old_versions=0.1"
)
BATCH = re.compile(r"(ingest|refine|fold): batch \d+")
KILLS = 3
BATCHES = 3  # each life has new events, so at least one batch of each query


@contextmanager
def running(root: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A job in a process group of its own, killed with all its children at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--set", f"lake.root={root}"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finished(root: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", *command, "--set", f"lake.root={root}"], check=True)


def await_lines(process: subprocess.Popen[str], pattern: re.Pattern[str], lines: int) -> None:
    """Return when the job has said so many lines like this; fail if it ends before."""
    assert process.stderr is not None
    for line in process.stderr:
        lines -= bool(pattern.search(line))
        if lines == 0:
            return
    pytest.fail(f"{process.args} ended by itself")


@pytest.mark.slow
def test_jobs_killed_at_random_lose_and_double_nothing(spark: SparkSession, tmp_path: Path) -> None:
    root, chance = tmp_path / "lake", random.Random(11)
    simulate = ("jobs.simulate", "--events", "2000", "--users", "60", "--titles", "20")
    with running(root, "jobs.broker") as broker:
        await_lines(broker, re.compile("embedded broker at"), 1)
        finished(root, "jobs.topics")
        for life in range(KILLS):
            finished(root, *simulate, "--faults", FAULTS, "--seed", str(life))
            with running(root, "jobs.stream") as stream:
                await_lines(stream, BATCH, chance.randint(1, BATCHES))
        finished(root, "jobs.stream", "--available-now")
    lake = Lake(spark, str(root))
    settings = load_settings(overrides=[f"lake.root={root}"], environment={})
    assert_promises(lake, settings, landed(lake))
