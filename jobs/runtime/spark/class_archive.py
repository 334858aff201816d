"""An archive of Spark's loaded classes (JVM class data sharing), so that jobs start faster.

The archive is in the Python environment that holds Spark's jars; its name is a digest of the Java
and the class path. The JVM checks both, and starts without the archive if either has changed. Until
it is whole it has another name, so that no job ever meets a part of one.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyspark
from filelock import FileLock, Timeout
from pyspark import SparkContext
from pyspark.sql import SparkSession

from jobs.runtime.spark.jars import SPARK, resolve
from jobs.runtime.spark.java import java_binary

_FOLDER = Path(sys.prefix)
_QUIETLY = "-Xlog:cds=off -Xlog:cds+dynamic=off"
_LOCK = _FOLDER / "spark-classes.lock"
_EXIT_S = 3600  # where every core has something better to do


def archive_file() -> Path:
    """The file of the archive for the current Java, Spark and jars, which need not exist."""
    of = (java_binary().resolve(), pyspark.__version__, *resolve(SPARK))
    digest = hashlib.sha256("\n".join(map(str, of)).encode()).hexdigest()[:12]
    return _FOLDER / f"spark-classes-{digest}.jsa"


def sharing() -> str:
    """The JVM options that use the archive, empty if there is none."""
    file = archive_file()
    return f"-XX:SharedArchiveFile={file} {_QUIETLY}" if file.exists() else ""


def is_wanted() -> bool:
    """Whether the archive is missing and nobody is making it.

    It belongs to the environment: a Python that is shared with others gets none, nor does one that
    cannot be written to.
    """
    is_own = sys.prefix != sys.base_prefix and os.access(_FOLDER, os.W_OK)
    if not is_own or archive_file().exists():
        return False
    try:
        with FileLock(_LOCK, timeout=0):
            return True
    except Timeout:
        return False


def archive(start: Callable[[str], SparkSession]) -> None:
    """Make the archive unless it is there, of the classes that a session has loaded when it ends.

    One process at a time makes it; others wait. All other archives, and what a process that was
    killed has left, are deleted. A JVM that writes none leaves an empty file, which every JVM
    ignores: it is not tried again.

    Args:
        start: function that starts a JVM with the given options, and returns a session that has
            done what a job does.
    """
    file = archive_file()
    with FileLock(_LOCK):
        if file.exists():
            return
        unfinished = file.with_suffix(f".{os.getpid()}")
        start(f"-XX:ArchiveClassesAtExit={unfinished} {_QUIETLY}").stop()
        gateway = SparkContext._gateway
        assert gateway is not None
        gateway.shutdown()
        gateway.proc.stdin.close()  # by which the JVM notices that it is no longer needed
        gateway.proc.wait(_EXIT_S)
        unfinished.touch()
        for other in {*_FOLDER.glob("spark-classes-*")} - {unfinished}:
            other.unlink(missing_ok=True)
        unfinished.replace(file)
