"""A standalone cluster of Spark for tests: a master and two small workers, from pyspark itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark

from jobs.runtime.kafka.embedded_broker import GUARD
from jobs.runtime.spark.java import java_binary
from jobs.runtime.spark.packaging import submit
from tests.support.processes import Process

SPARK_HOME = Path(pyspark.__path__[0])
LOOPBACK = "127.0.0.1"
MASTER = re.compile(r"(spark://127\.0\.0\.1:\d+)$|Registering worker")
NOTHING = re.compile("(?!)")
SAID = re.compile(r"error: .*|(?:ingest|refine|fold): batch (\d+)")


def environment() -> dict[str, str]:
    """What Spark's scripts are told, and the drivers and workers that they start."""
    return {
        "SPARK_HOME": str(SPARK_HOME),
        "JAVA_HOME": str(java_binary().resolve().parents[1]),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": "",  # jobs and transforms come from the package
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_DAEMON_MEMORY": "256m",
    }


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        master: its address.
        workers: each with the executors that it started.
        at_end: ends what runs on it.
    """

    master: str
    workers: list[Process]
    at_end: ExitStack


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster for the life of the block; each worker offers one core and 1 GB."""
    with ExitStack() as stack:
        master = stack.enter_context(
            _daemon(folder / "master.lock", "master.Master", "--port", "0", pattern=MASTER)
        )
        master.await_line(0)
        address = master.found[0][1]
        workers = [
            stack.enter_context(
                _daemon(
                    folder / f"worker-{number}.lock",
                    "worker.Worker",
                    *("--cores", "1", "--memory", "1g"),
                    *("--work-dir", str(folder / f"worker-{number}"), address),
                    pattern=NOTHING,
                )
            )
            for number in (1, 2)
        ]
        master.await_line(len(workers))
        assert not master.ended, "the cluster did not start"
        yield Cluster(address, workers, stack)


def submitted(package: Path, cluster: Cluster, *job: str, options: tuple[str, ...] = ()) -> Process:
    """A job under spark-submit, by the line that `make package` prints.

    Args:
        package: the folder of the package.
        cluster: where to; the job ends with it at the latest.
        job: its name and arguments.
        options: of spark-submit.
    """
    program, *line = submit(package, cluster.master, *job)
    command = [str(SPARK_HOME / "bin" / program), "--driver-memory", "1g", *options, *line]
    process = Process(command, SAID, **environment())
    cluster.at_end.callback(process.kill)
    return process


@contextmanager
def _daemon(lock: Path, name: str, *arguments: str, pattern: re.Pattern[str]) -> Iterator[Process]:
    """A daemon that ends with the block, and with this process however that ends."""
    guard = [sys.executable, "-I", str(GUARD), str(lock), str(SPARK_HOME / "bin" / "spark-class")]
    options = ["--host", LOOPBACK, "--webui-port", "0", *arguments]
    command = [*guard, f"org.apache.spark.deploy.{name}", *options]
    process = Process(command, pattern, **environment())
    try:
        yield process
    finally:
        process.kill()
