"""Spark's classes as the JVM read them once, so that a job starts without reading them again.

The archive lies in the Python environment whose jars it is of. The JVM holds it to its own version
and to the jars, and starts without it if either has changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

ARCHIVE = Path(sys.prefix) / "spark-classes.jsa"
_QUIETLY = "-Xlog:cds=off -Xlog:cds+dynamic=off"
_EXIT_S = 300


def sharing() -> str:
    """The JVM's options to start with the archive; none where there is no archive."""
    return f"-XX:SharedArchiveFile={ARCHIVE} {_QUIETLY}" if ARCHIVE.exists() else ""


def archive(start: Callable[[str], SparkSession]) -> None:
    """Make the archive of the classes that a session has loaded when it ends.

    A JVM that makes none leaves an empty file, which every JVM ignores: it is not asked again.

    Args:
        start: starts a JVM with the options that it is given, and a session that has done what a
            job does.
    """
    unfinished = ARCHIVE.with_suffix(f".{os.getpid()}")
    start(f"-XX:ArchiveClassesAtExit={unfinished} {_QUIETLY}").stop()
    gateway = SparkContext._gateway
    assert gateway is not None
    gateway.shutdown()
    gateway.proc.stdin.close()  # which is how the JVM learns that nobody needs it any more
    gateway.proc.wait(_EXIT_S)
    unfinished.touch()
    unfinished.replace(ARCHIVE)
