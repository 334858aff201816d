"""Promote: put a model into service by its alias, or return to the previous one."""

from __future__ import annotations

import logging

import click

from jobs.runtime.cli import job, refuse_ignored
from jobs.runtime.errors import DataError
from jobs.runtime.lake.address import absolute_root, shared_checkpoint
from jobs.runtime.lake.lake import open_lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.quality.gate import refuse_failing
from jobs.runtime.recommendations.model_registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    ModelRegistry,
    open_model_registry,
)
from jobs.runtime.recommendations.promotion import (
    LEARNT_FROM,
    challenger_of,
    previous_champion,
    promote,
    refuse,
)
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import PROMOTE

log = logging.getLogger(__name__)


@job
@refuse_ignored({"--list": (), "--back": ()})
@click.argument("version", required=False)
@click.option("--back", is_flag=True, help="Go back to the champion before this one.")
@click.option(
    "--if-better", is_flag=True, help="If the gate refuses VERSION, say so, and do not fail."
)
@click.option("--list", "show", is_flag=True, help="Show the versions that aliases point at.")
def main(settings: Settings, version: str | None, back: bool, if_better: bool, show: bool) -> None:
    """Promote VERSION (default: the challenger) to champion and publish it to Kafka.

    Refused if its training found it worse than the champion or not better than popularity, or
    judged it against another champion than today's, or if a blocker of quality failed on the tables
    that it was trained on. A repeat changes nothing.
    """
    registry = open_model_registry(settings.recommend, settings.lake.root)
    if show:
        for alias in (CHALLENGER, CHAMPION, PREVIOUS):
            click.echo(f"{alias:<12} {registry.version_of(alias) or '-'}")
        return
    with run_alone(shared_checkpoint(absolute_root(settings.lake.root), PROMOTE), PROMOTE):
        _promote(settings, registry, version, back=back, if_better=if_better)


def _promote(
    settings: Settings,
    registry: ModelRegistry,
    version: str | None,
    *,
    back: bool,
    if_better: bool,
) -> None:
    """Put a version into service, if the gate lets it: no other promotion comes between the two.

    Args:
        settings: settings of the lake, of Kafka and of the gate.
        registry: the model's registry.
        version: version to promote; None: the challenger.
        back: whether to go back to the previous champion, without a gate.
        if_better: whether a refusal by the gate is only logged.

    Raises:
        DataError: the gate refuses the version.
    """
    chosen = previous_champion(registry) if back else version or challenger_of(registry)
    if not back:
        try:
            refuse(registry, chosen)
        except DataError as refusal:
            if not if_better:
                raise
            log.warning("%s; version %s stays", refusal, registry.version_of(CHAMPION) or "(none)")
            return
        lake = open_lake("promote", settings)
        refuse_failing(lake, LEARNT_FROM, settings.quality, f"the promotion of version {chosen}")
    promote(settings, registry, chosen)
    log.info("%s version %s is the %s", registry.name, chosen, CHAMPION)


if __name__ == "__main__":
    main()
