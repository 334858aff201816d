"""Training sets: a spine of users and instants, with the features that they had then."""

from __future__ import annotations

import logging

import click

from jobs.runtime.cli import job
from jobs.runtime.features.training_sets import (
    newest_versions,
    read_spine,
    training_set,
    versions_behind,
    write_new,
)
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.settings import Settings
from transforms.features.as_of import DAYS

QUERY = "training-set"


log = logging.getLogger(__name__)


@job
@click.argument("spine")
@click.argument("out")
@click.option("--known", is_flag=True, help="Only what had arrived by then, too.")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    multiple=True,
    default=DAYS,
    show_default=True,
    help="Length of a window. Repeatable.",
)
@click.option(
    "--like", metavar="PATH", help="Read the versions that this training set was made from."
)
def main(
    settings: Settings, spine: str, out: str, known: bool, days: tuple[int, ...], like: str | None
) -> None:
    """Join the rows of SPINE with the features of their users at their instants, into OUT.

    SPINE is a Delta table, a Parquet file or folder, or a CSV file with a header. It has user_id
    and at, an instant with its time zone; its other columns, such as a label, are copied.

    OUT becomes a new Delta table: the spine, the features (docs/semantics.md, Features as of an
    instant) and built_from, the versions they were computed from. An event at the very instant is
    not in the features. With --known, neither is an event from before that arrived later.
    """
    lake = open_lake(QUERY, settings)
    asked = read_spine(lake.spark, spine, sorted(set(days)))
    pins = newest_versions(lake) if like is None else versions_behind(lake, like)
    rows = training_set(lake, asked, pins, days=sorted(set(days)), known=known)
    write_new(rows, out)
    log.info("%s holds the features of %s", out, ", ".join(f"{t} at {v}" for t, v in pins.items()))


if __name__ == "__main__":
    main()
