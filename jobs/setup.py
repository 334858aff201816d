"""Prepare this machine: Java, then the jars of Spark and of the embedded broker."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import click

from jobs.runtime.cli import job
from jobs.runtime.errors import ServiceError
from jobs.runtime.jars import BROKER, SPARK, resolve
from jobs.runtime.java import java_binary
from jobs.runtime.settings import Settings

# Debian 12 and Ubuntu have the first, Debian 13 only the second
DEBIAN_PACKAGES = ("openjdk-17-jre-headless", "openjdk-21-jre-headless")


@job
def main(settings: Settings) -> None:
    """Find or install Java and fetch the jars; does nothing when both are there."""
    click.echo(f"java: {_java()}")
    for bundle in (SPARK, BROKER):
        click.echo(f"{bundle.name}: {len(resolve(bundle))} jars in {bundle.folder}")


def _java() -> Path:
    try:
        return java_binary()
    except ServiceError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
    _install_java()
    return java_binary()


def _install_java() -> None:
    """Install Java from Debian's or Ubuntu's own packages, as root."""
    click.echo("java: installing it with apt-get")
    _apt_get("update")
    for package in DEBIAN_PACKAGES:
        if _apt_get("install", "--yes", "--no-install-recommends", package):
            return


def _apt_get(*arguments: str) -> bool:
    command = [
        "apt-get",
        "--quiet",
        "--quiet",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Use-Pty=0",
        *arguments,
    ]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    main()
