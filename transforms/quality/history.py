"""A table's newest days compared with those before: the volume of rows and their distribution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median

Day = Mapping[str, int]  # number of rows by value

UNSEEN = 0.5  # rows in place of 0, so that the index is finite where a side lacks a value


def volume_ratio(days: Mapping[date, Day], before: int) -> float | None:
    """Rows of the last complete day, as a multiple of the median of the days before it.

    The newest day is still being filled; the one before it is the last complete day. A missing day
    counts as 0 rows.

    Args:
        days: rows of each date, by value.
        before: number of days that the median is over.

    Returns:
        The ratio; None if the history is shorter than that, or the median is 0.
    """
    if not days or max(days) - min(days) <= timedelta(before):
        return None
    last = max(days) - timedelta(1)
    sizes = [_size(days, last - timedelta(back)) for back in range(1, before + 1)]
    usual = median(sizes)
    return _size(days, last) / usual if usual else None


def drift(days: Mapping[date, Day], recent: int, before: int, least: int) -> float | None:
    """Population stability index of the newest `recent` days against the `before` days before them.

    The sum over values of (p - q) ln(p / q), p and q being a value's share of the rows; see
    Siddiqi, Credit Risk Scorecards, 2006: below 0.1 nothing has changed, above 0.25 much has.

    Args:
        days: rows of each date, by value.
        recent: number of newest days on one side.
        before: number of days before those, the other side.
        least: minimum of rows on each side; with fewer, chance alone moves the index.

    Returns:
        The index; None if a side has too few rows.
    """
    if not days:
        return None
    begin = max(days) - timedelta(recent - 1)
    now = _sum(days, begin, recent)
    then = _sum(days, begin - timedelta(before), before)
    if min(now.total(), then.total()) < max(least, 1):
        return None
    p, q = (_shares(side, now.keys() | then.keys()) for side in (now, then))
    return sum((p[value] - q[value]) * math.log(p[value] / q[value]) for value in p)


def _size(days: Mapping[date, Day], day: date) -> int:
    """Number of rows of a day, over all values, a missing day having none."""
    return sum(days.get(day, {}).values())


def _sum(days: Mapping[date, Day], begin: date, length: int) -> Counter[str]:
    """Rows by value, summed over `length` days from `begin`."""
    found: Counter[str] = Counter()
    for back in range(length):
        found.update(days.get(begin + timedelta(back), {}))
    return found


def _shares(side: Counter[str], values: set[str]) -> dict[str, float]:
    """Share of each value in one side's rows, with UNSEEN rows for a value that has none."""
    weights = {value: side[value] or UNSEEN for value in sorted(values)}
    every = sum(weights.values())
    return {value: weight / every for value, weight in weights.items()}
