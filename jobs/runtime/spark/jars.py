"""The jars of Spark's connectors and of the embedded broker: fetched once, then local files.

jars.txt lists them by their coordinates; who changes those below has Ivy write it anew, by
`python -m jobs.setup --resolve-jars`. `resolve` leaves them in a cache folder (PLAYHEAD_CACHE, else
~/.cache/playhead). Later runs find them there and open no connection.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import pyspark
from filelock import FileLock

from jobs.runtime.errors import ServiceError
from jobs.runtime.spark.ivy import download, jar_name, needed_jars

log = logging.getLogger(__name__)

_LIST = "jars.txt"


@dataclass(frozen=True)
class Bundle:
    """Jars for one class path.

    Attributes:
        name: name of the bundle.
        coordinates: artifacts that are asked for, `organisation:artifact:revision`.
    """

    name: str
    coordinates: tuple[str, ...]

    @property
    def jars(self) -> Sequence[str]:
        """The coordinates of all its jars: those, and what they need."""
        return _listed()[self.name]

    @property
    def folder(self) -> Path:
        """The cache folder of the bundle's jars, whose name changes when one of them does."""
        digest = hashlib.sha256("\n".join(self.jars).encode()).hexdigest()[:12]
        return cache_dir() / "jars" / f"{self.name}-{digest}"


SPARK = Bundle(
    "spark",
    (
        "io.delta:delta-spark_4.2_2.13:4.4.0",
        "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
        "com.globalmentor:hadoop-bare-naked-local-fs:0.1.0",
    ),
)
BROKER = Bundle(
    "broker",
    ("org.apache.kafka:kafka_2.13:4.2.0", "org.slf4j:slf4j-simple:1.7.36"),  # logs to stderr
)


def cache_dir() -> Path:
    """The folder for downloads that all checkouts share."""
    return Path(os.environ.get("PLAYHEAD_CACHE", Path.home() / ".cache" / "playhead"))


def resolve(bundle: Bundle) -> list[Path]:
    """The jars of a bundle, downloaded first if the cache does not hold them.

    Returns:
        Paths of the jars, sorted.

    Raises:
        ServiceError: the repository cannot be reached and the cache does not hold the bundle.
    """
    folder = bundle.folder
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / "lock"):
            if not folder.is_dir():
                _fetch(bundle, folder)
    return sorted(folder.glob("*.jar"))


def _fetch(bundle: Bundle, folder: Path) -> None:
    """Download a bundle into its folder, holding the lock of the cache.

    Raises:
        ServiceError: Ivy failed; names its reason.
    """
    begun = time.monotonic()
    for left_by_a_kill in folder.parent.glob("fetching-*"):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as scratch:
        jars = Path(scratch, "jars")
        if reason := download(bundle.jars, jars):
            raise ServiceError(
                f"the {bundle.name} jars could not be fetched: {reason}",
                "connect this machine to a Maven repository once, or copy a filled "
                f"{cache_dir()} from another machine",
            )
        shutil.move(jars, folder)
    log.info("the %s jars were fetched in %.0f s", bundle.name, time.monotonic() - begun)


def list_jars() -> None:
    """Write jars.txt anew: all that the bundles need, as Ivy resolves it, which takes minutes.

    Raises:
        ServiceError: Ivy cannot find a jar.
    """
    needed = {bundle.name: needed_jars(bundle.coordinates) for bundle in (SPARK, BROKER)}
    shipped = {_artifact(jar.name) for jar in (Path(pyspark.__path__[0]) / "jars").glob("*.jar")}
    needed[SPARK.name] = [
        each for each in needed[SPARK.name] if _artifact(jar_name(each)) not in shipped
    ]
    lines = (f"{name} {each}\n" for name, coordinates in needed.items() for each in coordinates)
    Path(__file__).with_name(_LIST).write_text("".join(lines), encoding="utf-8")
    _listed.cache_clear()


def _artifact(jar: str) -> str:
    """The name of a jar's artifact, without version."""
    return re.sub(r"-\d.*", "", jar.removesuffix(".jar"))


@cache
def _listed() -> Mapping[str, Sequence[str]]:
    """The coordinates of jars.txt, by bundle."""
    listed: dict[str, list[str]] = {}
    for line in files(__package__).joinpath(_LIST).read_text(encoding="utf-8").splitlines():
        name, coordinate = line.split()
        listed.setdefault(name, []).append(coordinate)
    return listed
