"""Idempotent commits to a Delta table: repeating one has no effect.

Delta records (application, version) in a commit. To find what an application recorded last,
`DataFrame.write` of Delta 4.4 computes the state of the whole table: three Spark jobs before every
write, which cost more than a small write itself. The checksum file that Delta writes with each
version has the same facts, and is read here first. Delta's main branch does so too
(USE_SNAPSHOT_STATE_FROM_CHECKSUM_ENABLED); with a release that has it, `append` is a plain write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Transaction:
    """The identity of a write, which makes it idempotent.

    Attributes:
        application: name of the writer, recorded by Delta as txnAppId.
        version: number of the write, recorded as txnVersion; only grows within an application.
    """

    application: str
    version: int


def last_recorded(snapshot: Any, application: str) -> int | None:
    """The version that an application recorded last.

    Args:
        snapshot: Delta snapshot of the table (Java object).
        application: name of the writer.

    Returns:
        The version; None if the application never recorded one.
    """
    return next((t.version for t in transactions(snapshot) if t.application == application), None)


def transactions(snapshot: Any) -> Iterator[Transaction]:
    """The last transaction of each application.

    Args:
        snapshot: Delta snapshot of the table (Java object).

    Yields:
        One Transaction for each application.
    """
    checksum = snapshot.checksumOpt()
    stated = checksum.get().setTransactions() if checksum.isDefined() else checksum
    recorded = stated.get() if stated.isDefined() else snapshot.setTransactions()
    for each in map(recorded.apply, range(recorded.size())):
        yield Transaction(each.appId(), int(each.version()))


def is_empty(snapshot: Any) -> bool:
    """Whether the table has no files, by its checksum.

    Args:
        snapshot: Delta snapshot of the table (Java object).

    Returns:
        False also where the version has no checksum.
    """
    checksum = snapshot.checksumOpt()
    return bool(checksum.isDefined() and checksum.get().numFiles() == 0)


def append(log: Any, rows: DataFrame, transaction: Transaction) -> None:
    """Append rows in one commit, unless the transaction or a later one is recorded.

    Args:
        log: the table's `DeltaLog` (Java object).
        rows: rows with the columns of the table; Delta does not compare them here.
        transaction: identity of the write; a concurrent commit by the same application makes this
            one fail.
    """
    _commit(log, rows.sparkSession, transaction, rows)


def mark(log: Any, spark: SparkSession, transaction: Transaction) -> None:
    """Commit a transaction without rows: an empty version of the table.

    Args:
        log: the table's `DeltaLog` (Java object).
        spark: session to commit with.
        transaction: identity of the commit, as in `append`.
    """
    _commit(log, spark, transaction, None)


def _commit(
    log: Any, spark: SparkSession, transaction: Transaction, rows: DataFrame | None
) -> None:
    """Commit a transaction with its rows, if any, unless it or a later one is recorded.

    Args:
        log: the table's `DeltaLog` (Java object).
        spark: session to commit with.
        transaction: identity of the commit.
        rows: rows to append; None: an empty version.
    """
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
