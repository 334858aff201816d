"""Release: judge quarantined records again; those that are valid now go to silver."""

from __future__ import annotations

import logging
from typing import Any

import click

from jobs.runtime.cli import AwareInstant, job, refuse_ignored
from jobs.runtime.lake.lake import open_live_lake
from jobs.runtime.lake.tables import QUARANTINE
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.release import Selection, finish, preview, release
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import RELEASE
from transforms.events.reasons import Reason

log = logging.getLogger(__name__)


class Offsets(click.ParamType[tuple[int, int]]):
    """Option type: a range of offsets as FIRST-LAST, both included, or one offset."""

    name = "offsets"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Convert the option's text to the first and the last offset."""
        first, _, last = value.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            self.fail(f"{value!r} is no range such as 100-250", param, ctx)
        return int(first), int(last or first)


@job
@refuse_ignored({"--finish": ()}, needs={"--partition": "--topic", "--offsets": "--partition"})
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([str(reason) for reason in Reason]),
    metavar="REASON",
    help="Records in quarantine for this reason, such as unknown_version. Repeatable.",
)
@click.option("--from", "arrived_from", type=AwareInstant(), help="Arrived at this or later.")
@click.option("--until", "arrived_until", type=AwareInstant(), help="Arrived at this or earlier.")
@click.option("--topic", help="Records of this topic.")
@click.option("--partition", type=int, help="Records of this partition of the topic.")
@click.option(
    "--offsets", type=Offsets(), metavar="FIRST-LAST", help="These offsets of the partition."
)
@click.option("--dry-run", is_flag=True, help="Only say what would become of them; write nothing.")
@click.option("--finish", "finishing", is_flag=True, help="Only finish a release that was killed.")
def main(settings: Settings, dry_run: bool, finishing: bool, **chosen: Any) -> None:
    """Judge quarantined records again, by the present contracts, code and settings.

    Valid records go to their silver table and leave silver.quarantine; silver.released keeps their
    whole row of quarantine. The others stay as they are. Without a selection all of quarantine is
    judged. jobs.refine must not run meanwhile. Killed at any moment, --finish does the rest, or the
    next release does, before it decides anything itself.

    python -m jobs.release --reason unknown_version --from 2026-11-01T00:00:00Z
    """
    lake, judge = open_live_lake(RELEASE, settings), load_judge(settings.refine)
    lake.require(QUARANTINE)
    if finishing:
        number = finish(lake, judge)
        log.info("no release was killed" if number is None else f"release {number} is finished")
        return
    work = preview if dry_run else release
    found = work(lake, judge, Selection(**chosen))
    for fate, records in sorted(found.items()):
        log.info("%9s %s", f"{records:,}", fate)


if __name__ == "__main__":
    main()
