"""Ingest: every topic from Kafka to bronze.events, unchanged, exactly once."""

from __future__ import annotations

import click

from jobs.runtime.cli import job
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.kafka.offsets import HeldBackWatch
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.lake import open_live_lake
from jobs.runtime.pipeline.ingest import ingesting
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import INGEST
from jobs.runtime.streams.query import follow


@job
@click.option("--available-now", is_flag=True, help="Land what Kafka holds now, then end.")
def main(settings: Settings, available_now: bool) -> None:
    """Land every topic of conf/topics.yaml in bronze.events.

    Reads Kafka, appends to bronze.events, keeps its offsets in the lake's checkpoints. Killed at
    any moment, it continues from the last batch without losing or repeating a record. Records that
    a producer's open transaction holds back are reported, with who holds them; they land when it
    ends. A topic that was deleted and created again is landed from its start, under places of its
    own, once the loss of its earlier records that had not landed is accepted.
    """
    with kafka_of(settings) as kafka:
        lake = open_live_lake(INGEST, settings)
        held_back = HeldBackWatch(kafka, list(load_topics(settings.profile)))
        with ingesting(lake, settings, kafka, available_now=available_now) as run:
            follow(run, until=held_back)
        if available_now:
            held_back.look()


if __name__ == "__main__":
    main()
