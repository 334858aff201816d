"""What is met next to what, over all users: counted by Spark, a task a group of users.

A history has a few neighbours a title, so everybody is counted at each training, and nothing is
stored that an erasure would have to take out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array

from transforms.recommendations.columns import ddl_of
from transforms.recommendations.fixed_point import Titles
from transforms.recommendations.gram import positions
from transforms.recommendations.neighbours import Neighbours, neighbours

PAIRS = {"first": "BIGINT", "second": "BIGINT", "count": "BIGINT"}


def read_neighbours(user_title: DataFrame, titles: Titles) -> Neighbours:
    """Count the neighbours of all histories.

    Args:
        user_title: rows of gold.user_title.
        titles: sorted, distinct; all titles of the rows are among them.
    """
    met = F.sort_array(F.collect_list(F.struct(F.unix_seconds("last_time"), "title_id")))
    ordered = user_title.groupBy("user_id").agg(met.getField("title_id").alias("titles"))

    def of_task(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        histories = [positions(titles, np.asarray(each, np.str_))
                     for batch in batches for each in batch["titles"]]  # fmt: skip
        pairs = neighbours(histories, titles).counts.tocoo()
        upper = pairs.row < pairs.col
        values = (pairs.row[upper], pairs.col[upper], pairs.data[upper])
        yield pd.DataFrame(dict(zip(PAIRS, values, strict=True)))

    each = ordered.select("titles").mapInPandas(of_task, ddl_of(PAIRS))
    sums = each.groupBy("first", "second").agg(F.sum("count").alias("count")).toPandas()
    first, second, count = (sums[name].to_numpy(np.int64) for name in PAIRS)
    shape = (len(titles), len(titles))
    upper = coo_array((count, (first, second)), shape)
    return Neighbours(titles, (upper + upper.T).tocsr())
