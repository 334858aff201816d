"""Generations: list the builds of silver and gold, switch readers, delete old builds."""

from __future__ import annotations

import click

from jobs.runtime.cli import job
from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.catalog_names import give_names
from jobs.runtime.lake.generations import Generation, generations
from jobs.runtime.lake.lake import Lake, open_live_lake
from jobs.runtime.maintenance.retirement import abandon, retire
from jobs.runtime.quality.gate import switch_readers
from jobs.runtime.settings import Settings


@click.group()
def main() -> None:
    """The generations of a lake's silver and gold (docs/semantics.md, Generations)."""


@job
def list_generations(settings: Settings) -> None:
    """List all generations, with what happened to each, and when."""
    lake = _lake(settings)
    live = lake.live()
    for generation in generations(lake).values():
        click.echo(_line(generation, live))


@job
@click.argument("generation", type=click.IntRange(min=1))
def switch_generation(settings: Settings, generation: int) -> None:
    """Switch readers to GENERATION; the same command switches back.

    Refused if a blocker failed in the newest check of its tables by python -m jobs.quality.
    """
    switch_readers(_lake(settings).of_generation(generation), settings)
    click.echo(f"generation {generation} is live")


@job
def retire_generations(settings: Settings) -> None:
    """Delete old generations, as lake.keep_generations and lake.unread_h allow."""
    policy = settings.lake
    gone = retire(_lake(settings), keep=policy.keep_generations, unread_h=policy.unread_h)
    click.echo(f"deleted: {', '.join(map(str, gone)) or 'none'}")


@job
@click.argument("generation", type=click.IntRange(min=1))
def abandon_build(settings: Settings, generation: int) -> None:
    """Give up the unfinished build of GENERATION, such as one that cannot be completed."""
    abandon(_lake(settings), generation)
    click.echo(f"generation {generation} is given up; python -m jobs.recompute begins another")


@job
def name_tables(settings: Settings) -> None:
    """Register all tables by name in lake.catalog; a switch does that for the new generation."""
    if settings.lake.catalog is None:
        raise SettingsError("lake.catalog is not set", "set it: --set lake.catalog=spark_catalog")
    give_names(_lake(settings), settings.lake.catalog)
    click.echo(f"the tables have their names in {settings.lake.catalog}")


main.add_command(list_generations, "list")


main.add_command(switch_generation, "switch")


main.add_command(retire_generations, "retire")


main.add_command(abandon_build, "abandon")
main.add_command(name_tables, "name")


def _lake(settings: Settings) -> Lake:
    """Open the lake at its live generation."""
    return open_live_lake("generations", settings)


def _line(generation: Generation, live: int) -> str:
    """A generation's origin, actions and UTC times as one line."""
    mark = "live" if generation.number == live else ""
    origin = (
        "streamed"
        if generation.bronze_version is None
        else f"built from bronze version {generation.bronze_version}"
    )
    told = ", ".join(f"{name} {at:%Y-%m-%d %H:%M:%S}" for name, at in generation.actions.items())
    return f"{generation.number:>4} {mark:<5} {origin}; {told}"


if __name__ == "__main__":
    main()
