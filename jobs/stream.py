"""Stream: ingest, refine and fold together in one driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import click

from jobs.fold import folding
from jobs.ingest import ingesting
from jobs.refine import refining
from jobs.runtime.backpressure import Backpressure
from jobs.runtime.broker import kafka_of
from jobs.runtime.cli import job
from jobs.runtime.generations import Superseded, live_lakes
from jobs.runtime.gold import compact
from jobs.runtime.lake import Lake
from jobs.runtime.settings import KafkaSettings, Settings
from jobs.runtime.streams import Run, follow


@job
@click.option("--available-now", is_flag=True, help="Take what is there through, then end.")
def main(settings: Settings, available_now: bool) -> None:
    """Run ingest, refine and fold in one driver: Kafka to gold.

    The three queries are those of jobs.ingest, jobs.refine and jobs.fold, on the same
    checkpoints: run them together on a small machine, apart on a large one. Here they take turns:
    a batch of ingest lasts until gold has it, or for ten seconds if the other two are far behind.
    """
    with kafka_of(settings) as kafka:
        for lake in live_lakes("stream", settings):
            if available_now:
                drain(lake, settings, kafka)
                continue
            with streaming(lake, settings, kafka) as runs:
                follow(*runs, until=Superseded(lake))


@contextmanager
def streaming(lake: Lake, settings: Settings, kafka: KafkaSettings) -> Iterator[list[Run]]:
    """All three queries, started; ingest waits with its next batch for the other two."""
    with ExitStack() as stack:

        def started(query: AbstractContextManager[Run]) -> Run:
            run = stack.enter_context(query)
            stack.callback(run.stop)  # also if the next one cannot start
            return run

        refine = started(refining(lake, settings.refine, available_now=False))
        fold = started(folding(lake, settings.fold, available_now=False))
        pressure = stack.enter_context(Backpressure([refine, fold]))
        ingest = ingesting(lake, settings, kafka, available_now=False, backpressure=pressure)
        yield [started(ingest), refine, fold]


def drain(lake: Lake, settings: Settings, kafka: KafkaSettings) -> None:
    """Take everything that Kafka holds now through to gold, and compact."""
    with ingesting(lake, settings, kafka, available_now=True) as run:
        follow(run)
    with refining(lake, settings.refine, available_now=True) as run:
        follow(run)
    with folding(lake, settings.fold, available_now=True) as run:
        follow(run)
    compact(lake)


if __name__ == "__main__":
    main()
