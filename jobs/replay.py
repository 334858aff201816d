"""Replay: send real viewing history, as events, to Kafka: a file of your own, or MovieLens 100K."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click

from jobs.producers.exposures import with_exposures
from jobs.producers.faults import Faults
from jobs.producers.history_mapping import load_mapping
from jobs.producers.history_replay import HistoryReplay
from jobs.producers.movielens import load
from jobs.producers.options import INSTANT, faults_option, truth_option
from jobs.producers.records import instant
from jobs.producers.replaying import Happenings, records, truth_of
from jobs.producers.sending import publish, require_topics, write_truth
from jobs.producers.viewing import history
from jobs.runtime.cli import job, refuse_ignored
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.settings import Settings

log = logging.getLogger(__name__)


EVENTS_SHOWN = 3
FILE = click.Path(path_type=Path, dir_okay=False)


@job
@refuse_ignored(
    {"--from": ("--mapping", "--rate", "--limit", "--dry-run")},
    needs={
        **{"--seed": "--faults", "--from": "--mapping", "--mapping": "--from"},
        "--dry-run": "--from",
    },
)
@click.option("--from", "source", type=FILE, help="A file of your own, in place of MovieLens.")
@click.option("--mapping", type=FILE, help="YAML: which events the rows of --from become.")
@click.option("--dry-run", is_flag=True, help="Check all rows of --from, and send nothing.")
@click.option(
    "--times",
    type=click.Choice(["shifted", "kept"]),
    default="shifted",
    show_default=True,
    help="shifted: MovieLens ends at --until; kept: it stays in 1997 and 1998.",
)
@click.option(
    "--until",
    type=INSTANT,
    help="When the shifted history ends, and what wrong clocks are ahead of. Default: now.",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Only this many events, the oldest; of --from this many rows, the first.",
)
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
    source: Path | None,
    mapping: Path | None,
    dry_run: bool,
    rate: float | None,
    limit: int | None,
    **of_movielens: Any,
) -> None:
    """Send viewing history to Kafka: MovieLens 100K, or the rows of a file of your own.

    MovieLens 100K is about 300,000 events of real people. A file is CSV, JSON lines or Parquet; its
    mapping says which events a row becomes (docs/contracts.md, Replay a file). Every event is held
    to its contract before it is sent, refused rows are told by reason. Sent again, the same rows
    are duplicates.
    """
    if source is not None and mapping is not None:
        replay = HistoryReplay(source, load_mapping(mapping, load_registry()), limit)
        _replay_file(settings, replay, rate, dry_run=dry_run)
    else:
        _replay_movielens(settings, rate, limit, **of_movielens)


def _replay_file(
    settings: Settings, replay: HistoryReplay, rate: float | None, *, dry_run: bool
) -> None:
    """Send the events of a file, and print what became of its rows, also when interrupted.

    Raises:
        DataError: all rows were refused.
    """
    try:
        if dry_run:
            records = replay.records()
            for record in islice(records, EVENTS_SHOWN):
                click.echo(record.value)
            deque(records, maxlen=0)
        else:
            with kafka_of(settings) as kafka:
                require_topics(kafka)
                publish(replay.records(), None, kafka, rate)
    except KeyboardInterrupt:
        click.echo("stopped early -> start it again: events that were sent are recognised")
        raise
    finally:
        for line in replay.account.lines(replay.file, settings.refine, datetime.now(UTC)):
            click.echo(line)
    if replay.account.refused and not replay.account.events:
        raise DataError(f"{replay.file}: every row was refused", "correct the mapping")


def _replay_movielens(
    settings: Settings,
    rate: float | None,
    limit: int | None,
    *,
    times: str,
    until: int | None,
    faults: str,
    seed: int,
    truth: Path | None,
    definitions: Path | None,
) -> None:
    """Send the history of MovieLens 100K.

    Raises:
        SettingsError: --until would change nothing.
    """
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
