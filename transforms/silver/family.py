"""What a silver family is: a table's own columns, and how each of its events fills them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

LINEAGE_COLUMNS = {
    "event_id": "STRING",
    "event_type": "STRING",
    "contract_version": "STRING",
    "event_time": "TIMESTAMP",
    "event_date": "DATE",
    "topic": "STRING",
    "partition": "INT",
    "offset": "BIGINT",
    "kafka_timestamp": "TIMESTAMP",
    "ingest_time": "TIMESTAMP",
}

RowMapping = Callable[[Column], Mapping[str, Column]]


@dataclass(frozen=True)
class Family:
    """A silver table.

    Attributes:
        own_columns: the columns besides LINEAGE_COLUMNS, name to SQL type.
        rows: for each event type, its newest shape (a struct) to own columns; a column that a
            mapping leaves out is null.
    """

    own_columns: Mapping[str, str]
    rows: Mapping[str, RowMapping]

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns, name to SQL type, in order."""
        return {**LINEAGE_COLUMNS, **self.own_columns}

    def silver(self, accepted: DataFrame) -> DataFrame:
        """Accepted rows of this family's event types as rows of its table.

        Args:
            accepted: the lineage columns but event_date, and a struct column per event type
                that is null unless the row is of that type.
        """
        lineage = accepted.withColumn("event_date", F.to_date("event_time"))
        return lineage.select(*LINEAGE_COLUMNS, *self._own)

    @cached_property
    def _own(self) -> list[Column]:
        mapped = [row(F.col(event_type)) for event_type, row in self.rows.items()]
        return [
            F.coalesce(*(values[name] for values in mapped if name in values)).cast(ddl).alias(name)
            for name, ddl in self.own_columns.items()
        ]
