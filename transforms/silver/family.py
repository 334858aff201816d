"""A silver family: a table's own columns, and the mapping of each of its event types to them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms import provenance
from transforms.contracts.registry import Registry
from transforms.events.bodies import with_bodies

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
    "refined_by": "STRING",
}

RowMapping = Callable[[Column], Mapping[str, Column]]


@dataclass(frozen=True)
class Family:
    """A silver table.

    Attributes:
        own_columns: SQL types of the columns besides LINEAGE_COLUMNS, by name.
        rows: mapping from an event's newest shape (struct) to own columns, by event type; a column
            that a mapping leaves out is null.
    """

    own_columns: Mapping[str, str]
    rows: Mapping[str, RowMapping]

    @property
    def columns(self) -> dict[str, str]:
        """SQL types of all columns of the table, by name, in order."""
        return {**LINEAGE_COLUMNS, **self.own_columns}

    def silver(self, accepted: DataFrame, registry: Registry) -> DataFrame:
        """Map accepted events of this family to rows of its table.

        Args:
            accepted: rows of `judge` whose family is this one.
            registry: contracts that they were judged by.

        Returns:
            The columns of `columns`; refined_by is judged_by, a dot, and a digest of the code that
            maps events to rows.
        """
        derived = {
            "event_date": F.to_date("event_time"),
            "refined_by": F.concat("judged_by", F.lit(f".{self.definition}")),
        }
        lineage = accepted.withColumns(derived)
        return with_bodies(lineage, registry, self.rows, LINEAGE_COLUMNS).select(
            *LINEAGE_COLUMNS, *self._own
        )

    @cached_property
    def definition(self) -> str:
        """Digest of the code that maps events to rows."""
        modules = {inspect.getmodule(row) for row in self.rows.values()}
        return provenance.code(*(module for module in modules if module is not None))

    @cached_property
    def _own(self) -> list[Column]:
        """The own columns of a row, from its event's struct, in order."""
        mapped = [row(F.col(event_type)) for event_type, row in self.rows.items()]
        return [
            F.coalesce(*(values[name] for values in mapped if name in values)).cast(ddl).alias(name)
            for name, ddl in self.own_columns.items()
        ]
