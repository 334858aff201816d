"""Package: everything that spark-submit needs in one folder, and the commands that submit jobs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from jobs.runtime.cli import job
from jobs.runtime.settings import Settings
from jobs.runtime.spark.packaging import submit, write_package

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
    """Collect code, conf and jars in a folder, and print the commands that submit each kind of job.

    The folder can be copied to any machine that submits. Its conf/ may be edited there.
    """
    write_package(out)
    click.echo(f"{out} is complete. The Python of the driver and of the workers needs, once:\n")
    click.echo(f"    pip install -c {out / 'constraints.txt'} -r {out / 'requirements.txt'}")
    for kind, lines in LINES.items():
        click.echo(f"\n{kind}:\n")
        for line in lines:
            click.echo(f"    {shlex.join(submit(out, master, *line.split()))} --env cluster")


if __name__ == "__main__":
    main()
