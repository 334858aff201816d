"""Scope: the events that a partial recompute judges anew; all others stay as they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

ONE_DAY = timedelta(days=1)  # exceeds any allowed future tolerance


@dataclass(frozen=True)
class Scope:
    """Events of some dates, types and users, where None sets no limit.

    Attributes:
        first: first UTC date of event time, inclusive.
        last: last UTC date of event time, inclusive.
        event_types: event types in scope.
        users: user ids in scope; events without a user are then out of scope.
    """

    first: date | None = None
    last: date | None = None
    event_types: Collection[str] | None = None
    users: Collection[str] | None = None

    def told(self) -> str:
        """Canonical text of the scope: equal scopes have equal texts."""
        sets = (None if s is None else sorted(s) for s in (self.event_types, self.users))
        return repr((self.first, self.last, *sets))

    def holds(self, rows: DataFrame) -> Column:
        """Whether a row of a silver table is in scope.

        Args:
            rows: rows of one silver table.

        Returns:
            Boolean, for `rows`.
        """
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
        """Whether a row of bronze could become an event in scope.

        Args:
            topics: topics of the contracts of the event types.
            oldest_event_days: greatest age of an event at its arrival, in days.

        Returns:
            Boolean, for rows of bronze.events.
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
