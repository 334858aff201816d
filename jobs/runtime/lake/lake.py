"""The lake: the tables of one generation, opened as the live one or as a pinned one."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.lake.address import LakeAddress, absolute_root
from jobs.runtime.lake.delta_tables import DeltaTables
from jobs.runtime.lake.table_creation import create_missing
from jobs.runtime.lake.tables import GENERATIONS, TABLES, is_generational
from jobs.runtime.settings import Settings
from jobs.runtime.spark.session import spark_session

FIRST_GENERATION = 1
SMALL_PART = "16m"  # bytes between two tasks; Spark's own 64 MB make fewer and larger files


class Lake(DeltaTables):
    """The tables below one root, with silver and gold of one generation, and read marks.

    Args:
        spark: session to read and write with.
        root: folder or object-store prefix.
        generation: number of the build of silver and gold to open. None: the live one; later
            switches do not move a lake that is open.

    Attributes:
        pinned: whether the generation was given.
        switches: version of ops.generations that the live generation was taken from; None if the
            generation is pinned or that table does not exist.
    """

    def __init__(self, spark: SparkSession, root: str, generation: int | None = None) -> None:
        super().__init__(spark, LakeAddress(absolute_root(root), generation or FIRST_GENERATION))
        self.pinned = generation is not None
        self.switches = None if self.pinned else self.newest_switches()
        if self.switches:
            self.address = LakeAddress(self.root, self.live())

    @property
    def root(self) -> str:
        """Absolute folder or object-store prefix."""
        return self.address.root

    @property
    def generation(self) -> int:
        """Number of the build of silver and gold that is open."""
        return self.address.generation

    def checkpoint(self, query: str) -> str:
        """Checkpoint folder of a streaming query of this generation."""
        return self.address.checkpoint(query)

    def shared_checkpoint(self, query: str) -> str:
        """Checkpoint or lock folder of a query or job that works for all generations."""
        return self.address.shared_checkpoint(query)

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Read a table as `DeltaTables.read` does, and mark the generation as read."""
        if is_generational(table):
            self.address.mark_read()
        return super().read(table, version)

    def unmarked(self) -> DeltaTables:
        """A client of the same tables without read marks, for deciding what may be deleted."""
        return DeltaTables(self.spark, self.address)

    def ensure(self, tables: Iterable[str] = TABLES) -> None:
        """Create the tables that do not exist, and add newly declared columns to the others.

        Args:
            tables: table names; all by default.

        Raises:
            DataError: a table has a column of another type, or one that is not declared.
            ServiceError: a path cannot be written, or another job has been creating tables too
                long.
        """
        create_missing(self, tables)

    def live(self) -> int:
        """Number of the live generation, FIRST_GENERATION before any switch."""
        if not self.newest_switches():
            return FIRST_GENERATION
        switches = self.read(GENERATIONS).where("action = 'switched'")
        [newest] = switches.agg(F.max_by("generation", "sequence")).collect()
        return newest[0] or FIRST_GENERATION

    def newest_switches(self) -> int | None:
        """The newest version of ops.generations.

        Returns:
            0 if the table was only created; None if it does not exist.
        """
        return self.version(GENERATIONS) if self.has(GENERATIONS) else None

    def of_generation(self, generation: int) -> Lake:
        """The same lake, pinned to a generation of silver and gold."""
        return type(self)(self.spark, self.root, generation)

    def isolated(self) -> Lake:
        """The same lake in a new Spark session, for settings that others must not see."""
        return Lake(self.spark.newSession(), self.root, self.generation)

    def in_small_parts(self) -> Lake:
        """As `isolated`, tuned for all of history: more data makes more tasks, not larger ones."""
        alone = self.isolated()
        alone.spark.conf.set("spark.sql.adaptive.advisoryPartitionSizeInBytes", SMALL_PART)
        return alone

    def remove_generation(self) -> None:
        """Delete all files of this lake's generation, tables and checkpoints."""
        for folder in (f"{self.root}/generation=", f"{self.root}/checkpoints/generation="):
            path, files = self._files(f"{folder}{self.generation}")
            files.delete(path, True)


def open_lake(app: str, settings: Settings) -> Lake:
    """Open a lake at the generation that lake.generation pins, else at the live one.

    Args:
        app: name of the Spark session, shown in its pages and logs.
        settings: settings of the lake and of Spark.
    """
    spark = spark_session(app, settings.spark)
    return Lake(spark, settings.lake.root, settings.lake.generation)


def open_live_lake(app: str, settings: Settings) -> Lake:
    """Open a lake at the live generation, whatever lake.generation pins.

    Args:
        app: name of the Spark session, shown in its pages and logs.
        settings: settings of the lake and of Spark.
    """
    return Lake(spark_session(app, settings.spark), settings.lake.root)
