"""Prepare this machine: Java, the jars of Spark and of the embedded broker, spark-submit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from pyspark.sql import SparkSession

from jobs.runtime.cli import job
from jobs.runtime.errors import ServiceError
from jobs.runtime.settings import Settings, SparkSettings
from jobs.runtime.spark.class_archive import archive, is_wanted
from jobs.runtime.spark.jars import BROKER, SPARK, list_jars, resolve
from jobs.runtime.spark.java import java_binary
from jobs.runtime.spark.session import JAVA_OPTIONS, spark_session

LOWEST_PRIORITY = 19
ARCHIVE_LOG = Path(sys.prefix) / "spark-classes.log"
# Debian 12 and Ubuntu have the first, Debian 13 only the second
DEBIAN_PACKAGES = ("openjdk-17-jre-headless", "openjdk-21-jre-headless")


@job
@click.option(
    "--spark-conf",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write a SPARK_CONF_DIR to this folder, by which spark-submit runs jobs here.",
)
@click.option(
    "--class-archive",
    is_flag=True,
    help="Wait until there is an archive of Spark's classes; else it is made in the background.",
)
@click.option(
    "--resolve-jars",
    is_flag=True,
    help="After a change of their versions: ask Ivy which jars are needed, and list them anew.",
)
def main(settings: Settings, folder: Path | None, class_archive: bool, resolve_jars: bool) -> None:
    """Find or install Java and fetch the jars; does nothing when both are there."""
    click.echo(f"java: {_java()}")
    if resolve_jars:
        list_jars()
    for bundle in (SPARK, BROKER):
        click.echo(f"{bundle.name}: {len(resolve(bundle))} jars in {bundle.folder}")
    if folder is not None:
        write_spark_conf(folder, settings.spark)
    if class_archive:
        archive(lambda java_options: _worked(settings, java_options))
    elif is_wanted():
        _archive_in_background()


def _archive_in_background() -> None:
    """Start this job once more, to make the archive of classes while the machine is idle."""
    click.echo(f"spark: archiving its classes in the background, for faster starts: {ARCHIVE_LOG}")
    with ARCHIVE_LOG.open("w") as log:
        made = subprocess.Popen(
            [sys.executable, "-m", "jobs.setup", "--class-archive"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a terminal that is closed does not end it
        )
    os.setpriority(os.PRIO_PROCESS, made.pid, LOWEST_PRIORITY)


def write_spark_conf(folder: Path, settings: SparkSettings) -> None:
    """Write this machine's spark-defaults.conf and spark-env.sh: jars, Python, memory, Java.

    Args:
        folder: folder of the two files.
        settings: settings of Spark.
    """
    properties = {
        "spark.jars": ",".join(map(str, resolve(SPARK))),
        "spark.pyspark.python": sys.executable,
        "spark.pyspark.driver.python": sys.executable,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
        "spark.log.level": "ERROR",
        "spark.ui.enabled": "false",
    }
    lines = [f"{key} {value}\n" for key, value in properties.items()]
    java_home = java_binary().resolve().parents[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    (folder / "spark-env.sh").write_text(f'export JAVA_HOME="{java_home}"\n', encoding="utf-8")


def _worked(settings: Settings, java_options: str) -> SparkSession:
    """A session that has run a stream over an empty lake.

    Args:
        settings: settings of refine and of Spark.
        java_options: options of its Java virtual machine.
    """
    from jobs.runtime.lake.lake import Lake
    from jobs.runtime.pipeline.judging import load_judge  # 1 s, for the one time
    from jobs.runtime.pipeline.refine import refining
    from jobs.runtime.streams.query import follow

    own = settings.spark.model_copy(update={"java_options": java_options})
    with tempfile.TemporaryDirectory(prefix="playhead-setup-") as root:
        lake = Lake(spark_session("setup", own), root)
        with refining(
            lake, load_judge(settings.refine), settings.refine, available_now=True
        ) as run:
            follow(run)
        return lake.spark


def _java() -> Path:
    """Find Java; as root, where there is apt-get, install it if it is missing.

    Returns:
        The path of the java binary.

    Raises:
        ServiceError: there is no Java and it cannot be installed.
    """
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
    """Run apt-get without questions.

    Returns:
        True if it succeeded.
    """
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
