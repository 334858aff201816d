"""Apache Ivy, which ships inside pyspark: from Maven coordinates to jars, without Maven.

Ivy fetches one file after another, and for each asks for its metadata and that of all it needs.
So what a class path needs is resolved once, when a version changes (`needed_jars`), and what was
resolved is fetched by several Ivys side by side that ask for nothing else (`download`).
"""

from __future__ import annotations

import logging
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pyspark

from jobs.runtime.errors import ServiceError
from jobs.runtime.spark.java import java_binary

log = logging.getLogger(__name__)

AT_ONCE = 4
# the repository is Ivy's own default
WITHOUT_METADATA = (
    '<ivysettings><settings defaultResolver="jars"/><resolvers>'
    '<ibiblio name="jars" m2compatible="true" usepoms="false"/></resolvers></ivysettings>'
)
_FOR_A_SHORT_RUN = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_FOUND = re.compile(r"\tfound (?P<organisation>.+)#(?P<artifact>.+);(?P<revision>\S+) in ")
_FETCHED = re.compile(r"\t\[SUCCESSFUL \] (?P<jar>.+)!")


def download(coordinates: Sequence[str], folder: Path) -> str:
    """Download jars, several at once; Ivy compares each with its checksum.

    Args:
        coordinates: `organisation:artifact:revision` of each jar.
        folder: folder that they are put in, which need not exist.

    Returns:
        Why a jar is missing, empty if none is.
    """
    fetched = count(1)

    def show(line: str) -> None:
        """Log each jar that is there."""
        if jar := _FETCHED.match(line):
            log.info("%d of %d jars: %s", next(fetched), len(coordinates), jar["jar"])

    def run(part: Sequence[str]) -> str:
        """Download some of the jars; why that failed, or nothing."""
        with tempfile.TemporaryDirectory(prefix="playhead-ivy-") as scratch:
            settings = Path(scratch, "settings.xml")
            settings.write_text(WITHOUT_METADATA, encoding="utf-8")
            return _run_ivy(part, folder, Path(scratch), show, "-settings", str(settings))

    parts = [coordinates[first::AT_ONCE] for first in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = list(pool.map(run, filter(None, parts)))
    missing = {jar_name(each) for each in coordinates} - {jar.name for jar in folder.glob("*.jar")}
    return next(filter(None, problems), f"Ivy left out {min(missing)}") if missing else ""


def needed_jars(roots: Sequence[str]) -> list[str]:
    """The coordinates of the jars that artifacts need, they included, as their metadata say.

    Args:
        roots: `organisation:artifact:revision` of each artifact.

    Raises:
        ServiceError: a jar cannot be found; names the first problem that Ivy reports.
    """
    with tempfile.TemporaryDirectory(prefix="playhead-ivy-") as scratch:
        jars, lines = Path(scratch, "jars"), list[str]()
        reason = _run_ivy(roots, jars, Path(scratch), lines.append, transitive=True)
        if reason:
            raise ServiceError(
                f"what {', '.join(roots)} need could not be resolved: {reason}",
                "correct the coordinates, or connect this machine to a Maven repository",
            )
        found = (":".join(match.groups()) for match in map(_FOUND.match, lines) if match)
        return sorted(each for each in found if (jars / jar_name(each)).exists())


def jar_name(coordinate: str) -> str:
    """The file name of the jar of `organisation:artifact:revision`."""
    _, artifact, revision = coordinate.split(":")
    return f"{artifact}-{revision}.jar"


def _run_ivy(
    coordinates: Sequence[str],
    folder: Path,
    scratch: Path,
    show: Callable[[str], None],
    *options: str,
    transitive: bool = False,
) -> str:
    """Run Ivy to its end.

    Args:
        coordinates: `organisation:artifact:revision` of each artifact to fetch.
        folder: folder that the jars are put in.
        scratch: folder for Ivy's own files.
        show: function that is given each line that Ivy prints.
        options: more options of Ivy.
        transitive: whether it also fetches what they need.

    Returns:
        The first problem that it reports, empty if it succeeded.
    """
    module = scratch / "ivy.xml"
    module.write_text(_module(coordinates, transitive), encoding="utf-8")
    ivy = next((Path(pyspark.__path__[0]) / "jars").glob("ivy-*.jar"))
    command = [
        *(str(java_binary()), *_FOR_A_SHORT_RUN, "-jar", str(ivy), "-ivy", str(module), *options),
        *("-confs", "default", "-types", "jar", "bundle", "-cache", str(scratch / "cache")),
        *("-retrieve", f"{folder}/[artifact]-[revision].[ext]"),
    ]
    problem = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            show(line)
            if not problem and ("not found" in line or "FAILED" in line):
                problem = line.strip()
    return (problem or "Ivy gave no reason") if process.returncode else ""


def _module(coordinates: Sequence[str], transitive: bool) -> str:
    """The ivy.xml that depends on the coordinates, and if transitive on what they need."""
    parts = (coordinate.split(":") for coordinate in coordinates)
    dependencies = "".join(
        f'<dependency org="{organisation}" name="{artifact}" rev="{revision}" '
        f'transitive="{str(transitive).lower()}" conf="default->default"/>'
        for organisation, artifact, revision in parts
    )
    return (
        '<ivy-module version="2.0"><info organisation="playhead" module="jars"/>'
        '<configurations><conf name="default"/></configurations>'
        f"<dependencies>{dependencies}</dependencies></ivy-module>"
    )
