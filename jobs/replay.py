"""Replay: send real viewing history, as events, to Kafka."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from jobs.producers.exposures import with_exposures
from jobs.producers.faults import Faults
from jobs.producers.movielens import load
from jobs.producers.options import INSTANT, faults_option, truth_option
from jobs.producers.records import instant
from jobs.producers.replaying import Happenings, records, truth_of
from jobs.producers.sending import publish, require_topics, write_truth
from jobs.producers.viewing import history
from jobs.runtime.cli import job, refuse_ignored
from jobs.runtime.errors import SettingsError
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.settings import Settings

log = logging.getLogger(__name__)


@job
@refuse_ignored({}, needs={"--seed": "--faults"})
@click.option(
    "--times",
    type=click.Choice(["shifted", "kept"]),
    default="shifted",
    show_default=True,
    help="shifted: the history ends at --until; kept: it stays in 1997 and 1998.",
)
@click.option(
    "--until",
    type=INSTANT,
    help="When the shifted history ends, and what wrong clocks are ahead of. Default: now.",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second.")
@click.option("--limit", type=click.IntRange(min=1), help="Only this many events, the oldest.")
@faults_option
@click.option("--seed", default=0, show_default=True, help="Which events the faults hit.")
@truth_option
@click.option(
    "--definitions",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Assign each person to the experiments defined there as they first press play.",
)
def main(
    settings: Settings,
    times: str,
    until: int | None,
    rate: float | None,
    limit: int | None,
    faults: str,
    seed: int,
    truth: Path | None,
    definitions: Path | None,
) -> None:
    """Send the history of MovieLens 100K, about 300,000 events of real people, to Kafka."""
    if until is None:
        until = INSTANT.convert("now", None, None)
    elif times == "kept" and not faults:
        raise SettingsError("--until with --times kept and no --faults", "leave --until out")
    plan = Faults.parse(faults, seed)
    past = history(load())[:limit]
    shift_s = until // 1_000_000 - past[-1].at if times == "shifted" else 0
    moments: Happenings = past
    if definitions is not None:
        moments = with_exposures(past, load_definitions(definitions), shift_s)
    last = instant((moments[-1].at + shift_s) * 1_000_000)
    told = truth_of(moments, plan)
    write_truth(truth, {"times": times, "until": last, "seed": seed, **told.as_json()})
    with kafka_of(settings) as kafka:
        require_topics(kafka)
        log.info("replaying %s events, the last one of %s", f"{len(moments):,}", last)
        publish(records(moments, plan, shift_s, until), told.records, kafka, rate)


if __name__ == "__main__":
    main()
