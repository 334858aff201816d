"""Lists read from gold.recommendations itself, by Spark: right, and slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import RECOMMENDATIONS
from jobs.runtime.online.lists import Publication
from jobs.runtime.spark.failures import SPARK_ERRORS, explain

ITEM = ("rank", "title_id", "score", "units", "reason", "contributions", "metadata")


@dataclass(frozen=True)
class GoldLists:
    """The lists of gold.recommendations, as `recommendation_query.Lists`."""

    lake: Lake

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `Lists`."""
        wanted = (F.col("user_id") == user_id) & (F.col("context_type") == context_type)
        row = self._run(lambda: documents(self.lake, wanted).first())
        return None if row is None else str(row.document)

    def publication(self) -> Publication | None:
        """See `Lists`."""
        if not self.lake.has(RECOMMENDATIONS):
            return None
        version = self.lake.version(RECOMMENDATIONS)
        rows = self.lake.read(RECOMMENDATIONS, version).select("built_from.model_version")
        row = self._run(rows.first)
        return (
            None if row is None else Publication(version, row.model_version, self.lake.generation)
        )

    def _run(self, query: Callable[[], Any]) -> Any:
        try:
            return query()
        except SPARK_ERRORS as error:
            raise explain(error, RECOMMENDATIONS) from None


def documents(lake: Lake, where: Column | None = None, version: int | None = None) -> DataFrame:
    """Encode lists as the online store holds them.

    Args:
        lake: lake to read gold.recommendations from.
        where: condition on its rows; None: all of them.
        version: Delta version of the table; None: the newest.

    Returns:
        user_id, context_type and `document`, the items of the list as a JSON array, best first.
    """
    rows = lake.read(RECOMMENDATIONS, version)
    rows = rows if where is None else rows.where(where)
    document = F.to_json(F.sort_array(F.collect_list(F.struct(*ITEM)))).alias("document")
    return rows.groupBy("user_id", "context_type").agg(document)
