"""The Gram matrix over all users, summed by Spark in blocks of rows.

A task sums the outer products of its users; the sums of the tasks are added block by block. All of
it is integer arithmetic, so neither the number of tasks nor their order can be seen in the result.
Only the upper triangle travels: row r of the matrix from column r's block on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from scipy.sparse import csr_array

from transforms.recommendations.columns import BLOCK_COLUMNS, ddl_of
from transforms.recommendations.fixed_point import Integers, Titles
from transforms.recommendations.gram import Gram, outer_products, positions, scales

ROWS = 64
"""Rows in a block: at 15,000 titles a block is at most 8 MB."""

_SCHEMA = ddl_of(BLOCK_COLUMNS)


def block_sums(changes: DataFrame, titles: Titles, damping: float) -> DataFrame:
    """Sum what changed histories add to the Gram matrix.

    Args:
        changes: titles, preferences and sign, as `histories.changes` returns them.
        titles: sorted, distinct; all titles of these histories are among them.
        damping: exponent a of `gram`.

    Returns:
        BLOCK_COLUMNS: `block` is the number of the block, `sums` its rows as little-endian int64,
        from the block's first column to the last. A block of zeros is left out.
    """

    def of_task(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        histories = list(batches)
        if histories:
            yield from _encode(_sums(pd.concat(histories), titles, damping))

    parts = changes.select("titles", "preferences", "sign").mapInPandas(of_task, _SCHEMA)
    return parts.groupBy("block").applyInPandas(_sum_block, _SCHEMA)


def blocks(statistic: Gram) -> Iterator[tuple[int, bytes]]:
    """Encode the upper triangle of a statistic, block by block, as BLOCK_COLUMNS have it."""
    for start in range(0, len(statistic.titles), ROWS):
        rows = statistic.sums[start : start + ROWS, start:]
        yield start // ROWS, np.ascontiguousarray(rows, "<i8").tobytes()


def add_blocks(statistic: Gram, parts: Iterable[tuple[int, bytes]]) -> Gram:
    """Add the sums of blocks to a statistic; titles that nobody meets any more are dropped.

    Args:
        statistic: sums over the titles of all blocks.
        parts: number and sums of each block, as BLOCK_COLUMNS have them.


    Raises:
        InteractionError: histories were taken out that the statistic had not counted.
    """
    sums = statistic.sums.copy()
    size = len(sums)
    for block, part in parts:
        start = block * ROWS
        rows = np.frombuffer(part, "<i8").reshape(-1, size - start)
        stop = start + len(rows)
        sums[start:stop, start:] += rows
        sums[stop:, start:stop] += rows[:, stop - start :].T
    return Gram(statistic.titles, sums, statistic.damping).drop_unmet()


def _sums(
    histories: pd.DataFrame, titles: Titles, damping: float
) -> Iterator[tuple[int, Integers]]:
    """(first row, rows from that column on) of the sum over histories of sign x outer product."""
    lengths = histories["titles"].map(len).to_numpy(np.int64)
    columns = positions(titles, np.concatenate(histories["titles"].to_list()).astype(np.str_))
    weights = np.concatenate(histories["preferences"].to_list()).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    matrix = csr_array((weights, columns, starts), (len(histories), len(titles)))
    signed = histories["sign"].to_numpy(np.int64) * scales(matrix, damping)
    yield from outer_products(matrix, signed)


def _encode(sums: Iterable[tuple[int, Integers]]) -> Iterator[pd.DataFrame]:
    for start, rows in sums:
        for first in range(0, len(rows), ROWS):
            part = rows[first : first + ROWS, first:]
            if np.any(part):
                encoded = np.ascontiguousarray(part, "<i8").tobytes()
                yield pd.DataFrame({"block": [(start + first) // ROWS], "sums": [encoded]})


def _sum_block(parts: pd.DataFrame) -> pd.DataFrame:
    total = np.sum([np.frombuffer(part, "<i8") for part in parts["sums"]], axis=0)
    return pd.DataFrame({"block": parts["block"].iloc[:1], "sums": [total.tobytes()]})
