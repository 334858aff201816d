"""Find the Java that Spark and the embedded broker run on: 17 or 21."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jobs.runtime.errors import ServiceError

SUPPORTED = (17, 21)
USUAL_HOMES = (
    "/usr/lib/jvm/*",
    "/opt/java/*",
    "/opt/homebrew/opt/openjdk@*",
    "/usr/local/opt/openjdk@*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
)


@cache
def java_binary() -> Path:
    """The java executable of JAVA_HOME, else of PATH, else of a usual folder.

    Raises:
        ServiceError: none of them is Java 17 or 21; the remedy is the command that installs one.
    """
    for candidate in _candidates():
        if _major_version(candidate) in SUPPORTED:
            return candidate
    raise ServiceError(
        "no Java 17 or 21 in JAVA_HOME, on PATH or in the usual folders",
        "Debian, Ubuntu: sudo apt-get install openjdk-17-jre-headless; "
        "Fedora: sudo dnf install java-21-openjdk-headless; macOS: brew install openjdk@21",
    )


def _candidates() -> Iterator[Path]:
    """Java executables to try, in order, which need not exist.

    Yields:
        Path of each executable.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    for pattern in USUAL_HOMES:
        yield from sorted(Path("/").glob(f"{pattern.lstrip('/')}/bin/java"))


def _major_version(java: Path) -> int | None:
    """The major version of a java executable, None if it cannot be run or does not say."""
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.search(r'version "(\d+)', shown.stderr)
    return int(found[1]) if found else None
