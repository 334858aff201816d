"""Send synthetic events to Kafka: any number, deterministic for a seed, with faults on request.

At full speed, Spark makes and sends them on all cores; at a rate, one process does, and an event
happens when it is sent. The same options with the same --until send the same bytes. The same
options at another time send the same event ids, so the events are duplicates of the first; for
other events use another --seed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import click

from jobs.producers.bulk import send_in_bulk
from jobs.producers.faults import Faults
from jobs.producers.options import INSTANT, faults_option, truth_option
from jobs.producers.population import Population
from jobs.producers.records import instant
from jobs.producers.sending import Progress, publish, require_topics, write_truth
from jobs.producers.simulation import Clock, Simulation
from jobs.runtime.cli import job, refuse_ignored
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.settings import KafkaSettings, Settings, SparkSettings
from jobs.runtime.spark.session import spark_session
from transforms.instants import micros_of

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
CHUNKS_A_JOB = 64  # a Spark job for every 260,000 events, to log progress in between
COUNT = click.IntRange(min=1)


@job
@refuse_ignored({"--rate": ("--events", "--users", "--titles", "--seed", "--faults", "--truth")})
@click.option("--events", type=COUNT, default=100_000, show_default=True)
@click.option("--users", type=COUNT, default=10_000, show_default=True)
@click.option("--titles", type=COUNT, default=1_000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--until", type=INSTANT, default="now", help="When the last event happens. Default: now."
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=28.0,
    show_default=True,
    help="Over how many days up to --until the events are spread.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Events a second, happening as they are sent, in place of --until and --days.",
)
@faults_option
@truth_option
def main(
    settings: Settings,
    events: int,
    users: int,
    titles: int,
    seed: int,
    until: int,
    days: float,
    rate: float | None,
    faults: str,
    truth: Path | None,
) -> None:
    """Send synthetic events of users who watch, rate, search and take part in experiments."""
    clock = Clock(until - int(days * DAY_US), days * DAY_US / events)
    run = Simulation(Population(users, titles, seed), events, clock, Faults.parse(faults, seed))
    told = run.truth()
    facts = {"events": events, "users": users, "titles": titles, "seed": seed}
    with kafka_of(settings) as kafka:
        require_topics(kafka)
        if rate:
            run = replace(run, clock=Clock(micros_of(datetime.now(UTC)), SECOND_US / rate))
        write_truth(truth, {**facts, "until": instant(run.until), **told.as_json()})
        if rate:
            records = chain.from_iterable(map(run.records, range(run.chunks)))
            publish(records, told.records, kafka, rate * told.records / events)
        else:
            _send_in_bulk(run, told.records, settings.spark, kafka)


def _send_in_bulk(
    run: Simulation, records: int, settings: SparkSettings, kafka: KafkaSettings
) -> None:
    """Send all chunks through Spark, CHUNKS_A_JOB in each of its jobs, and log the progress."""
    spark = spark_session("simulate", settings)
    progress = Progress(records)
    for start in range(0, run.chunks, CHUNKS_A_JOB):
        chunks = range(start, min(start + CHUNKS_A_JOB, run.chunks))
        send_in_bulk(spark, chunks, run.records, kafka)
        progress.show(records * chunks.stop // run.chunks)
    progress.finish(records)


if __name__ == "__main__":
    main()
