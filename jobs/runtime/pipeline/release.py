"""Release: quarantined records judged anew, and the valid ones moved to silver, exactly once."""

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
from jobs.runtime.pipeline.scatter import counts_of, gather, scattered_dates
from jobs.runtime.spark.persistence import persist
from jobs.runtime.streams.queries import REFINE, RELEASE
from transforms.events.bronze import PLACE
from transforms.silver.deduplication import ARRIVAL_ORDER
from transforms.silver.release import SILVER as SILVER_FATE
from transforms.silver.release import release_rows, released_events

log = logging.getLogger(__name__)


WRITTEN = (*SILVER, QUARANTINE, RELEASED, LEDGER)


VERDICT_OF = (*ARRIVAL_ORDER, "event_id", "family", "reason")


@dataclass(frozen=True)
class Selection:
    """A filter of quarantined records, in which an empty or None attribute excludes none.

    Attributes:
        reasons: reasons for which they are in quarantine.
        arrived_from: earliest arrival time, inclusive.
        arrived_until: latest arrival time, inclusive.
        topic: topic of the records.
        partition: partition of the records.
        offsets: first and last offset of bronze, both inclusive.
    """

    reasons: Sequence[str] = ()
    arrived_from: datetime | None = None
    arrived_until: datetime | None = None
    topic: str | None = None
    partition: int | None = None
    offsets: tuple[int, int] | None = None

    def of(self, quarantine: DataFrame) -> DataFrame:
        """The rows of silver.quarantine that the filter selects."""
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
    """Release those of the selected records that are valid now.

    The order is the guarantee:

    1. What leaves quarantine, and how, is decided by one commit to silver.released.
    2. The silver tables get the events, the ledger the counts, under the release's number, and
       the rows leave silver.quarantine. Each step is idempotent: a release that was killed is
       finished by `finish`, or by the next release before it decides anything itself.

    Args:
        lake: the lake, at the generation to release in.
        judge: contracts and time bounds to judge by now.
        chosen: filter of the records.

    Returns:
        Number of records by fate: `silver.<family>`, `duplicate`, `quarantine: <reason>`.

    Raises:
        DataError: refine or another release is running, or a killed release was decided by other
            contracts or settings.
    """
    with _alone(lake):
        lake.ensure(WRITTEN)
        step = Release(lake, judge)
        step.finish()
        _, last = lake.transaction(RELEASED, RELEASE)
        return step.decide(chosen, (last or 0) + 1)


def finish(lake: Lake, judge: Judge) -> int | None:
    """Finish a release that was killed, without deciding anything new.

    Returns:
        Number of the release; None if no release was killed, and then nothing is written.

    Raises:
        DataError: refine or another release is running, or the killed release was decided by other
            contracts or settings.
    """
    with _alone(lake):
        step = Release(lake, judge)
        if step.unfinished() is not None:
            lake.ensure(WRITTEN)
        return step.finish()


def preview(lake: Lake, judge: Judge, chosen: Selection) -> Counter[str]:
    """Compute what a release of the selected records would do, without writing anything.

    A release that was killed is named in the log, and its records are left out: it will have
    released them when it is finished.

    Returns:
        Number of records by fate, as `release`.
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
    """A context that holds refine's lock: neither refine nor another release can run."""
    return hold_lock(lake.checkpoint(REFINE), RELEASE)


@dataclass(frozen=True)
class Release:
    """The steps of a release.

    Attributes:
        lake: the lake, at the generation to release in.
        judge: contracts and time bounds to judge by.
    """

    lake: Lake
    judge: Judge

    def unfinished(self) -> int | None:
        """The number of the release that was killed before its end, None without one."""
        if not self.lake.has(RELEASED):
            return None
        _, decided = self.lake.transaction(RELEASED, RELEASE)
        if decided is None or (self._is_entered(decided) and self._has_left(decided)):
            return None
        return decided

    def finish(self) -> int | None:
        """Complete what an earlier release decided and did not carry out.

        Returns:
            Number of that release; None if there is none.
        """
        number = self.unfinished()
        if number is not None:
            self.carry_out(number)
        return number

    def decide(self, chosen: Selection, number: int) -> Counter[str]:
        """Judge the selected records, and release the valid ones as release `number`.

        Returns:
            Number of records by fate, as `release`.
        """
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
        """Judge the selected records, for the life of the block.

        Args:
            chosen: filter of the records.
            pending: number of an unfinished release whose records count as released; None: none
                does.

        Yields:
            The verdicts (columns of VERDICT_OF), and the rows of silver.quarantine that leave, as
            `release_rows` returns them.
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
        """Carry out a decided release, as far as it is not done."""
        rows = self._rows_of(number)
        if not self._is_entered(number):
            self._write(rows, Transaction(RELEASE, number))
        self.lake.delete_matching(QUARANTINE, rows, PLACE)

    def _rows_of(self, number: int) -> DataFrame:
        """The rows of silver.released of one release."""
        return self.lake.read(RELEASED).where(F.col("release") == number)

    def _is_entered(self, number: int) -> bool:
        """Whether the ledger has the counts of the release."""
        return self.lake.transaction(LEDGER, RELEASE)[1] == number

    def _has_left(self, number: int) -> bool:
        """Whether the records of the release are gone from quarantine."""
        quarantined = self.lake.read(QUARANTINE)
        return quarantined.join(self._rows_of(number), list(PLACE), "left_semi").isEmpty()

    def _write(self, rows: DataFrame, transaction: Transaction) -> None:
        """Append the events of a release to silver and its counts to the ledger.

        Args:
            rows: rows of silver.released of the release.
            transaction: identity of the writes.

        Raises:
            DataError: the contracts or settings are not those that the release was decided by.
        """
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
            counts = counts_of(events)
            for family in +families:
                rows_of_family = self.judge.silver_rows(family, events)
                written = gather(rows_of_family, scattered_dates(counts, family))
                self.lake.append(f"silver.{family}", written, transaction)
        self._enter(told, transaction)

    def _record(self, leaving: DataFrame, number: int) -> None:
        """Append the rows that leave quarantine to silver.released: the decision."""
        numbered = leaving.select(
            F.lit(number).cast("bigint").alias("release"),
            F.lit(datetime.now(UTC)).alias("released_at"),
            "*",
        )
        self.lake.append(RELEASED, numbered, Transaction(RELEASE, number))

    def _enter(self, told: Sequence[Row], transaction: Transaction) -> None:
        """Append the counts of a release to ops.ledger, under the newest sequence of refine.

        Args:
            told: count of rows, by fate, family and reason.
            transaction: identity of the write.
        """
        _, sequence = self.lake.transaction(LEDGER, REFINE)
        sums: Counter[tuple[str, str | None]] = Counter()
        for row in told:
            sums["released", row.reason] += row["count"]
            end = (row.fate, row.family) if row.fate == SILVER_FATE else (row.fate, None)
            sums[end] += row["count"]
        now = datetime.now(UTC)
        # after a batch build there is no batch yet: the build's own number is 0
        rows = [
            (sequence or 0, fate, detail, events, now) for (fate, detail), events in sums.items()
        ]
        ledger = self.lake.spark.createDataFrame(rows, TABLES[LEDGER].schema)
        self.lake.append(LEDGER, ledger.coalesce(1), transaction)

    def _silver_ids(self) -> DataFrame:
        """The event_id of every row of the silver tables that exist."""
        written = filter(self.lake.has, SILVER)  # a preview creates no table
        ids = (self.lake.read(table).select("event_id") for table in written)
        return reduce(DataFrame.unionAll, ids)


def _fates(judged: DataFrame, leaving: DataFrame) -> Counter[str]:
    """Count records by fate, as `release` returns them.

    Args:
        judged: verdicts on the selected records.
        leaving: rows of silver.quarantine that leave.
    """
    stay = judged.where("reason IS NOT NULL").groupBy("reason").count().collect()
    leave = leaving.groupBy("fate", "family").count().collect()
    found = Counter({f"quarantine: {row.reason}": row["count"] for row in stay})
    for row in leave:
        found[f"silver.{row.family}" if row.fate == SILVER_FATE else row.fate] += row["count"]
    return found
