"""Lateness: what a watermark or a look-back of each length would have missed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.pages import write_page
from jobs.runtime.quality.lateness import UNITS_S, figures, lateness_lines, measure_lateness, span
from jobs.runtime.settings import Settings

DELAYS = ("1m", "5m", "15m", "1h", "6h", "1d", "3d", "7d", "28d")


class Duration(click.ParamType[int]):
    """Option type: a whole number and its unit s, m, h or d, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Convert the option's text to seconds."""
        if isinstance(value, int):
            return value
        number, unit = value[:-1], value[-1:]
        if number.isdecimal() and unit in UNITS_S:
            return int(number) * UNITS_S[unit]
        return self.fail(f"{value!r} is not a duration such as 90s, 15m, 6h or 7d", param, ctx)


@job
@click.option(
    "--delay",
    "delays",
    type=Duration(),
    multiple=True,
    default=DELAYS,
    show_default=True,
    help="A length to judge. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the days.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page.")
def main(settings: Settings, delays: tuple[int, ...], as_json: bool, page: Path | None) -> None:
    """Count what would have been missed by a watermark, or by a look-back, of each length.

    A watermark drops an event that lies further behind the newest event time than its length. A
    look-back, such as a nightly job that rereads the last days, misses an event that took longer to
    arrive. Reads the events behind gold (docs/semantics.md, Lateness). playhead itself drops
    nothing late: these are the numbers by which to choose elsewhere.
    """
    lake = open_lake("lateness", settings)
    found = measure_lateness(lake, sorted(set(delays)))
    if page is not None:
        write_page(page, "lateness.html", found=found, span=span, **figures(found))
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, default=str))
        return
    for line in lateness_lines(found):
        click.echo(line)


if __name__ == "__main__":
    main()
