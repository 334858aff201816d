"""Delta tables by name: read, and written so that a repeated write changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake import delta_commits
from jobs.runtime.lake.address import LakeAddress
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.tables import TABLES, missing_table
from jobs.runtime.spark.failures import SPARK_ERRORS, explain


class DeltaTables:
    """A client of the Delta tables at an address.

    Args:
        spark: session to read and write with.
        address: where the tables are.
    """

    def __init__(self, spark: SparkSession, address: LakeAddress) -> None:
        self.spark = spark
        self.address = address

    def path(self, table: str) -> str:
        """Where a table's files are."""
        return self.address.path(table)

    def has(self, table: str) -> bool:
        """Whether the table exists; ServiceError if its place cannot be looked at.

        A table that is being created, or whose creation was killed, has a log without a version.
        """
        try:
            is_there = DeltaTable.isDeltaTable(self.spark, self.path(table))
            return bool(is_there) and self.version(table) >= 0
        except SPARK_ERRORS as error:
            raise explain(error, f"{table} at {self.path(table)}") from None

    def schema(self, table: str) -> StructType:
        """The columns that a table has, and their types."""
        return DeltaTables.read(self, table).schema

    def require(self, *tables: str) -> None:
        """Return only if each of the tables exists.

        Raises:
            DataError: one does not; names the job that fills it.
        """
        for table in tables:
            if not self.has(table):
                raise missing_table(self.address.root, table, self.address.generation)

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """The rows of a table, now or as of a Delta version."""
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
            .option(*_start_option(from_version, since))
            .option("maxBytesPerTrigger", max_bytes)
            .option("skipChangeCommits", "true")
            .load(self.path(table))
        )

    def append(self, table: str, rows: DataFrame, transaction: Transaction) -> None:
        """Append `rows` once, however often the same transaction is repeated.

        Raises:
            ValueError: `rows` has not exactly the columns that are declared.
        """
        _refuse_other_columns(table, rows.schema)
        delta_commits.append(self._log(table), rows, transaction)

    def stream_start(self, table: str, transaction: Transaction) -> int:
        """A start version for a stream that skips all rows present now.

        Delta starts streams only from versions that exist, so an empty version is committed, once;
        a table that is as it was created needs none. Rows that somebody commits right after it, or
        before this is repeated, may be in the version that is given.

        Returns:
            The newest version of the table.
        """
        if self.version(table):
            delta_commits.mark(self._log(table), self.spark, transaction)
        return self.version(table)

    def replace(self, table: str, rows: DataFrame, transaction: Transaction) -> None:
        """Replace all rows in one commit, once."""
        if delta_commits.is_empty(self._snapshot(table)):
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

    def can_read(self, table: str, version: int) -> bool:
        """Are the log and every file of a Delta version still there?"""
        try:
            names = DeltaTables.read(self, table, version).inputFiles()
        except SPARK_ERRORS:
            return False
        places = map(self._files, names)
        return all(files.exists(path) for path, files in places)

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

    def commit_time(self, table: str, version: int) -> datetime | None:
        """When a Delta version was committed, UTC; None if the log does not hold it any more."""
        log, files = self._files(f"{self.path(table)}/_delta_log/{version:020d}.json")
        if not files.exists(log):
            return None
        return datetime.fromtimestamp(files.getFileStatus(log).getModificationTime() / 1000, UTC)

    def transaction(self, table: str, application: str) -> tuple[int, int | None]:
        """The newest Delta version of a table, and what `application` last recorded by then."""
        snapshot = self._snapshot(table)
        return int(snapshot.version()), delta_commits.last_recorded(snapshot, application)

    def transactions(self, table: str) -> dict[str, int]:
        """What each application last recorded in a table, by application."""
        recorded = delta_commits.transactions(self._snapshot(table))
        return {each.application: each.version for each in recorded}

    def mark(self, table: str, transaction: Transaction) -> None:
        """Record a transaction in a commit without rows, once."""
        delta_commits.mark(self._log(table), self.spark, transaction)

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
                .merge(rows.alias("s"), _equal_keys(key))
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

    def delete_matching(self, table: str, rows: DataFrame, key: Sequence[str]) -> None:
        """Delete the rows whose key is in `rows`, if they are still there."""
        (
            DeltaTable.forPath(self.spark, self.path(table))
            .alias("t")
            .merge(rows.select(*key).distinct().alias("s"), _equal_keys(key))
            .whenMatchedDelete()
            .execute()
        )

    def table_id(self, table: str) -> str:
        """The identifier by which the offsets of a stream name a table."""
        return str(self._snapshot(table).metadata().id())

    def has_deletion_vectors(self, table: str) -> bool:
        """May files of the table hold rows that are deleted?"""
        properties = self._snapshot(table).metadata().configuration()
        enabled = properties.get("delta.enableDeletionVectors")
        return bool(enabled.isDefined() and enabled.get() == "true")

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


def _refuse_other_columns(table: str, found: StructType) -> None:
    declared = TABLES[table].schema
    if _column_types(found) != _column_types(declared):
        raise ValueError(
            f"{table} takes {declared.simpleString()}, and was given {found.simpleString()}"
        )


def _column_types(schema: StructType) -> dict[str, str]:
    """Names and types; what may be null is up to the rows."""
    return {field.name: field.dataType.simpleString() for field in schema}


def _start_option(version: int, since: datetime | None) -> tuple[str, str]:
    if since is None:
        return "startingVersion", str(version)
    return "startingTimestamp", since.strftime("%Y-%m-%d %H:%M:%S.%f")


def _equal_keys(key: Sequence[str]) -> str:
    return " AND ".join(f"t.{name} <=> s.{name}" for name in key)
