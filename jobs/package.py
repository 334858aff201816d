"""Package: all that spark-submit needs, in one folder, and the lines that submit the jobs."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import click

from jobs.runtime.cli import job
from jobs.runtime.errors import SettingsError
from jobs.runtime.jars import SPARK, resolve
from jobs.runtime.settings import CONF_DIR, HOME, Settings

CODE = ("jobs", "transforms")
ZIP = "playhead.zip"
LINES: Mapping[str, tuple[str, ...]] = {
    "Streams; with --available-now they end": ("ingest", "refine", "fold", "attribute"),
    "The three of them in one driver": ("stream",),
    "Nightly": ("recompute --switch", "quality", "generations retire"),
    "Recommendations": ("train", "promote", "score", "publish"),
    "Experiments": ("experiments results",),
}


@job
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("build/package"), show_default=True
)
@click.option("--master", default="spark://HOST:7077", show_default=True, help="In the lines.")
def main(settings: Settings, out: Path, master: str) -> None:
    """Gather code, conf and jars in a folder and print the lines that submit each kind of job.

    The folder can be copied to any machine that submits. Its conf/ may be edited there.
    """
    write_package(out)
    click.echo(f"{out} is complete. The Python of the driver and of the workers needs, once:\n")
    click.echo(f"    pip install -c {out / 'constraints.txt'} -r {out / 'requirements.txt'}")
    for kind, lines in LINES.items():
        click.echo(f"\n{kind}:\n")
        for line in lines:
            click.echo(f"    {shlex.join(submit(out, master, *line.split()))} --env cluster")


def submit(folder: Path, master: str, name: str, *arguments: str) -> list[str]:
    """The command that submits a job from a folder of `write_package`.

    Args:
        folder: of the package.
        master: the cluster's address.
        name: of the job.
        arguments: of the job.
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
    return file if (HOME / file).exists() else f"jobs/{name}/__main__.py"


def write_package(out: Path) -> None:
    """Fill a folder anew.

    It holds the jars, the zip that --py-files takes, and beside it jobs/ for its main files,
    transforms/ and conf/.

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
        shutil.copytree(HOME / name, out / name, ignore=shutil.ignore_patterns("__pycache__"))
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
    """What playhead needs, without its extras."""
    return (each for each in requires("playhead") or () if "extra ==" not in each)


if __name__ == "__main__":
    main()
