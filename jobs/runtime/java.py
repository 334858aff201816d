"""Find the Java that Spark and the embedded broker run on: 17 or 21."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from jobs.runtime.errors import ServiceError

SUPPORTED = (17, 21)


@cache
def java_binary() -> Path:
    """The java executable of JAVA_HOME or else of PATH.

    Raises:
        ServiceError: neither is Java 17 or 21; the remedy is the command that installs one.
    """
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path))
    for candidate in candidates:
        if _major_version(candidate) in SUPPORTED:
            return candidate
    raise ServiceError(
        "no Java 17 or 21 in JAVA_HOME or on PATH",
        "Debian, Ubuntu: apt-get install openjdk-17-jre-headless; "
        "Fedora: dnf install java-21-openjdk-headless; macOS: brew install openjdk@21",
    )


def _major_version(java: Path) -> int | None:
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.search(r'version "(\d+)', shown.stderr)
    return int(found[1]) if found else None
