"""Views that fade, and the prior they give.

On a temporal split, what was watched lately beats every model that ignores time, so popularity
is counted with exponential decay (the 5-day half-life is measured on MovieLens) and enters the
score as a logarithmic prior: a user's history is evidence, and evidence adds to a log prior.

Reference: G. Cormode, V. Shkapenyuk, D. Srivastava and B. Xu, "Forward decay", ICDE 2009, on why
exponential decay alone can be maintained as the clock moves.
"""

from __future__ import annotations

import numpy as np

from transforms.recommendations.fixed_point import (
    SCORE_ONE,
    VIEW_ONE,
    Integers,
    Titles,
    to_fixed_point,
)
from transforms.recommendations.gram import positions

HALF_LIFE_S = 5 * 86_400
"""Five days."""

BACKGROUND = 2.0**-10
"""Views that every title is granted: an unwatched title is unlikely, not impossible."""


def decayed_views(
    titles: Integers,
    times_s: Integers,
    views: Integers,
    *,
    count: int,
    as_of_s: int,
    half_life_s: float = HALF_LIFE_S,
) -> Integers:
    """Views of each title, each worth 2^(-age / half-life) when seen from `as_of_s`.

    Args:
        titles: position of the title of each row, 0 to count - 1.
        times_s: time of each row, in seconds since the epoch, UTC; for a day tile, the day's middle
            or end.
        views: number of views that each row stands for.
        count: number of titles.
        as_of_s: instant seen from, in seconds since the epoch, UTC.
        half_life_s: time after which a view counts half, in seconds.

    Returns:
        One integer a title, in units of 2^-20 views; a row older than 21 half-lives adds nothing.
        The order of the rows does not matter.

    Raises:
        ValueError: a row is later than `as_of_s`: an evaluation must not see the future.
    """
    age_s = as_of_s - np.asarray(times_s)
    if np.any(age_s < 0):
        raise ValueError(f"a view at {np.max(times_s)} s is later than the instant {as_of_s} s")
    worth = to_fixed_point(np.exp2(-age_s / half_life_s), VIEW_ONE) * views
    total = np.zeros(count, np.int64)
    np.add.at(total, titles, worth)
    return total


def reindex_prior(prior: Integers, own: Titles, titles: Titles) -> Integers:
    """A prior over other titles; zero for those that it does not hold.

    Args:
        prior: prior of each of its own titles.
        own: titles of the prior, sorted, distinct.
        titles: titles wanted.
    """
    places = positions(own, titles)
    return np.where(places >= 0, prior[places], 0)


def log_prior(views: Integers, weight: float) -> Integers:
    """The prior of each title: weight x ln(1 + views / BACKGROUND), in units of a score.

    It differs from weight x ln(views + BACKGROUND) by a constant, which no ranking sees, and is
    zero for a title without recent views, so that its share in a score can be read.

    Args:
        views: faded views of each title, in units of 2^-20.
        weight: weight of the logarithm in a score.
    """
    return to_fixed_point(weight * np.log1p(views / (VIEW_ONE * BACKGROUND)), SCORE_ONE)
