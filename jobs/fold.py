"""Fold: silver events to the gold tables, exactly once."""

from __future__ import annotations

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.generations import Superseded, live_lakes
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.gold import compact
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import FOLD
from jobs.runtime.streams.query import follow


@job
@click.option("--available-now", is_flag=True, help="Fold what silver holds now, then end.")
def main(settings: Settings, available_now: bool) -> None:
    """Fold silver events into the gold tables.

    Reads silver.playback, silver.ratings and the clicks of silver.engagement; appends the partial
    statistics of each micro-batch to gold.partials and compacts them into gold.<table> every
    fold.compact_every_batches. With a new checkpoint, or after a change of a fold's declaration, it
    first rebuilds the gold tables from silver in batch and then streams on. It follows a switch of
    generations, unless lake.generation names one.
    """
    for lake in live_lakes(FOLD, settings):
        with folding(lake, settings.fold, available_now=available_now) as run:
            follow(run, until=Superseded(lake))
        if available_now:
            compact(lake)


if __name__ == "__main__":
    main()
