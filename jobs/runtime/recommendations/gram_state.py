"""The state of training: the Gram matrix of everybody, and the histories that it counts.

gold.user_history holds what was counted, gold.title_gram the sums; the latter names the version of
the former, so a crash between the two writes leaves the older, consistent pair in force. An update
compares that version with the histories of now and moves only the users who differ. The result is
that of training from scratch, to the bit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import TABLES, TITLE_GRAM, USER_HISTORY
from jobs.runtime.spark.failures import SPARK_ERRORS
from transforms.recommendations.fixed_point import Titles
from transforms.recommendations.gram import Gram, InteractionError
from transforms.recommendations.gram_blocks import ROWS, add_blocks, block_sums, blocks
from transforms.recommendations.histories import additions, changes, histories
from transforms.recommendations.weighting import Weighting

log = logging.getLogger(__name__)

WRITER = "train"


@dataclass(frozen=True, eq=False)
class StoredGram:
    """The statistic as it is stored.

    Attributes:
        statistic: sums over all histories.
        histories: Delta version of gold.user_history that it counts.
        weighting: declaration that the histories were weighted by.
    """

    statistic: Gram
    histories: int
    weighting: str


@dataclass(frozen=True, eq=False)
class Update:
    """The statistic of now.

    Attributes:
        statistic: sums over all histories.
        moved: number of histories taken out and put in; None if all were counted anew.
    """

    statistic: Gram
    moved: int | None


def gram_of(user_title: DataFrame, weighting: Weighting, damping: float) -> Gram:
    """Sum these rows of gold.user_title from scratch; nothing is stored."""
    rows = histories(user_title, weighting).persist()
    try:
        return _apply_changes(_empty_gram(damping), additions(rows))
    finally:
        rows.unpersist()


def update(
    lake: Lake, user_title: DataFrame, weighting: Weighting, damping: float, *, scratch: bool
) -> Update:
    """Bring the stored statistic to these rows of gold.user_title and store it.

    Args:
        lake: lake that holds the state.
        user_title: rows of gold.user_title.
        weighting: declared worth of each signal.
        damping: exponent of the statistic.
        scratch: whether what is stored is left aside and everybody counted.
    """
    lake.ensure([USER_HISTORY, TITLE_GRAM])
    before = None if scratch else _read_comparable(lake, weighting, damping)
    rows = histories(user_title, weighting)
    lake.replace(USER_HISTORY, rows, Transaction(WRITER, lake.version(USER_HISTORY)))
    version = lake.version(USER_HISTORY)
    after = lake.read(USER_HISTORY, version)
    updated = _update_stored(lake, before, after) if before is not None else None
    if updated is None:
        updated = Update(_apply_changes(_empty_gram(damping), additions(after)), None)
    _store(lake, StoredGram(updated.statistic, version, str(weighting)))
    return updated


def read_gram(lake: Lake) -> StoredGram | None:
    """Read the stored statistic; None if there is none."""
    if not lake.has(TITLE_GRAM):
        return None
    rows = lake.read(TITLE_GRAM).orderBy("block").collect()
    if not rows:
        return None
    titles = np.asarray([title for row in rows for title in row.titles], np.str_)
    sums = np.zeros((len(titles), len(titles)), np.int64)
    origin = rows[0].counted
    statistic = add_blocks(
        Gram(titles, sums, origin.damping), ((row.block, bytes(row.sums)) for row in rows)
    )
    return StoredGram(statistic, origin.histories, origin.weighting)


def _read_comparable(lake: Lake, weighting: Weighting, damping: float) -> StoredGram | None:
    """The stored statistic, if it was declared the same."""
    before = read_gram(lake)
    if before is None:
        return None
    if (before.weighting, before.statistic.damping) != (str(weighting), damping):
        log.info("weighting or damping was declared anew: everybody is counted again")
        return None
    return before


def _update_stored(lake: Lake, before: StoredGram, after: DataFrame) -> Update | None:
    """None if the histories that were counted are gone, or are not those."""
    try:
        differing = changes(lake.read(USER_HISTORY, before.histories), after).persist()
        try:
            moved = differing.count()
            return Update(_apply_changes(before.statistic, differing), moved)
        finally:
            differing.unpersist()
    except (*SPARK_ERRORS, InteractionError) as error:
        log.warning("the stored statistic cannot be updated (%s): counted anew", type(error))
        return None


def _apply_changes(statistic: Gram, differing: DataFrame) -> Gram:
    """Add signed histories to a statistic."""
    titles = np.union1d(statistic.titles, _titles(differing))
    wider = statistic.reindex(titles)
    parts = block_sums(differing, titles, statistic.damping).toLocalIterator()
    return add_blocks(wider, ((part.block, bytes(part.sums)) for part in parts))


def _titles(histories: DataFrame) -> Titles:
    met = histories.select(F.explode("titles").alias("title_id")).distinct().collect()
    return np.asarray(sorted(row.title_id for row in met), np.str_)


def _empty_gram(damping: float) -> Gram:
    return Gram(np.zeros(0, np.str_), np.zeros((0, 0), np.int64), damping)


def _store(lake: Lake, state: StoredGram) -> None:
    statistic = state.statistic
    origin = (state.histories, statistic.damping, state.weighting)
    rows = [
        (block, sums, statistic.titles[block * ROWS : (block + 1) * ROWS].tolist(), origin)
        for block, sums in blocks(statistic)
    ]
    frame = lake.spark.createDataFrame(rows, TABLES[TITLE_GRAM].schema)
    lake.replace(TITLE_GRAM, frame, Transaction(WRITER, lake.version(TITLE_GRAM)))
