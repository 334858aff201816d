"""Refine: bronze.events to silver tables, quarantine and ledger, exactly once."""

from __future__ import annotations

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.generations import Superseded, live_lakes
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import REFINE
from jobs.runtime.streams.query import follow


@job
@click.option("--available-now", is_flag=True, help="Refine what bronze holds now, then end.")
def main(settings: Settings, available_now: bool) -> None:
    """Turn bronze records into silver rows, quarantine rows and counted duplicates.

    Reads bronze.events; writes silver.*, silver.quarantine and ops.ledger. What a batch read, less
    the rows that it wrote, is counted as duplicates; if it wrote more, it fails unsealed. Killed at
    any moment, it repeats its last batch without side effects. It follows a switch of generations,
    unless lake.generation names one.
    """
    judge = load_judge(settings.refine)
    for lake in live_lakes(REFINE, settings):
        with refining(lake, judge, settings.refine, available_now=available_now) as run:
            follow(run, until=Superseded(lake))


if __name__ == "__main__":
    main()
