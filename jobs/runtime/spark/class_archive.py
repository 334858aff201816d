"""Spark's classes as the JVM read them once, so that a job starts without reading them again.

The archive lies in the Python environment whose jars it is of, under a name of the Java and the
class path that it is of. The JVM holds it to both, and starts without it if either has changed.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyspark
from pyspark import SparkContext
from pyspark.sql import SparkSession

from jobs.runtime.spark.jars import SPARK, resolve
from jobs.runtime.spark.java import java_binary

_FOLDER = Path(sys.prefix)
_QUIETLY = "-Xlog:cds=off -Xlog:cds+dynamic=off"
_EXIT_S = 300


def archive_file() -> Path:
    """Where the archive is of the Java, the Spark and the jars that are in use now."""
    of = (java_binary().resolve(), pyspark.__version__, *resolve(SPARK))
    digest = hashlib.sha256("\n".join(map(str, of)).encode()).hexdigest()[:12]
    return _FOLDER / f"spark-classes-{digest}.jsa"


def sharing() -> str:
    """The JVM's options to start with the archive; none where there is no archive."""
    file = archive_file()
    return f"-XX:SharedArchiveFile={file} {_QUIETLY}" if file.exists() else ""


def archive(start: Callable[[str], SparkSession]) -> None:
    """Make the archive of the classes that a session has loaded when it ends; drop all others.

    A JVM that makes none leaves an empty file, which every JVM ignores: it is not asked again.

    Args:
        start: starts a JVM with the options that it is given, and a session that has done what a
            job does.
    """
    file = archive_file()
    unfinished = file.with_suffix(f".{os.getpid()}")
    start(f"-XX:ArchiveClassesAtExit={unfinished} {_QUIETLY}").stop()
    gateway = SparkContext._gateway
    assert gateway is not None
    gateway.shutdown()
    gateway.proc.stdin.close()  # which is how the JVM learns that nobody needs it any more
    gateway.proc.wait(_EXIT_S)
    unfinished.touch()
    for other in _FOLDER.glob("spark-classes*.jsa"):
        other.unlink(missing_ok=True)
    unfinished.replace(file)
