"""Notebooks: execute notebooks over a lake, and write each as a self-contained page."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from jobs.runtime.cli import job, name_and_value
from jobs.runtime.notebooks import notebook, notebooks, write_notebook_page
from jobs.runtime.settings import Settings


@job
@click.argument("names", nargs=-1, metavar="[NOTEBOOK]...")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/notebooks",
    show_default=True,
    help="Folder of the pages.",
)
@click.option(
    "--with",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value for a name of a notebook's first cell, as experiment=home-row-order. "
    "Repeatable.",
)
def main(settings: Settings, names: tuple[str, ...], to: Path, given: tuple[str, ...]) -> None:
    """Run notebooks over the lake and write each as a page: NOTEBOOK.html.

    NOTEBOOK is the name of a file in notebooks/ without its ending; default: all of them. They read
    lake.root at lake.generation, and write nothing to it.
    """
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    asked = dict(name_and_value("--with", one) for one in given)
    for file in [notebook(name) for name in names] or notebooks():
        click.echo(write_notebook_page(file, to, settings, asked))


if __name__ == "__main__":
    main()
