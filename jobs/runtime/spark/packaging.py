"""Packaging: all that spark-submit needs in one folder, and the command that submits a job."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from jobs.runtime.conf_files import CODE_DIR, CONF_DIR, HOME
from jobs.runtime.errors import SettingsError
from jobs.runtime.spark.jars import SPARK, resolve

CODE = ("jobs", "transforms")


ZIP = "playhead.zip"


def submit(folder: Path, master: str, name: str, *arguments: str) -> list[str]:
    """The command that submits a job from a folder of `write_package`.

    Args:
        folder: folder of the package.
        master: address of the cluster.
        name: name of the job.
        arguments: command-line arguments of the job.

    Returns:
        The words of the command line.
    """
    folder = folder.absolute()
    return [
        *("spark-submit", "--master", master),
        *("--jars", f"{folder}/jars/*.jar"),
        *("--py-files", str(folder / ZIP)),
        *(str(folder / main_file(name)), *arguments),
    ]


def main_file(name: str) -> str:
    """The file of a job, relative to the folder that holds jobs/."""
    file = f"jobs/{name}.py"
    return file if (CODE_DIR / file).exists() else f"jobs/{name}/__main__.py"


def write_package(out: Path) -> None:
    """Create or replace the package in a folder.

    It holds the jars, the zip for --py-files, and beside it jobs/ for its main files, transforms/
    and conf/.

    Args:
        out: folder of the package.

    Raises:
        SettingsError: the folder holds something else.
    """
    if out.exists():
        if not (out / ZIP).exists():
            raise SettingsError(
                f"{out} is no package of playhead", "name another folder with --out"
            )
        shutil.rmtree(out)
    for name in CODE:
        shutil.copytree(CODE_DIR / name, out / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CONF_DIR, out / "conf")
    (out / "jars").mkdir()
    for jar in resolve(SPARK):
        shutil.copy2(jar, out / "jars")
    with ZipFile(out / ZIP, "w", ZIP_DEFLATED) as packed:
        for file in sorted(file for name in CODE for file in (out / name).rglob("*")):
            packed.write(file, file.relative_to(out))
    shutil.copy2(HOME / "constraints.txt", out)
    (out / "requirements.txt").write_text("\n".join([*_requirements(), ""]), encoding="utf-8")


def _requirements() -> Iterator[str]:
    """The requirements of playhead, without its extras."""
    return (each for each in requires("playhead") or () if "extra ==" not in each)
