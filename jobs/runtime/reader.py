"""A read-only client of a lake's tables for analysts, with Spark or without.

    tables = Reader("build/demo/lake")
    tables.polars("gold.user_day")                                # a data frame in memory
    tables.duckdb("silver.playback").filter("watch_s > 3600")     # lazy, SQL
    tables.spark(spark, "gold.user_title", at=datetime(2026, 11, 1, tzinfo=UTC))
    Reader("build/demo/lake", generation=2).duckdb("gold.user_title")

A fold is read as one row a key, current to the last micro-batch, by whichever engine: base and
partials are merged by the one declaration in transforms/gold/tables.py, which for DuckDB is
translated from Spark's SQL. Needs the extra `notebooks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import sqlglot
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from duckdb import DuckDBPyRelation, connect
from pyspark.sql import DataFrame, SparkSession

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.address import LakeAddress, absolute_root
from jobs.runtime.lake.lake import FIRST_GENERATION, Lake
from jobs.runtime.lake.tables import (
    BRONZE,
    GENERATIONS,
    LEDGER,
    PARTIALS,
    QUARANTINE,
    TABLES,
    filled_by,
    is_generational,
    missing_table,
)
from jobs.runtime.pipeline.gold import FOLDED_THROUGH, NOTHING, Snapshot, read_gold_at
from jobs.runtime.pipeline.ledger import Conservation, Entry, balance
from jobs.runtime.streams.checkpoints import BATCH_BITS
from transforms.gold.fold import Fold
from transforms.gold.tables import FOLDS
from transforms.silver.tables import FAMILIES

MILLIS = 1000


@dataclass(frozen=True)
class Pin:
    """A table at fixed versions, so that reading it again gives the same rows.

    Attributes:
        table: table name.
        version: Delta version of the table; for a fold, of its base.
        partials: Delta version of gold.partials for a fold; None: the base alone.
        through: sequence number that a fold's base is folded through.
    """

    table: str
    version: int
    partials: int | None = None
    through: int = NOTHING


class Reader:
    """The tables of a lake, with silver and gold of one generation, read only.

    Args:
        root: folder or object-store prefix of the lake.
        generation: number of the build of silver and gold to read; None: the live one.

    Raises:
        SettingsError: there is no lake.
    """

    def __init__(self, root: str | Path, generation: int | None = None) -> None:
        self.root = absolute_root(str(root))
        if "://" not in self.root and not Path(self.root).is_dir():
            raise SettingsError(f"there is no lake at {self.root}", "name the folder lake.root")
        self.generation = self.live() if generation is None else generation
        self._duckdb = connect()
        self._duckdb.execute("SET TimeZone = 'UTC'")

    def names(self) -> list[str]:
        """The names of the tables that exist."""
        return [name for name in TABLES if DeltaTable.is_deltatable(self._path(name))]

    def require(self, *tables: str) -> None:
        """Return only if each of the tables holds rows.

        Args:
            tables: table names.

        Raises:
            SettingsError: there is no such table.
            DataError: a table does not exist yet, or is empty.
        """
        for table in tables:
            if not self._rows(self.pin(table)).limit(1).fetchall():
                raise DataError(
                    f"{table} of the lake at {self.root} has no rows in generation "
                    f"{self.generation}",
                    f"run {filled_by(table)} once there are events, or name another lake",
                )

    def live(self) -> int:
        """Number of the live generation, FIRST_GENERATION before any switch."""
        path = LakeAddress(self.root, FIRST_GENERATION).path(GENERATIONS)
        if not DeltaTable.is_deltatable(path):
            return FIRST_GENERATION
        log = DeltaTable(path).to_pyarrow_table(columns=["sequence", "generation", "action"])
        switches = [row for row in log.to_pylist() if row["action"] == "switched"]
        newest = max(switches, key=lambda row: row["sequence"], default=None)
        return FIRST_GENERATION if newest is None else int(newest["generation"])

    def pin(self, table: str, version: int | None = None, at: datetime | None = None) -> Pin:
        """Fix the versions of a table to read.

        Args:
            table: table name, of jobs.runtime.lake.tables.
            version: Delta version of the table. For a fold this is its base, which lacks what came
                after the last compaction; `at` and the default do not.
            at: instant with its time zone, to read the table as of then.

        Returns:
            The newest versions if neither `version` nor `at` is given.

        Raises:
            SettingsError: no such table, version or instant, or both version and instant are given.
            DataError: the table does not exist yet.
        """
        if version is not None and at is not None:
            raise SettingsError(f"{table}: version and time are both given", "give one of them")
        if version is not None or not _is_fold(table):
            return Pin(table, self._opened(table, version, at).version())
        base = self._opened(table, None, at)
        partials = self._opened(PARTIALS, None, at).version()
        if at is None:
            base.update_incremental()  # read after the partials, so that none is missed
        through = base.transaction_version(FOLDED_THROUGH)
        return Pin(table, base.version(), partials, NOTHING if through is None else through)

    def commits(self, table: str) -> list[datetime]:
        """The times of the commits that a table's rows come from.

        Returns:
            Instants in UTC, oldest first; for a fold of its base and of its partials, from when
            both existed.
        """
        names = [table, PARTIALS] if _is_fold(table) else [table]
        logs = [sorted(_commits(self._opened(name, None, None)).values()) for name in names]
        since = max(log[0] for log in logs)
        return sorted(at for log in logs for at in log if at >= since)

    def duckdb(
        self, table: str, version: int | None = None, at: datetime | None = None
    ) -> DuckDBPyRelation:
        """Read a table with DuckDB, lazily and without Spark.

        Args:
            table: table name.
            version: Delta version, as in `pin`.
            at: instant with its time zone, as in `pin`.

        Returns:
            A relation for SQL, computed when it is fetched; timestamps in UTC.
        """
        return self.duckdb_at(self.pin(table, version, at))

    def polars(
        self, table: str, version: int | None = None, at: datetime | None = None
    ) -> pl.DataFrame:
        """Read a table into memory.

        Args:
            table: table name.
            version: Delta version, as in `pin`.
            at: instant with its time zone, as in `pin`.

        Returns:
            A polars data frame.
        """
        rows: pl.DataFrame = self.duckdb(table, version, at).pl()
        return rows

    def spark(
        self,
        spark: SparkSession,
        table: str,
        version: int | None = None,
        at: datetime | None = None,
    ) -> DataFrame:
        """Read a table with Spark.

        Args:
            spark: session to read with.
            table: table name.
            version: Delta version, as in `pin`.
            at: instant with its time zone, as in `pin`.

        Returns:
            A DataFrame with the declared columns.
        """
        return self.spark_at(spark, self.pin(table, version, at))

    def duckdb_at(self, pin: Pin) -> DuckDBPyRelation:
        """Read a pinned table with DuckDB, as `duckdb`."""
        rows = self._rows(pin)
        if pin.partials is None:
            return rows
        fold = FOLDS[_name(pin.table)]
        return rows.aggregate(", ".join([*fold.key, *_merged(fold)]), ", ".join(fold.key))

    def spark_at(self, spark: SparkSession, pin: Pin) -> DataFrame:
        """Read a pinned table with Spark, as `spark`."""
        lake = Lake(spark, self.root, self.generation)
        if pin.partials is None:
            return lake.read_declared(pin.table, pin.version)
        fold = FOLDS[_name(pin.table)]
        bases = {fold.name: (pin.version, pin.through)}
        return read_gold_at(lake, fold, Snapshot(NOTHING, pin.partials, bases))

    def conservation(self) -> Conservation:
        """Balance the records of bronze against the ledger, as `jobs.runtime.pipeline.ledger` does.

        Raises:
            DataError: a table does not exist yet.
        """
        columns = "max(sequence), fate, detail, sum(events)"
        by_checkpoint = f"sequence >> {BATCH_BITS}, fate, detail"
        entered = self.duckdb(LEDGER).aggregate(columns, by_checkpoint).fetchall()
        reasons = self.duckdb(QUARANTINE).aggregate("reason, count(*)", "reason").fetchall()
        return balance(
            [Entry(*row) for row in entered],
            self._count(BRONZE),
            {family: self._count(f"silver.{family}") for family in FAMILIES},
            dict(reasons),
        )

    def _count(self, table: str) -> int:
        """The number of rows of a table."""
        return int(self.duckdb(table).count("*").fetchall()[0][0])

    @property
    def _address(self) -> LakeAddress:
        """The address of the lake at this generation."""
        return LakeAddress(self.root, self.generation)

    def _path(self, table: str) -> str:
        """Absolute path of the table's files."""
        return self._address.path(table)

    def _rows(self, pin: Pin) -> DuckDBPyRelation:
        """The unmerged rows of a pinned table: of a fold, base and pending partials."""
        base = self._relation(pin.table, pin.version)
        if pin.partials is None:
            return base
        fold = FOLDS[_name(pin.table)]
        of_fold = f"gold_table = '{fold.name}' AND sequence > {pin.through}"
        pending = self._relation(PARTIALS, pin.partials).filter(of_fold)
        return _declared(fold, base).union(_declared(fold, pending))

    def _relation(self, table: str, version: int) -> DuckDBPyRelation:
        """The rows of a Delta version, as stored."""
        files = DeltaTable(self._path(table), version=version).to_pyarrow_dataset()
        return self._duckdb.from_arrow(files)

    def _opened(self, table: str, version: int | None, at: datetime | None) -> DeltaTable:
        """Open a table at a version, at an instant, or at its newest version, and mark the read.

        Raises:
            SettingsError: no such table, version or instant.
            DataError: the table does not exist yet.
        """
        if table not in TABLES:
            raise SettingsError(f"no table is called '{table}'", f"use one of: {', '.join(TABLES)}")
        try:
            opened = DeltaTable(self._path(table))
        except TableNotFoundError:
            raise missing_table(self.root, table, self.generation) from None
        if is_generational(table):
            self._address.mark_read()
        if at is not None:
            version = _version_at(opened, table, at)
        if version is not None:
            _move(opened, table, version)
        return opened


def _version_at(opened: DeltaTable, table: str, at: datetime) -> int:
    """The newest version that was committed at or before an instant.

    Raises:
        SettingsError: the instant has no time zone, or is before the first commit in the log.
    """
    if at.utcoffset() is None:
        raise SettingsError(f"{table}: {at} has no time zone", "add one, such as tzinfo=UTC")
    commits = _commits(opened)
    known = [version for version, committed in commits.items() if committed <= at]
    if not known:
        first = min(commits.values())
        raise SettingsError(f"{table} was not there at {at}", f"ask for {first} or later")
    return max(known)


def _commits(opened: DeltaTable) -> dict[int, datetime]:
    """The commit time (UTC) of each version that the log still holds, by version."""
    return {
        int(commit["version"]): datetime.fromtimestamp(commit["timestamp"] / MILLIS, UTC)
        for commit in opened.history()
    }


def _move(opened: DeltaTable, table: str, version: int) -> None:
    """Move an open table to a version.

    Raises:
        SettingsError: there is no such version, or its files are gone.
    """
    newest = opened.version()
    try:
        opened.load_as_version(version)
    except (DeltaError, OverflowError):
        raise SettingsError(
            f"{table} has no version {version}",
            f"the newest is {newest}; the files of old ones may be gone",
        ) from None


def _is_fold(table: str) -> bool:
    """Whether a table is a fold."""
    return table.startswith("gold.") and _name(table) in FOLDS


def _name(table: str) -> str:
    """The name of a table without its layer."""
    return table.partition(".")[2]


def _declared(fold: Fold, rows: DuckDBPyRelation) -> DuckDBPyRelation:
    """The fold's columns in order, null where files of an older playhead lack one."""
    return rows.project(
        ", ".join(
            name if name in rows.columns else f"{_translated(f'CAST(NULL AS {ddl})')} AS {name}"
            for name, ddl in fold.columns.items()
        )
    )


def _merged(fold: Fold) -> list[str]:
    """The merged statistics of a fold as DuckDB's SQL.

    DuckDB's sums are wider than Spark's, so each is cast to its declared type.

    Returns:
        One expression for each statistic, in order.
    """
    return [
        f"CAST({_translated(stat.merge.format(name))} AS {_type(stat.ddl)}) AS {name}"
        for name, stat in fold.statistics.items()
    ]


def _type(ddl: str) -> str:
    """A Spark SQL type in DuckDB's SQL."""
    return sqlglot.parse_one(ddl, into=sqlglot.exp.DataType, read="spark").sql("duckdb")


def _translated(sql: str) -> str:
    """A Spark SQL expression in DuckDB's SQL."""
    return sqlglot.transpile(sql, read="spark", write="duckdb")[0]
