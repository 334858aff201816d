"""A table's days held to those before: how much came, and of which kinds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median

Day = Mapping[str, int]  # rows by value

UNSEEN = 0.5  # rows that stand for none, so that a kind which is new has a finite weight


def volume_ratio(days: Mapping[date, Day], before: int) -> float | None:
    """Rows of the last complete day, in medians of the days before it.

    The newest day is still being filled; the one before it is the last complete day. A day that is
    not there had no rows.

    Args:
        days: the rows of each date.
        before: how many days the median is over.

    Returns:
        None without so many days of history, or if half of them were empty.
    """
    if not days or max(days) - min(days) <= timedelta(before):
        return None
    last = max(days) - timedelta(1)
    sizes = [_size(days, last - timedelta(back)) for back in range(1, before + 1)]
    usual = median(sizes)
    return _size(days, last) / usual if usual else None


def drift(days: Mapping[date, Day], recent: int, before: int, least: int) -> float | None:
    """The population stability index of the newest `recent` days against the `before` before them.

    The sum over values of (p - q) ln(p / q), p and q being a value's share of the rows; see
    Siddiqi, Credit Risk Scorecards, 2006: below 0.1 nothing has changed, above 0.25 much has.

    Args:
        days: the rows of each date, by value.
        recent: how many of the newest days.
        before: how many days before those.
        least: rows that either side needs; with fewer, chance alone moves the index.

    Returns:
        None if a side has too few rows.
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
    return sum(days.get(day, {}).values())


def _sum(days: Mapping[date, Day], begin: date, length: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for back in range(length):
        found.update(days.get(begin + timedelta(back), {}))
    return found


def _shares(side: Counter[str], values: set[str]) -> dict[str, float]:
    weights = {value: side[value] or UNSEEN for value in sorted(values)}
    every = sum(weights.values())
    return {value: weight / every for value, weight in weights.items()}
