"""Judging: one set of contracts and time bounds for all the records that a job judges."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.lake.tables import QUARANTINE
from jobs.runtime.settings import RefineSettings
from transforms.contracts.registry import Registry
from transforms.events.judge import StrictLane, TimeBounds, definition, judge
from transforms.silver.deduplication import deduplicate
from transforms.silver.quarantine import quarantine_rows
from transforms.silver.tables import silver_of


@dataclass(frozen=True)
class Judge:
    """Judges records of bronze, loaded once a job and passed down.

    Attributes:
        registry: contracts to judge by.
        bounds: permitted distance of an event time from its arrival.
        strict_lane: reader of the texts that are not written in a contract's own order.
    """

    registry: Registry
    bounds: TimeBounds
    strict_lane: StrictLane

    def judge(self, bronze: DataFrame) -> DataFrame:
        """Judge every record of bronze by its contract.

        Args:
            bronze: rows of bronze.events, streaming or batch.

        Returns:
            One row for each row of bronze, with the columns of `transforms.events.judge.judge`.
        """
        return judge(bronze, self.registry, self.bounds, self.strict_lane)

    def accepted_events(self, bronze: DataFrame) -> DataFrame:
        """The valid events of bronze, deduplicated by event_id without a horizon.

        Args:
            bronze: rows of bronze.events, batch only.

        Returns:
            Accepted rows with the columns of `judge`, input of `silver_rows`.
        """
        return deduplicate(self.judge(bronze)).where("reason IS NULL")

    def silver_rows(self, family: str, judged: DataFrame) -> DataFrame:
        """The accepted rows of one family, as rows of its silver table.

        Args:
            family: name of the family.
            judged: rows of `judge`, streaming or batch.
        """
        return silver_of(family, judged, self.registry)

    def table_rows(self, table: str, judged: DataFrame) -> DataFrame:
        """The rows of one silver table or of silver.quarantine.

        Args:
            table: table name.
            judged: rows of `judge`, streaming or batch.

        Returns:
            Rows with the declared columns of the table.
        """
        if table == QUARANTINE:
            return quarantine_rows(judged)
        return self.silver_rows(table.removeprefix("silver."), judged)

    @property
    def definition(self) -> str:
        """A digest of everything that determines the verdict on a record."""
        return definition(self.registry, self.bounds)


def load_judge(settings: RefineSettings) -> Judge:
    """Load the contracts of conf/schemas and the time bounds of the settings.

    Raises:
        SettingsError: a contract cannot be read.
    """
    bounds = TimeBounds(settings.future_tolerance_s, settings.oldest_event_days)
    return Judge(load_registry(), bounds, settings.strict_lane)
