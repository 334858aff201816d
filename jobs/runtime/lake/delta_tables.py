"""A client of Delta tables by name: reads, and idempotent writes."""

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
        address: root and generation of the tables.
    """

    def __init__(self, spark: SparkSession, address: LakeAddress) -> None:
        self.spark = spark
        self.address = address

    def path(self, table: str) -> str:
        """Absolute path of the table's files."""
        return self.address.path(table)

    def has(self, table: str) -> bool:
        """Whether the table exists.

        Returns:
            False also for a table that is being created, or whose creation was killed: it has a log
            without a version.

        Raises:
            ServiceError: the path cannot be read.
        """
        try:
            is_there = DeltaTable.isDeltaTable(self.spark, self.path(table))
            return bool(is_there) and self.version(table) >= 0
        except SPARK_ERRORS as error:
            raise explain(error, f"{table} at {self.path(table)}") from None

    def remove_empty_log(self, table: str) -> None:
        """Delete what a creation that was killed has left: a log without a version.

        Args:
            table: table name; `has` denies it, and no other job is creating it.
        """
        path, files = self._files(f"{self.path(table)}/_delta_log")
        left = files.listStatus(path) if files.exists(path) else ()
        if not any(status.getPath().getName().endswith(".json") for status in left):
            files.delete(path, True)

    def schema(self, table: str) -> StructType:
        """The schema that the table has now."""
        return DeltaTables.read(self, table).schema

    def require(self, *tables: str) -> None:
        """Return only if each of the tables exists.

        Args:
            tables: table names.

        Raises:
            DataError: a table does not exist; names the job that fills it.
        """
        for table in tables:
            if not self.has(table):
                raise missing_table(self.address.root, table, self.address.generation)

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Read a table.

        Args:
            table: table name.
            version: Delta version to read; None: the newest.

        Returns:
            The rows, with the columns that the table had at that version.
        """
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(table))

    def read_declared(self, table: str, version: int | None = None) -> DataFrame:
        """Read a table with exactly its declared columns.

        Args:
            table: table name.
            version: Delta version to read; None: the newest.

        Returns:
            The rows with the columns of TABLES, in order; null where the table lacks a column.
        """
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
        """Stream the rows appended to a table.

        Commits that delete or rewrite rows (erasure, retention, compaction of files) are skipped:
        they change no row that a stream has yet to process.

        Delta forgets commits (after delta.logRetentionDuration, 30 days if nobody set it). Where
        the start that is asked for is forgotten, all rows that the table holds come first, in the
        order in which their files were written.

        Args:
            table: table name.
            max_bytes: size of a micro-batch in bytes, such as `256m`.
            from_version: Delta version to start from, inclusive; ignored if `since` is given.
            since: instant in UTC; the stream starts with the first commit at or after it.

        Returns:
            A streaming DataFrame with the columns of the table.
        """
        return (
            self.spark.readStream.format("delta")
            .options(**self._start_options(table, from_version, since))
            .option("maxBytesPerTrigger", max_bytes)
            .option("skipChangeCommits", "true")
            .load(self.path(table))
        )

    def oldest_commit(self, table: str) -> int:
        """The oldest Delta version whose commit the log still has; what is older is forgotten."""
        jvm = self.spark._jvm
        assert jvm is not None
        history = jvm.org.apache.spark.sql.delta.DeltaHistoryManager
        return int(history.getEarliestDeltaFile(self._log(table)))

    def append(self, table: str, rows: DataFrame, transaction: Transaction) -> None:
        """Append rows once, however often the same transaction is repeated.

        Args:
            table: table name.
            rows: rows with exactly the declared columns.
            transaction: identity of the write.

        Raises:
            ValueError: the columns of `rows` are not exactly those declared.
        """
        _refuse_other_columns(table, rows.schema)
        delta_commits.append(self._log(table), rows, transaction)

    def stream_start(self, table: str, transaction: Transaction) -> int:
        """A start version for a stream that skips all rows present now.

        Delta starts streams only from versions that exist, so an empty version is committed, once;
        a table as it was created (version 0) needs none. Rows committed right after the empty
        version, or before a repeated call, may be in the version returned.

        Args:
            table: table name.
            transaction: identity of the empty commit.

        Returns:
            The newest Delta version of the table.
        """
        if self.version(table):
            delta_commits.mark(self._log(table), self.spark, transaction)
        return self.version(table)

    def replace(self, table: str, rows: DataFrame, transaction: Transaction) -> None:
        """Replace all rows in one commit, once.

        Args:
            table: table name.
            rows: the new rows, with the declared columns.
            transaction: identity of the write.
        """
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
        """The newest Delta version of the table."""
        return int(self._snapshot(table).version())

    def can_read(self, table: str, version: int) -> bool:
        """Whether the log and all files of a Delta version still exist."""
        try:
            names = DeltaTables.read(self, table, version).inputFiles()
        except SPARK_ERRORS:
            return False
        places = map(self._files, names)
        return all(files.exists(path) for path, files in places)

    def version_at(self, table: str, at: datetime) -> int:
        """The newest Delta version of a table that was committed at or before an instant.

        Args:
            table: table name.
            at: instant with its time zone.

        Raises:
            SettingsError: the instant is in the future, the table did not exist yet, or its log no
                longer reaches back to the instant.
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
        """The time at which a Delta version was committed.

        Returns:
            The modification time of the commit file, UTC; None if the log no longer holds it.
        """
        log, files = self._files(f"{self.path(table)}/_delta_log/{version:020d}.json")
        if not files.exists(log):
            return None
        return datetime.fromtimestamp(files.getFileStatus(log).getModificationTime() / 1000, UTC)

    def transaction(self, table: str, application: str) -> tuple[int, int | None]:
        """The newest Delta version of a table, and the last transaction of an application in it.

        Args:
            table: table name.
            application: name of the writer.

        Returns:
            The Delta version, and the transaction version that the application recorded last; None
            in its place if it recorded none.
        """
        snapshot = self._snapshot(table)
        return int(snapshot.version()), delta_commits.last_recorded(snapshot, application)

    def transactions(self, table: str) -> dict[str, int]:
        """The last transaction version of each application, by application name."""
        recorded = delta_commits.transactions(self._snapshot(table))
        return {each.application: each.version for each in recorded}

    def mark(self, table: str, transaction: Transaction) -> None:
        """Commit a transaction without rows, once."""
        delta_commits.mark(self._log(table), self.spark, transaction)

    def upsert(
        self, table: str, rows: DataFrame, key: Sequence[str], transaction: Transaction
    ) -> None:
        """Update the rows whose key is in `rows` and insert the others, in one commit, once.

        The lake must be `isolated`: Delta takes a MERGE's transaction from the session.

        Args:
            table: table name.
            rows: rows with all columns of the table.
            key: names of the key columns; nulls equal each other.
            transaction: identity of the write.
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
        """Delete the rows whose key is in `rows`, idempotently.

        Args:
            table: table name.
            rows: rows that have the key columns.
            key: names of the key columns; nulls equal each other.
        """
        (
            DeltaTable.forPath(self.spark, self.path(table))
            .alias("t")
            .merge(rows.select(*key).distinct().alias("s"), _equal_keys(key))
            .whenMatchedDelete()
            .execute()
        )

    def table_id(self, table: str) -> str:
        """The Delta table id, which a stream's offsets carry as `reservoirId`."""
        return str(self._snapshot(table).metadata().id())

    def has_deletion_vectors(self, table: str) -> bool:
        """Whether deletion vectors are enabled, so that files may hold deleted rows."""
        properties = self._snapshot(table).metadata().configuration()
        enabled = properties.get("delta.enableDeletionVectors")
        return bool(enabled.isDefined() and enabled.get() == "true")

    def _start_options(self, table: str, version: int, since: datetime | None) -> dict[str, str]:
        """The options of a Delta source that start it at an instant, or else at a version.

        Returns:
            None of either if the commits from there on are not all in the log.
        """
        oldest = self.oldest_commit(table)
        if since is None:
            return {} if version < oldest else {"startingVersion": str(version)}
        begins = self.commit_time(table, oldest)
        if oldest > 0 and (begins is None or since < begins):
            return {}
        return {"startingTimestamp": since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")}

    def _files(self, path: str) -> tuple[Any, Any]:
        """Resolve a path to Hadoop's objects.

        Returns:
            Hadoop's Path and its FileSystem.
        """
        jvm = self.spark._jvm
        assert jvm is not None
        place = jvm.org.apache.hadoop.fs.Path(path)
        configuration = self.spark._jsparkSession.sessionState().newHadoopConf()
        return place, place.getFileSystem(configuration)

    def _log(self, table: str) -> Any:
        """The table's `DeltaLog` (Java object)."""
        jvm = self.spark._jvm
        assert jvm is not None
        return jvm.org.apache.spark.sql.delta.DeltaLog.forTable(
            self.spark._jsparkSession, self.path(table)
        )

    def _snapshot(self, table: str) -> Any:
        """The newest Delta snapshot of the table (Java object)."""
        jvm = self.spark._jvm
        assert jvm is not None
        nothing = jvm.scala.Option.empty()
        return self._log(table).update(False, nothing, nothing)


def _refuse_other_columns(table: str, found: StructType) -> None:
    """Raise ValueError unless the columns are exactly those declared, in any order."""
    declared = TABLES[table].schema
    if _column_types(found) != _column_types(declared):
        raise ValueError(
            f"{table} takes {declared.simpleString()}, and was given {found.simpleString()}"
        )


def _column_types(schema: StructType) -> dict[str, str]:
    """SQL types by column name, without nullability."""
    return {field.name: field.dataType.simpleString() for field in schema}


def _equal_keys(key: Sequence[str]) -> str:
    """The MERGE condition that matches the null-safe key columns of `t` and `s`."""
    return " AND ".join(f"t.{name} <=> s.{name}" for name in key)
