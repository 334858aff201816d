"""Release: quarantined records judged anew; what is valid now becomes silver, exactly once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.locks import hold_lock
from jobs.runtime.lake.tables import LEDGER, QUARANTINE, RELEASED, SILVER, TABLES
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.refine import RELEASE
from jobs.runtime.spark.persistence import persist
from jobs.runtime.streams.queries import REFINE
from transforms.events.bronze import PLACE
from transforms.silver.deduplication import ARRIVAL_ORDER
from transforms.silver.release import SILVER as SILVER_FATE
from transforms.silver.release import release_rows, released_events

log = logging.getLogger(__name__)


WRITTEN = (*SILVER, QUARANTINE, RELEASED, LEDGER)


VERDICT_OF = (*ARRIVAL_ORDER, "event_id", "family", "reason")


@dataclass(frozen=True)
class Selection:
    """Which quarantined records to judge anew; a part that is empty or None bars none.

    Attributes:
        reasons: why they are in quarantine.
        arrived_from: arrived at this instant or later.
        arrived_until: arrived at this instant or earlier.
        topic: their topic.
        partition: their partition.
        offsets: their first and last offset.
    """

    reasons: Sequence[str] = ()
    arrived_from: datetime | None = None
    arrived_until: datetime | None = None
    topic: str | None = None
    partition: int | None = None
    offsets: tuple[int, int] | None = None

    def of(self, quarantine: DataFrame) -> DataFrame:
        """The selected rows of silver.quarantine."""
        arrival = F.col("kafka_timestamp")
        if self.reasons:
            quarantine = quarantine.where(F.col("reason").isin(*self.reasons))
        if self.arrived_from is not None:
            quarantine = quarantine.where(arrival >= F.lit(self.arrived_from))
        if self.arrived_until is not None:
            quarantine = quarantine.where(arrival <= F.lit(self.arrived_until))
        if self.topic is not None:
            quarantine = quarantine.where(F.col("topic") == self.topic)
        if self.partition is not None:
            quarantine = quarantine.where(F.col("partition") == self.partition)
        if self.offsets is not None:
            quarantine = quarantine.where(F.col("offset").between(*self.offsets))
        return quarantine


def release(lake: Lake, judge: Judge, chosen: Selection) -> Counter[str]:
    """Release what is valid of the chosen records.

    The order is the guarantee:

    1. What leaves quarantine, and how, is decided by one commit to silver.released.
    2. The silver tables get the events, the ledger the counts, under the release's number, and
       the rows leave silver.quarantine. Each can be repeated without effect: a release that was
       killed is finished by `finish`, or by the next release before it decides anything itself.

    Args:
        lake: the lake.
        judge: by what they are judged now.
        chosen: which records.

    Returns:
        How many records met which fate: `silver.<family>`, `duplicate`, `quarantine: <reason>`.
    """
    with _alone(lake):
        lake.ensure(WRITTEN)
        step = Release(lake, judge)
        step.finish()
        _, last = lake.transaction(RELEASED, RELEASE)
        return step.decide(chosen, (last or 0) + 1)


def finish(lake: Lake, judge: Judge) -> int | None:
    """Finish a release that was killed, and decide nothing.

    Returns:
        Its number; None if no release was killed, and then nothing is written.
    """
    with _alone(lake):
        step = Release(lake, judge)
        if step.unfinished() is not None:
            lake.ensure(WRITTEN)
        return step.finish()


def preview(lake: Lake, judge: Judge, chosen: Selection) -> Counter[str]:
    """Tell what a release of the chosen records would do, and write nothing.

    A release that was killed is named in the log, and its records are left out: finished first,
    it will have taken them.

    Returns:
        As `release`.
    """
    step = Release(lake, judge)
    number = step.unfinished()
    if number is not None:
        log.warning(
            "release %d was killed before its end, its records are left out here "
            "-> finish it: python -m jobs.release --finish", number,
        )  # fmt: skip
    with step.judging(chosen, number) as (judged, leaving):
        return _fates(judged, leaving)


def _alone(lake: Lake) -> AbstractContextManager[None]:
    """Keeps refine out, and other releases."""
    return hold_lock(lake.checkpoint(REFINE), REFINE)


@dataclass(frozen=True)
class Release:
    """The steps of releases."""

    lake: Lake
    judge: Judge

    def unfinished(self) -> int | None:
        """The number of the release that was killed before its end; None if there is none."""
        if not self.lake.has(RELEASED):
            return None
        _, decided = self.lake.transaction(RELEASED, RELEASE)
        if decided is None or (self._is_entered(decided) and self._has_left(decided)):
            return None
        return decided

    def finish(self) -> int | None:
        """Carry out what an earlier release decided and did not do; its number, or None."""
        number = self.unfinished()
        if number is not None:
            self.carry_out(number)
        return number

    def decide(self, chosen: Selection, number: int) -> Counter[str]:
        """Judge the chosen records, and release what is valid, as release `number`."""
        with self.judging(chosen, None) as (judged, leaving):
            found = _fates(judged, leaving)
            if not leaving.isEmpty():
                self._record(leaving, number)
                self.carry_out(number)
        return found

    @contextmanager
    def judging(
        self, chosen: Selection, pending: int | None
    ) -> Iterator[tuple[DataFrame, DataFrame]]:
        """The chosen records judged anew, for the life of the block.

        Args:
            chosen: which records.
            pending: the number of a release whose records count as released though some are not.

        Yields:
            The verdicts, and the rows of silver.quarantine that leave, from `release_rows`.
        """
        quarantined = chosen.of(self.lake.read_declared(QUARANTINE))
        silver_ids = self._silver_ids()
        if pending is not None:
            rows = self._rows_of(pending)
            quarantined = quarantined.join(rows, list(PLACE), "left_anti")
            silver_ids = silver_ids.unionAll(released_events(rows).select("event_id"))
        judged = self.judge.judge(quarantined).select(*VERDICT_OF)
        with persist(judged):
            leaving = release_rows(quarantined, judged, silver_ids)
            with persist(leaving):
                yield judged, leaving

    def carry_out(self, number: int) -> None:
        """Do what was decided, as far as it is not done."""
        rows = self._rows_of(number)
        if not self._is_entered(number):
            self._write(rows, Transaction(RELEASE, number))
        self.lake.delete_matching(QUARANTINE, rows, PLACE)

    def _rows_of(self, number: int) -> DataFrame:
        return self.lake.read(RELEASED).where(F.col("release") == number)

    def _is_entered(self, number: int) -> bool:
        """Does the ledger tell of the release?"""
        return self.lake.transaction(LEDGER, RELEASE)[1] == number

    def _has_left(self, number: int) -> bool:
        """Are the records of the release gone from quarantine?"""
        quarantined = self.lake.read(QUARANTINE)
        return quarantined.join(self._rows_of(number), list(PLACE), "left_semi").isEmpty()

    def _write(self, rows: DataFrame, transaction: Transaction) -> None:
        told = rows.groupBy("fate", "family", "reason").count().collect()
        families = Counter[str]()
        for row in told:
            families[row.family] += row["count"] * (row.fate == SILVER_FATE)
        events = self.judge.judge(rows.where(F.col("fate") == SILVER_FATE)).where("reason IS NULL")
        with persist(events):
            if events.count() != families.total():
                raise DataError(
                    f"release {transaction.version} was begun by other contracts or settings",
                    "run it once more with those it was begun with",
                )
            for family in +families:
                self.lake.append(
                    f"silver.{family}", self.judge.silver_rows(family, events), transaction
                )
        self._enter(told, transaction)

    def _record(self, leaving: DataFrame, number: int) -> None:
        numbered = leaving.select(
            F.lit(number).cast("bigint").alias("release"),
            F.lit(datetime.now(UTC)).alias("released_at"),
            "*",
        )
        self.lake.append(RELEASED, numbered, Transaction(RELEASE, number))

    def _enter(self, told: Sequence[Row], transaction: Transaction) -> None:
        """Enter a release into the ledger, beside the batches of the checkpoint that refine has."""
        _, sequence = self.lake.transaction(LEDGER, REFINE)
        sums: Counter[tuple[str, str | None]] = Counter()
        for row in told:
            sums["released", row.reason] += row["count"]
            end = (row.fate, row.family) if row.fate == SILVER_FATE else (row.fate, None)
            sums[end] += row["count"]
        now = datetime.now(UTC)
        # of a batch build there is no batch yet: its own number is 0
        rows = [
            (sequence or 0, fate, detail, events, now) for (fate, detail), events in sums.items()
        ]
        ledger = self.lake.spark.createDataFrame(rows, TABLES[LEDGER].schema)
        self.lake.append(LEDGER, ledger.coalesce(1), transaction)

    def _silver_ids(self) -> DataFrame:
        written = filter(self.lake.has, SILVER)  # a preview creates no table
        ids = (self.lake.read(table).select("event_id") for table in written)
        return reduce(DataFrame.unionAll, ids)


def _fates(judged: DataFrame, leaving: DataFrame) -> Counter[str]:
    stay = judged.where("reason IS NOT NULL").groupBy("reason").count().collect()
    leave = leaving.groupBy("fate", "family").count().collect()
    found = Counter({f"quarantine: {row.reason}": row["count"] for row in stay})
    for row in leave:
        found[f"silver.{row.family}" if row.fate == SILVER_FATE else row.fate] += row["count"]
    return found
