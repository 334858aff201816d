"""Stream: ingest, refine and fold together in one driver."""

from __future__ import annotations

import click

from jobs.runtime.cli import job
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.kafka.offsets import HeldBackWatch
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.generations import Superseded, live_lakes
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.together import drain, streaming
from jobs.runtime.settings import Settings
from jobs.runtime.streams.query import follow


@job
@click.option("--available-now", is_flag=True, help="Take what is there through, then end.")
def main(settings: Settings, available_now: bool) -> None:
    """Run ingest, refine and fold in one driver: Kafka to gold.

    The three queries are those of jobs.ingest, jobs.refine and jobs.fold, on the same checkpoints:
    run them together on a small machine, apart on a large one. Here they take turns: a batch of
    ingest lasts until gold has it, or for ten seconds if the other two have a large backlog.
    """
    judge = load_judge(settings.refine)
    with kafka_of(settings) as kafka:
        held_back = HeldBackWatch(kafka, list(load_topics(settings.profile)))
        for lake in live_lakes("stream", settings):
            if available_now:
                drain(lake, judge, settings, kafka)
                held_back.look()
                continue
            with streaming(lake, judge, settings, kafka) as runs:
                follow(*runs, until=held_back.beside(Superseded(lake)))


if __name__ == "__main__":
    main()
