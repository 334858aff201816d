"""Scope: which events a partial recompute judges anew; all others stay as they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

ONE_DAY = timedelta(days=1)  # more than the future tolerance may be


@dataclass(frozen=True)
class Scope:
    """The events of some dates, types and users; None is all of them.

    Attributes:
        first: the first UTC date of event time.
        last: the last one, included.
        event_types: which.
        users: whose; events without a user are then out of scope.
    """

    first: date | None = None
    last: date | None = None
    event_types: Collection[str] | None = None
    users: Collection[str] | None = None

    def told(self) -> str:
        """The scope as a text, the same for the same scope."""
        sets = (None if s is None else sorted(s) for s in (self.event_types, self.users))
        return repr((self.first, self.last, *sets))

    def holds(self, rows: DataFrame) -> Column:
        """Is a row of a silver table in scope?"""
        conditions = [F.lit(True)]
        if self.first is not None:
            conditions.append(F.col("event_date") >= F.lit(self.first))
        if self.last is not None:
            conditions.append(F.col("event_date") <= F.lit(self.last))
        if self.event_types is not None:
            conditions.append(F.col("event_type").isin(*self.event_types))
        if self.users is not None:
            known = "user_id" in rows.columns
            conditions.append(F.col("user_id").isin(*self.users) if known else F.lit(False))
        return reduce(and_, conditions)

    def may_hold(self, topics: Collection[str], oldest_event_days: int) -> Column:
        """Could a row of bronze become an event in scope?

        Args:
            topics: of the contracts of the event types.
            oldest_event_days: how far behind its arrival an event time may lie.
        """
        conditions = [F.col("topic").isin(*topics)]
        if self.first is not None:
            conditions.append(F.col("arrival_date") >= F.lit(self.first - ONE_DAY))
        if self.last is not None:
            latest = self.last + timedelta(days=oldest_event_days) + ONE_DAY
            conditions.append(F.col("arrival_date") <= F.lit(latest))
        if self.users is not None:
            conditions.append(F.col("key").isin(*(F.lit(user.encode()) for user in self.users)))
        return reduce(and_, conditions)
