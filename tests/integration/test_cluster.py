"""Jobs under spark-submit, on a real standalone cluster, from the package alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.conf_files import HOME
from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.lake import Lake
from jobs.runtime.settings import KafkaSettings, load_settings
from jobs.runtime.spark.packaging import ZIP, main_file, write_package
from tests.e2e.chaos import FAULTS
from tests.support.cluster import SPARK_HOME, Cluster, environment, running, submitted
from tests.support.processes import Process
from tests.support.promises import assert_promises, landed

pytestmark = pytest.mark.slow
JOBS = sorted(file.stem for file in (HOME / "jobs").glob("[a-z]*.py"))
HELP = """
import runpy, sys
for file in sys.argv[1:]:
    sys.argv = [file, "--help"]
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as end:
        print(file, end.code)
"""
CONF = """
import json, sys
from jobs.runtime.spark.session import spark_session
from jobs.runtime.settings import load_settings
spark = spark_session("probe", load_settings().spark)
print(json.dumps({key: spark.conf.get(key, None) for key in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "playhead"
    write_package(folder)
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def test_every_job_starts_from_the_package_as_spark_submit_starts_it(package: Path) -> None:
    """As by PythonRunner: the zip on PYTHONPATH, and the folder of the main file before it."""
    script = package / "jobs" / "help.py"
    script.write_text(HELP)
    files = [str(package / main_file(name)) for name in [*JOBS, "profile"]]
    done = subprocess.run(
        [sys.executable, str(script), *files],
        env={**environment(), "PYTHONPATH": str(package / ZIP)},
        capture_output=True,
        text=True,
        cwd=package.parent,
    )
    script.unlink()
    ended_well = [line.removesuffix(" 0") for line in done.stdout.splitlines() if line[-2:] == " 0"]
    started = {line for line in ended_well if line in files}
    assert started == {file for file in files if _is_job(Path(file))}, done.stderr


def _is_job(file: Path) -> bool:
    return 'if __name__ == "__main__":' in file.read_text()


def test_what_the_submitter_sets_wins_except_over_what_results_depend_on(
    package: Path, tmp_path: Path
) -> None:
    script = tmp_path / "probe.py"
    script.write_text(CONF)
    submitter = {
        "spark.master": "local[1]",
        "spark.app.name": "ours",
        "spark.driver.memory": "700m",
        "spark.sql.shuffle.partitions": "3",
        "spark.databricks.delta.snapshotPartitions": "5",
    }
    others = {
        "spark.sql.maxConcurrentOutputFileWriters": "16",
        "spark.sql.session.timeZone": "UTC",
    }
    conf = {**submitter, "spark.sql.session.timeZone": "Asia/Tokyo"}
    done = subprocess.run(
        [
            str(SPARK_HOME / "bin" / "spark-submit"),
            *(part for key, value in conf.items() for part in ("--conf", f"{key}={value}")),
            *("--jars", f"{package}/jars/*.jar", "--py-files", str(package / ZIP)),
            *(str(script), *submitter, *others),
        ],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {**submitter, **others}, done.stderr


def test_a_cluster_without_a_large_enough_worker_is_told_in_one_line(
    package: Path, cluster: Cluster, tmp_path: Path
) -> None:
    job = submitted(
        package,
        cluster,
        *("generations", "list", "--set", "spark.executor_wait_s=3"),
        *("--set", f"lake.root={tmp_path}"),
        options=("--executor-memory", "3g"),
    )
    assert job.exit_code() == ServiceError.exit_code
    [said] = _said(job)
    assert said.startswith(
        f"error: {cluster.master} gave this job no executor in 3 s; one asks for 3g of memory -> "
    )


def test_a_worker_killed_in_mid_batch_changes_nothing_in_the_result(
    package: Path, cluster: Cluster, broker: KafkaSettings, spark: SparkSession, tmp_path: Path
) -> None:
    root = tmp_path / "lake"
    root.mkdir()
    # a URI, as an object store has one, for a folder that all workers share
    mounted = f"spark.hadoop.fs.viewfs.mounttable.store.link./lake={root.as_uri()}"
    overrides = [
        "lake.root=viewfs://store/lake",
        f"kafka.bootstrap_servers={broker.bootstrap_servers}",
        "ingest.max_events_per_batch=1500",
        "refine.max_bytes_per_batch=100k",  # a few batches, so that some come after the kill
    ]
    told = [part for override in overrides for part in ("--set", override)]

    def job(*line: str) -> Process:
        return submitted(package, cluster, *line, *told, options=("--conf", mounted))

    apply_topics(broker, load_topics("local"))
    simulated = ("simulate", "--events", "3000", "--users", "200", "--titles", "50")
    assert job(*simulated, "--faults", FAULTS).exit_code() == 0
    streaming = job("stream", "--available-now")
    while not _said(streaming)[-1:] or not _said(streaming)[-1].startswith("refine"):
        streaming.await_line(streaming.lines)
        assert not streaming.ended, _said(streaming)
    before = streaming.lines
    cluster.workers[0].kill()
    assert streaming.exit_code() == 0, _said(streaming)
    after = _said(streaming)[before:]
    assert any(line.startswith("refine") for line in after), "nothing was left to do at the kill"
    lake = Lake(spark, str(root))
    assert_promises(lake, load_settings(overrides=overrides, environment={}), landed(lake))


def _said(job: Process) -> list[str]:
    return [line[0] for line in job.found]
