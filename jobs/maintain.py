"""Maintain: compact small files, delete rows and files that are no longer needed."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jobs.runtime.cli import job
from jobs.runtime.lake.lake import open_live_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.maintenance.maintain import maintain, tasks
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import MAINTAIN


@job
@click.option("--plan", "planning", is_flag=True, help="Say what would be kept, and for whom.")
def main(settings: Settings, planning: bool) -> None:
    """Compact small files, delete old rows and unneeded files; beside running streams.

    maintain.* of conf/pipeline.yaml is the policy. Whatever it says, no file is deleted that a
    stream, also one whose checkpoint must be rebuilt, a generation being built, or a recent
    experiment result will read. Killed at any moment, the next run finishes.
    """
    lake = open_live_lake(MAINTAIN, settings)
    now = datetime.now(UTC)
    if planning:
        for task in tasks(lake, settings.maintain, settings.refine.duplicate_horizon_h, now):
            click.echo(str(task))
        return
    with run_alone(lake.shared_checkpoint(MAINTAIN), MAINTAIN):
        maintain(lake, settings, now)


if __name__ == "__main__":
    main()
