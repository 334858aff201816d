"""The lake: opens, reads and writes the tables of `jobs.runtime.lake.tables` by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake import delta_commits
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.tables import GENERATIONS, NO_STATISTICS, TABLES, is_generational, table_path
from jobs.runtime.spark.failures import SPARK_ERRORS, explained

FIRST_GENERATION = 1


SMALL_PART = "16m"  # bytes between two tasks; Spark's own 64 MB make fewer and larger files


class Lake:
    """The tables below one root, silver and gold of one generation.

    Args:
        spark: the session.
        root: folder or object-store prefix.
        generation: which build of silver and gold the names mean. None: the one that is live
            now; later switches do not move a lake that was opened.

    Attributes:
        pinned: was the generation given?
        switches: the version of ops.generations that the live generation was taken from; None if
            the generation is pinned or there was nothing to take it from.
    """

    def __init__(self, spark: SparkSession, root: str, generation: int | None = None) -> None:
        self.spark = spark
        self.root = root if "://" in root else str(Path(root).absolute())
        self.pinned = generation is not None
        self.generation = FIRST_GENERATION if generation is None else generation
        self.switches = None if self.pinned else self.newest_switches()
        if self.switches:
            self.generation = self.live()

    def path(self, table: str) -> str:
        """Where a table's files are."""
        return table_path(self.root, table, self.generation)

    def checkpoint(self, query: str) -> str:
        """Where a streaming query of this generation keeps its progress."""
        return f"{self.root}/checkpoints/generation={self.generation}/{query}"

    def shared_checkpoint(self, query: str) -> str:
        """Where a streaming query keeps its progress that writes for all generations."""
        return f"{self.root}/checkpoints/{query}"

    def live(self) -> int:
        """The generation that readers are switched to."""
        if not self.newest_switches():
            return FIRST_GENERATION
        switches = self.read(GENERATIONS).where("action = 'switched'")
        [newest] = switches.agg(F.max_by("generation", "sequence")).collect()
        return newest[0] or FIRST_GENERATION

    def newest_switches(self) -> int | None:
        """The newest version of ops.generations, 0 if it was only created; None without it."""
        return self.version(GENERATIONS) if self.has(GENERATIONS) else None

    def of_generation(self, generation: int) -> Lake:
        """The same lake, silver and gold of a generation."""
        return type(self)(self.spark, self.root, generation)

    def ensure(self, tables: Iterable[str] = TABLES) -> None:
        """Create the tables that do not exist, and add columns that a newer playhead declares.

        Raises:
            DataError: a table has a column of another type, or one that is not declared.
            ServiceError: the place cannot be written.
        """
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(self._ensure, tables))

    def has(self, table: str) -> bool:
        """Whether the table exists; ServiceError if its place cannot be looked at."""
        try:
            return bool(DeltaTable.isDeltaTable(self.spark, self.path(table)))
        except SPARK_ERRORS as error:
            raise explained(error, f"{table} at {self.path(table)}") from None

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """The rows of a table, now or as of a Delta version."""
        if is_generational(table):
            mark_read(self.root, self.generation)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(table))

    def read_declared(self, table: str, version: int | None = None) -> DataFrame:
        """`read` with exactly the columns that are declared; null where the table lacks one."""
        rows = self.read(table, version)
        return rows.select(
            *(
                field.name
                if field.name in rows.columns
                else F.lit(None).cast(field.dataType).alias(field.name)
                for field in TABLES[table].schema
            )
        )

    def stream(
        self, table: str, *, max_bytes: str, from_version: int = 0, since: datetime | None = None
    ) -> DataFrame:
        """The rows appended to a table from a version on, or by commits since an instant.

        Commits that delete or rewrite (erasure, retention, compaction of files) are passed over:
        they change no row that a stream has still to count.
        """
        return (
            self.spark.readStream.format("delta")
            .option(*_starting(from_version, since))
            .option("maxBytesPerTrigger", max_bytes)
            .option("skipChangeCommits", "true")
            .load(self.path(table))
        )

    def append(self, table: str, rows: DataFrame, transaction: Transaction) -> None:
        """Append `rows` once, however often the same transaction is repeated.

        Raises:
            ValueError: `rows` has not exactly the columns that are declared.
        """
        _refuse_others(table, rows.schema)
        delta_commits.append(self._log(table), rows, transaction)

    def behind(self, table: str, transaction: Transaction) -> int:
        """The newest version, from which a stream reads no row that the table held before.

        Delta starts streams only from versions that exist, so one without rows is committed, once;
        a table that is as it was created needs none. Rows that somebody commits right after it, or
        before this is repeated, may be in the version that is given.
        """
        if self.version(table):
            delta_commits.mark(self._log(table), self.spark, transaction)
        return self.version(table)

    def replace(self, table: str, rows: DataFrame, transaction: Transaction) -> None:
        """Replace all rows in one commit, once."""
        if delta_commits.holds_nothing(self._snapshot(table)):
            self.append(table, rows, transaction)
            return
        (
            rows.write.format("delta")
            .option("txnAppId", transaction.application)
            .option("txnVersion", transaction.version)
            .mode("overwrite")
            .save(self.path(table))
        )

    def version(self, table: str) -> int:
        """The newest Delta version of a table."""
        return int(self._snapshot(table).version())

    def version_at(self, table: str, at: datetime) -> int:
        """The newest Delta version of a table that was committed by an instant.

        Raises:
            SettingsError: the table was not there yet, or the instant is still to come.
        """
        if at > datetime.now(UTC):
            raise SettingsError(f"{at.isoformat()} is still to come", "name an instant of the past")
        jvm = self.spark._jvm
        assert jvm is not None
        millis, nothing = int(at.timestamp() * 1000), jvm.scala.Option.empty()
        until, history = jvm.java.sql.Timestamp(millis), self._log(table).history()
        try:
            return int(history.getActiveCommitAtTime(until, nothing, True, True, False).version())
        except SPARK_ERRORS:
            raise SettingsError(
                f"{table} was not there at {at.isoformat()}, or its log no longer says how it was",
                "name a later instant",
            ) from None

    def committed(self, table: str, version: int) -> datetime | None:
        """When a Delta version was committed; None if the log does not hold it, or no longer."""
        log, files = self._files(f"{self.path(table)}/_delta_log/{version:020d}.json")
        if not files.exists(log):
            return None
        return datetime.fromtimestamp(files.getFileStatus(log).getModificationTime() / 1000, UTC)

    def transaction(self, table: str, application: str) -> tuple[int, int | None]:
        """The newest Delta version of a table, and what `application` last recorded by then."""
        snapshot = self._snapshot(table)
        return int(snapshot.version()), delta_commits.recorded(snapshot, application)

    def upsert(
        self, table: str, rows: DataFrame, key: Sequence[str], transaction: Transaction
    ) -> None:
        """Replace the rows whose key is in `rows` and insert the others, in one commit, once.

        The lake must be `isolated`: Delta takes a MERGE's transaction from the session.
        """
        self.spark.conf.set("spark.databricks.delta.write.txnAppId", transaction.application)
        self.spark.conf.set("spark.databricks.delta.write.txnVersion", str(transaction.version))
        try:
            (
                DeltaTable.forPath(self.spark, self.path(table))
                .alias("t")
                .merge(rows.alias("s"), _same(key))
                .whenMatchedUpdateAll()
                .whenNotMatchedInsertAll()
                .execute()
            )
        finally:
            self.spark.conf.unset("spark.databricks.delta.write.txnAppId")
            self.spark.conf.unset("spark.databricks.delta.write.txnVersion")

    def delete(self, table: str, condition: str) -> None:
        """Delete the rows that satisfy an SQL condition."""
        DeltaTable.forPath(self.spark, self.path(table)).delete(condition)

    def remove(self, table: str, rows: DataFrame, key: Sequence[str]) -> None:
        """Delete the rows whose key is in `rows`, if they are still there."""
        (
            DeltaTable.forPath(self.spark, self.path(table))
            .alias("t")
            .merge(rows.select(*key).distinct().alias("s"), _same(key))
            .whenMatchedDelete()
            .execute()
        )

    def isolated(self) -> Lake:
        """The same lake through a session of its own, for settings that others must not see."""
        return Lake(self.spark.newSession(), self.root, self.generation)

    def in_small_parts(self) -> Lake:
        """As `isolated`, for all of history: more of it makes more tasks, not larger ones."""
        alone = self.isolated()
        alone.spark.conf.set("spark.sql.adaptive.advisoryPartitionSizeInBytes", SMALL_PART)
        return alone

    def table_id(self, table: str) -> str:
        """The identifier by which the offsets of a stream name a table."""
        return str(self._snapshot(table).metadata().id())

    def has_deletion_vectors(self, table: str) -> bool:
        """May files of the table hold rows that are deleted?"""
        properties = self._snapshot(table).metadata().configuration()
        enabled = properties.get("delta.enableDeletionVectors")
        return bool(enabled.isDefined() and enabled.get() == "true")

    def remove_generation(self) -> None:
        """Delete all files of this lake's generation."""
        for folder in (f"{self.root}/generation=", f"{self.root}/checkpoints/generation="):
            path, files = self._files(f"{folder}{self.generation}")
            files.delete(path, True)

    def last_read(self) -> datetime | None:
        """When somebody last read from this generation; None if that is not known."""
        mark = _mark(self.root, self.generation)
        if "://" in self.root or not mark.exists():
            return None
        return datetime.fromtimestamp(mark.stat().st_mtime, UTC)

    def _files(self, path: str) -> tuple[Any, Any]:
        """A path and its file system, as Hadoop has them."""
        jvm = self.spark._jvm
        assert jvm is not None
        place = jvm.org.apache.hadoop.fs.Path(path)
        configuration = self.spark._jsparkSession.sessionState().newHadoopConf()
        return place, place.getFileSystem(configuration)

    def _log(self, table: str) -> Any:
        jvm = self.spark._jvm
        assert jvm is not None
        return jvm.org.apache.spark.sql.delta.DeltaLog.forTable(
            self.spark._jsparkSession, self.path(table)
        )

    def _snapshot(self, table: str) -> Any:
        jvm = self.spark._jvm
        assert jvm is not None
        nothing = jvm.scala.Option.empty()
        return self._log(table).update(False, nothing, nothing)

    def _ensure(self, table: str) -> None:
        declared = TABLES[table]
        if self.has(table):
            self._match(table, declared.schema)
            return
        builder = (
            DeltaTable.createIfNotExists(self.spark)
            .location(self.path(table))
            .addColumns(declared.schema)
            .partitionedBy(*declared.partition_by)
        )
        for key, value in {**NO_STATISTICS, **declared.properties}.items():
            builder = builder.property(key, value)
        try:
            builder.execute()
        except SPARK_ERRORS as error:
            raise explained(error, f"{table} at {self.path(table)}") from None

    def _match(self, table: str, declared: StructType) -> None:
        found = {field.name: field.dataType for field in self.read(table).schema}
        wanted = {field.name: field.dataType for field in declared}
        for name, kind in found.items():
            if wanted.get(name) != kind:
                raise DataError(
                    f"{table} at {self.path(table)}: column '{name}' is {kind.simpleString()}, "
                    f"declared {wanted[name].simpleString() if name in wanted else 'nowhere'}",
                    "this table was written by another version of playhead: run that version, or "
                    "rebuild silver and gold with python -m jobs.recompute",
                )
        missing = [field for field in declared if field.name not in found]
        if missing:
            columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in missing)
            self.spark.sql(f"ALTER TABLE delta.`{self.path(table)}` ADD COLUMNS ({columns})")


def _refuse_others(table: str, found: StructType) -> None:
    declared = TABLES[table].schema
    if _kinds(found) != _kinds(declared):
        raise ValueError(
            f"{table} takes {declared.simpleString()}, and was given {found.simpleString()}"
        )


def _kinds(schema: StructType) -> dict[str, str]:
    """Names and types; what may be null is up to the rows."""
    return {field.name: field.dataType.simpleString() for field in schema}


def mark_read(root: str, generation: int) -> None:
    """Leave a mark for who retires generations; a reader may lack the right to."""
    if "://" not in root:
        with suppress(OSError):
            _mark(root, generation).touch()


def _mark(root: str, generation: int) -> Path:
    return Path(root) / f"generation={generation}" / "last-read"


def _starting(version: int, since: datetime | None) -> tuple[str, str]:
    if since is None:
        return "startingVersion", str(version)
    return "startingTimestamp", since.strftime("%Y-%m-%d %H:%M:%S.%f")


def _same(key: Sequence[str]) -> str:
    return " AND ".join(f"t.{name} <=> s.{name}" for name in key)
