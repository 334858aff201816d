"""Compare: what users would notice if readers were switched from one generation to another."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from jobs.runtime.cli import AwareInstant, PageFile, job
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.lake.lake import open_live_lake
from jobs.runtime.recompute.impact import PERCENT, TOP, impact
from jobs.runtime.recompute.impact_page import as_json_text, impact_lines, write_impact
from jobs.runtime.settings import Settings


@job
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1))
@click.option(
    "--percent",
    type=click.IntRange(min=0),
    default=PERCENT,
    show_default=True,
    help="A number moved if it changed by more than so much of its old value.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=TOP,
    show_default=True,
    help="How much of a list people see.",
)
@click.option(
    "--at",
    type=AwareInstant(),
    metavar="INSTANT",
    default=lambda: datetime.now(UTC).isoformat(),
    help="The instant that the decisions are of. Default: now.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--page", type=PageFile(), help="Write a page, and JSON beside it.")
def main(
    settings: Settings,
    old: int,
    new: int,
    percent: int,
    top: int,
    at: datetime,
    as_json: bool,
    page: Path | None,
) -> None:
    """Report what would change for users if readers were switched from generation OLD to NEW.

    Features of users that moved, top lists of recommendations that changed, decisions of
    experiments that flipped, and business totals. Nothing is written. Why rows differ is the
    subject of parity, in python -m jobs.recompute. Lists are compared if NEW has lists of its own:
    python -m jobs.score --set lake.generation=NEW makes them.
    """
    lake = open_live_lake("compare", settings)
    found = impact(lake, old, new, load_definitions(), percent=percent, top=top, at=at)
    if page is not None:
        write_impact(found, page)
    if as_json:
        click.echo(as_json_text(found))
        return
    for line in impact_lines(found):
        click.echo(line)


if __name__ == "__main__":
    main()
