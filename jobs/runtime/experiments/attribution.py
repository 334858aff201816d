"""Attribution: silver events to gold.experiment_user, recomputed for each micro-batch's users."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.experiments.plans import plan_rows
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER
from jobs.runtime.settings import AttributeSettings
from jobs.runtime.spark.persistence import materialize
from jobs.runtime.streams.checkpoints import Checkpoint, open_checkpoint
from jobs.runtime.streams.queries import ATTRIBUTE
from jobs.runtime.streams.query import Run, discard_if_outrun, start, start_versions
from transforms import provenance
from transforms.experiments.definitions import Catalogue
from transforms.gold import experiment_user
from transforms.gold.experiment_user import (
    ASSIGNMENTS,
    COLUMNS,
    KEY,
    OUTCOMES,
    SOURCES,
    affected_exposures,
    assignments,
    attribute_outcomes,
    deduplicate_per_user,
    exposures,
    outcomes,
    plans,
    reach,
    touched_users,
)

log = logging.getLogger(__name__)


@contextmanager
def attributing(
    lake: Lake, settings: AttributeSettings, definitions: Catalogue, *, available_now: bool
) -> Iterator[Run]:
    """Start the attribute query on its locked checkpoint, for the time of the block.

    Args:
        lake: the generation to read and write.
        settings: settings of the query.
        definitions: definitions of the experiments; another definition recomputes the table.
        available_now: whether to end once all present rows are processed.

    Yields:
        The started query.

    Raises:
        DataError: another process runs the query.
    """
    lake.ensure([*SOURCES, EXPERIMENT_USER])
    discard_if_outrun(lake, ATTRIBUTE, list(SOURCES))
    with open_checkpoint(
        lake.checkpoint(ATTRIBUTE),
        ATTRIBUTE,
        definition=definition(definitions),
        last_sequence=_last_sequence(lake),
    ) as checkpoint:
        starts = _starts(lake, checkpoint, definitions)
        sources = {
            table: lake.stream(table, from_version=version, max_bytes=settings.max_bytes_per_batch)
            for table, version in starts.items()
        }
        yield start(
            assignments(sources[ASSIGNMENTS]).unionAll(outcomes(sources)),
            checkpoint,
            trigger_s=settings.trigger_s,
            available_now=available_now,
            write_batch=AttributionWriter(lake, checkpoint, definitions).write,
        )


def definition(definitions: Catalogue) -> str:
    """The digest of everything that determines which rows given events become."""
    hashes = {name: definitions.definition_hash(name) for name in sorted(definitions.experiments)}
    code = provenance.code(experiment_user)
    return hashlib.sha256(f"{(COLUMNS, hashes)!r}{code}".encode()).hexdigest()


def all_experiment_users(lake: Lake, definitions: Catalogue) -> DataFrame:
    """All rows of gold.experiment_user, computed in batch from the newest silver."""
    plan = plan_rows(lake.spark, plans(definitions))
    exposed = exposures(assignments(lake.read(ASSIGNMENTS)), plan)
    events = outcomes({table: lake.read(table) for table in OUTCOMES})
    return attribute_outcomes(
        exposed, deduplicate_per_user(events), plan, definitions.metrics_asked_for
    )


def _starts(lake: Lake, checkpoint: Checkpoint, definitions: Catalogue) -> Mapping[str, int]:
    """The silver version that each source is streamed from; what lies before is in the table.

    The versions are fixed before the table is computed from newer ones: events between the two are
    streamed as well, which computes the same rows once more.

    Returns:
        Delta version, by table of SOURCES.
    """
    starts = start_versions(lake, checkpoint, SOURCES)
    if checkpoint.is_new and (checkpoint.generation > 1 or any(starts.values())):
        log.info("%s: computing all of %s from silver", ATTRIBUTE, EXPERIMENT_USER)
        through = Transaction(ATTRIBUTE, checkpoint.before_first)
        lake.replace(EXPERIMENT_USER, all_experiment_users(lake, definitions), through)
    return starts


def _last_sequence(lake: Lake) -> int | None:
    """One more than the last sequence number written.

    A table computed as a whole has the number before its first batch. Without the increment a
    checkpoint that has seen no batch would be followed by one of its own generation.

    Returns:
        The number; None if the query never wrote.
    """
    _, last = lake.transaction(EXPERIMENT_USER, ATTRIBUTE)
    return None if last is None else last + 1


@dataclass(frozen=True)
class AttributionWriter:
    """Recomputes the rows that a micro-batch of events can change.

    They are computed from all events of silver that bear on them, so a row is right for what silver
    held, whatever came before: a batch that is repeated, or split in another way, ends in the same
    table.

    Attributes:
        lake: the generation to read and write.
        checkpoint: checkpoint of the query.
        definitions: definitions of the experiments.
    """

    lake: Lake
    checkpoint: Checkpoint
    definitions: Catalogue

    def write(self, batch: DataFrame, batch_id: int) -> None:
        """Write one micro-batch; for foreachBatch.

        Args:
            batch: assignments and outcomes, EVENT_COLUMNS.
            batch_id: Spark's id of the micro-batch.
        """
        lake = self.lake.isolated()
        columns = ("user_id", "experiment_id", "event_type", "event_time")
        with materialize(touched_users(batch.select(*columns))) as touches:
            plan = plan_rows(lake.spark, plans(self.definitions))
            users = touches.select("user_id")
            history = _events_of(users, assignments(lake.read(ASSIGNMENTS)))
            with materialize(affected_exposures(exposures(history, plan), touches)) as exposed:
                days = _days(exposed)
                if days is None:
                    return
                events = _events_of(exposed.select("user_id").distinct(), _outcomes(lake, *days))
                rows = attribute_outcomes(
                    exposed, deduplicate_per_user(events), plan, self.definitions.metrics_asked_for
                )
                transaction = Transaction(ATTRIBUTE, self.checkpoint.sequence(batch_id))
                lake.upsert(EXPERIMENT_USER, rows, KEY, transaction)


def _events_of(users: DataFrame, events: DataFrame) -> DataFrame:
    """The events of some users; `users` has one column, user_id, and is broadcast."""
    return events.join(F.broadcast(users), "user_id", "left_semi")


def _days(exposed: DataFrame) -> tuple[date, date] | None:
    """The range of UTC dates of events that bear on exposures.

    Returns:
        The first and the last date, both included; None without exposures.
    """
    first, end = reach()
    at = F.col("exposed_at")
    [row] = exposed.agg(
        F.min(F.to_date(F.coalesce(first, at))).alias("first"),
        F.max(F.to_date(F.coalesce(end, at))).alias("last"),
    ).collect()
    return None if row.first is None else (row["first"], row["last"])


def _outcomes(lake: Lake, first: date, last: date) -> DataFrame:
    """The outcomes of a range of dates, both included: silver is partitioned by date."""
    between = F.col("event_date").between(F.lit(first), F.lit(last))
    return outcomes({table: lake.read(table).where(between) for table in OUTCOMES})
