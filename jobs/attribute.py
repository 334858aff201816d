"""Attribute: silver events to gold.experiment_user."""

from __future__ import annotations

import click

from jobs.runtime.cli import job
from jobs.runtime.experiments.attribution import attributing
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.lake.generations import Superseded, live_lakes
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import ATTRIBUTE
from jobs.runtime.streams.query import follow


@job
@click.option("--available-now", is_flag=True, help="Take what silver holds now, then end.")
def main(settings: Settings, available_now: bool) -> None:
    """Keep gold.experiment_user: the metrics of conf/experiments, measured for each user.

    Reads silver.experiments, silver.playback, silver.engagement and silver.ratings. A micro-batch
    recomputes the rows that its events can change. With a new checkpoint, or after a change of a
    definition, all rows are computed from silver first.
    """
    definitions = load_definitions()
    for lake in live_lakes(ATTRIBUTE, settings.tuned(settings.attribute.tuned_for)):
        with attributing(lake, settings.attribute, definitions, available_now=available_now) as run:
            follow(run, until=Superseded(lake))


if __name__ == "__main__":
    main()
