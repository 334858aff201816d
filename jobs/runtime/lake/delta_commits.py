"""Commits to a Delta table that are made once, however often they are repeated.

Delta records (application, version) in a commit. To find what an application recorded last,
`DataFrame.write` of Delta 4.4 computes the state of the whole table: three Spark jobs before every
write, which cost more than a small write itself. The checksum that Delta leaves beside each version
says the same, and is asked here first. Delta's main branch does so too
(USE_SNAPSHOT_STATE_FROM_CHECKSUM_ENABLED); with a release that has it, `append` is a plain write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Transaction:
    """Names a write, so that repeating it changes nothing: versions of an application only grow."""

    application: str
    version: int


def last_recorded(snapshot: Any, application: str) -> int | None:
    """The version that `application` recorded last, by a Delta snapshot; None if it never did."""
    return next((t.version for t in transactions(snapshot) if t.application == application), None)


def transactions(snapshot: Any) -> Iterator[Transaction]:
    """What each application recorded last, by a Delta snapshot."""
    checksum = snapshot.checksumOpt()
    stated = checksum.get().setTransactions() if checksum.isDefined() else checksum
    recorded = stated.get() if stated.isDefined() else snapshot.setTransactions()
    for each in map(recorded.apply, range(recorded.size())):
        yield Transaction(each.appId(), int(each.version()))


def is_empty(snapshot: Any) -> bool:
    """Is the table without files, as its checksum says? False where there is none to ask."""
    checksum = snapshot.checksumOpt()
    return bool(checksum.isDefined() and checksum.get().numFiles() == 0)


def append(log: Any, rows: DataFrame, transaction: Transaction) -> None:
    """Append `rows` in one commit, unless the transaction, or a later one, is recorded.

    Args:
        log: the table's `DeltaLog`.
        rows: with the columns of the table; Delta does not compare them here.
        transaction: a concurrent commit by the same application makes this one fail.
    """
    _commit(log, rows.sparkSession, transaction, rows)


def mark(log: Any, spark: SparkSession, transaction: Transaction) -> None:
    """`append` without rows: a version of its own, in which nothing else is said."""
    _commit(log, spark, transaction, None)


def _commit(
    log: Any, spark: SparkSession, transaction: Transaction, rows: DataFrame | None
) -> None:
    jvm = spark._jvm
    assert jvm is not None
    delta, nothing = jvm.org.apache.spark.sql.delta, jvm.scala.Option.empty()
    commit = log.startTransaction(nothing, nothing)
    last = last_recorded(commit.snapshot(), transaction.application)
    if last is not None and last >= transaction.version:
        return
    commit.readTxn().addOne(transaction.application)
    done = delta.actions.SetTransaction(transaction.application, transaction.version, nothing)
    files = nothing.toList() if rows is None else commit.writeFiles(rows._jdf)
    mode = jvm.org.apache.spark.sql.SaveMode.Append
    write = getattr(delta, "DeltaOperations$Write")(mode, *[nothing] * 8)
    commit.commit(files.appended(done), write)
