"""The jars of Spark's connectors and of the embedded broker: resolved once, then local files.

`resolve` runs the Ivy that ships inside pyspark, so no Maven is needed, and leaves the jars in
a cache folder (PLAYHEAD_CACHE, else ~/.cache/playhead). Later runs find them there and open no
connection.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyspark
from filelock import FileLock

from jobs.runtime.errors import ServiceError
from jobs.runtime.spark.java import java_binary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bundle:
    """Jars for one class path.

    Attributes:
        name: name of the bundle.
        coordinates: root artifacts, `organisation:artifact:revision`.
    """

    name: str
    coordinates: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The cache folder of the bundle's jars, whose name changes when the coordinates do."""
        digest = hashlib.sha256("\n".join(self.coordinates).encode()).hexdigest()[:12]
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
    """Download a bundle into its folder.

    Raises:
        ServiceError: Ivy failed; names its reason.
    """
    log.info("fetching the %s jars, once; about a minute", bundle.name)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        module = Path(scratch) / "ivy.xml"
        module.write_text(_ivy_module(bundle.coordinates), encoding="utf-8")
        jars = Path(scratch) / "jars"
        ivy = next((Path(pyspark.__path__[0]) / "jars").glob("ivy-*.jar"))
        command = [
            *(str(java_binary()), "-jar", str(ivy), "-ivy", str(module), "-confs", "default"),
            *("-types", "jar", "bundle", "-cache", str(cache_dir() / "ivy")),
            *("-retrieve", f"{jars}/[artifact]-[revision].[ext]"),
        ]
        reason = _run_ivy(command)
        if reason or not jars.is_dir():
            raise ServiceError(
                f"the {bundle.name} jars could not be fetched: {reason}",
                "connect this machine to a Maven repository once, or copy a filled "
                f"{cache_dir()} from another machine",
            )
        if bundle is SPARK:
            _drop_what_spark_ships(jars)
        shutil.move(jars, folder)


def _run_ivy(command: Sequence[str]) -> str:
    """Run Ivy, and log each module that it finds.

    Returns:
        The first problem that it reports, empty if it succeeded.
    """
    trouble = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as ivy:
        for line in ivy.stdout or ():
            if line.startswith("\tfound "):
                log.info("%s", line.split()[1])
            elif "not found" in line or "FAILED" in line:
                trouble = trouble or line.strip()
    return (trouble or "Ivy gave no reason") if ivy.returncode else ""


def _drop_what_spark_ships(jars: Path) -> None:
    """Delete the jars of artifacts that pyspark ships itself."""
    shipped = {_artifact(jar) for jar in (Path(pyspark.__path__[0]) / "jars").glob("*.jar")}
    for jar in jars.glob("*.jar"):
        if _artifact(jar) in shipped:
            jar.unlink()


def _artifact(jar: Path) -> str:
    """The name of a jar's artifact, without version."""
    return re.sub(r"-\d.*", "", jar.stem)


def _ivy_module(coordinates: Sequence[str]) -> str:
    """The ivy.xml that depends on the coordinates."""
    parts = (coordinate.split(":") for coordinate in coordinates)
    dependencies = "".join(
        f'<dependency org="{organisation}" name="{artifact}" rev="{revision}" '
        'conf="default->default"/>'
        for organisation, artifact, revision in parts
    )
    return (
        '<ivy-module version="2.0"><info organisation="playhead" module="jars"/>'
        '<configurations><conf name="default"/></configurations>'
        f"<dependencies>{dependencies}</dependencies></ivy-module>"
    )
