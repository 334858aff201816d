"""Ingest, refine and fold together in one driver, where they take turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.gold import compact
from jobs.runtime.pipeline.ingest import ingesting
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.settings import KafkaSettings, Settings
from jobs.runtime.streams.backpressure import Backpressure
from jobs.runtime.streams.query import Run, follow


@contextmanager
def streaming(
    lake: Lake, judge: Judge, settings: Settings, kafka: KafkaSettings
) -> Iterator[list[Run]]:
    """Run all three queries, of which ingest waits with its next batch for the other two.

    Args:
        lake: the lake, at the generation to fill.
        judge: contracts and time bounds.
        settings: settings of all three queries.
        kafka: connection to the cluster that is read.

    Yields:
        The started queries: ingest, refine, fold. They are stopped at the end of the block.
    """
    with ExitStack() as stack:

        def started(query: AbstractContextManager[Run]) -> Run:
            """Start a query, and register it to be stopped at the end of the block."""
            run = stack.enter_context(query)
            stack.callback(run.stop)  # also if the next one cannot start
            return run

        refine = started(refining(lake, judge, settings.refine, available_now=False))
        fold = started(folding(lake, settings.fold, available_now=False))
        pressure = stack.enter_context(Backpressure([refine, fold]))
        ingest = ingesting(lake, settings, kafka, available_now=False, backpressure=pressure)
        yield [started(ingest), refine, fold]


def drain(lake: Lake, judge: Judge, settings: Settings, kafka: KafkaSettings) -> None:
    """Process everything that Kafka holds now through to gold, and compact.

    Args:
        lake: the lake, at the generation to fill.
        judge: contracts and time bounds.
        settings: settings of all three queries.
        kafka: connection to the cluster that is read.
    """
    with ingesting(lake, settings, kafka, available_now=True) as run:
        follow(run)
    with refining(lake, judge, settings.refine, available_now=True) as run:
        follow(run)
    with folding(lake, settings.fold, available_now=True) as run:
        follow(run)
    compact(lake)
