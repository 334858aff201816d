"""Replay real people's history into Kafka: MovieLens 100K as catalogue, playback and rating events.

jobs/sources/viewing.py says what becomes of a rating; jobs/sources/faults.py what can go wrong.

With shifted times the whole history is moved so that its last event falls on one instant, the
anchor, and every gap is kept. The anchor is fixed once, before the first event is sent: were it
read again for each event, a slow replay would stretch the history. With kept times the events are
of 1997 and 1998, and refine takes them only with a larger refine.oldest_event_days.

Two replays, whatever their anchors, carry the same eventIds, so within the duplicate horizon the
second one adds nothing but duplicates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from jobs.runtime.broker import kafka_of
from jobs.runtime.cli import job
from jobs.runtime.definitions import load_definitions
from jobs.runtime.settings import Settings
from jobs.sources.exposures import Exposure, with_exposures
from jobs.sources.faults import Faults, Truth, deliver
from jobs.sources.movielens import load
from jobs.sources.options import INSTANT, faults_option, truth_option
from jobs.sources.publish import publish, require_topics, write_truth
from jobs.sources.records import Record, instant, record_of
from jobs.sources.viewing import Moment, history

log = logging.getLogger(__name__)

CHUNK = 4096
Happenings = Sequence[Moment | Exposure]


@job
@click.option(
    "--times",
    type=click.Choice(["shifted", "kept"]),
    default="shifted",
    show_default=True,
    help="shifted: the history ends at --until; kept: it stays in 1997 and 1998.",
)
@click.option(
    "--until", type=INSTANT, default="now", help="When the shifted history ends. Default: now."
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
    until: int,
    rate: float | None,
    limit: int | None,
    faults: str,
    seed: int,
    truth: Path | None,
    definitions: Path | None,
) -> None:
    """Send the history of MovieLens 100K, about 300,000 events of real people, to Kafka."""
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


def records(moments: Happenings, plan: Faults, shift_s: int, until: int) -> Iterator[Record]:
    """The records of a history, faults included, in the order in which they are sent.

    Args:
        moments: the events, in order of time.
        plan: the faults.
        shift_s: seconds that every event time is moved forward.
        until: the anchor in microseconds since 1970, which a wrong clock is ahead of.
    """
    for number, part in _chunks(moments):
        lots = plan.draw([moment.event_type for moment in part], number)
        yield from deliver((record_of(moment.body(shift_s)) for moment in part), lots, until)


def truth_of(moments: Happenings, plan: Faults) -> Truth:
    """What `records` sends, and what must become of it."""
    told = Truth()
    for number, part in _chunks(moments):
        event_types = [moment.event_type for moment in part]
        told.add(event_types, plan.draw(event_types, number))
    return told


def _chunks(moments: Happenings) -> Iterator[tuple[int, Happenings]]:
    for number, start in enumerate(range(0, len(moments), CHUNK)):
        yield number, moments[start : start + CHUNK]


if __name__ == "__main__":
    main()
