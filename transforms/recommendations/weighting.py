"""What one (user, title) row of gold.user_title says about the user's taste, as an integer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from transforms.recommendations.fixed_point import (
    PREFERENCE_ONE,
    RECENCY_ONE,
    Integers,
    to_fixed_point,
)

SECONDS_A_HOUR = 3600


@dataclass(frozen=True)
class Weighting:
    """The declared worth of each signal, in sixteenths of "watched, nothing more is known".

    An explicit rating, being the user's own word, replaces what plays, completions and watch time
    imply. The steps of a rating were tuned on MovieLens, inside training parts only; MovieLens
    has no implicit signals, so theirs are declared, small, and bounded by `most`, to be judged by
    the promotion gate on the service's own data.

    Args:
        half_star: a half star above (or below) `neutral_half_stars` adds (or takes) this much; the
            sum is rounded.
        neutral_half_stars: the rating that says no more than having watched.
        completion: each completion adds this much.
        hour: each whole hour watched adds this much.
        replay: each play after the first adds this much.
        most: bound on what each of completions, hours and replays may add.
        abandoned: added (it is negative) when the title was started, never completed, and left
            before `abandoned_before_s`.
        abandoned_before_s: furthest position, in seconds, before which a title counts as abandoned;
            where no position is known, nothing was left early.
    """

    half_star: float
    neutral_half_stars: int = 7
    completion: int = 1
    hour: int = 1
    replay: int = 1
    most: int = 2
    abandoned: int = -4
    abandoned_before_s: int = 600


def preference(rows: pd.DataFrame, weighting: Weighting) -> Integers:
    """The preference of each (user, title) row, in sixteenths.

    Args:
        rows: columns plays, completions, watch_s (whole seconds), furthest_position_s (null where
            no position is known) and half_stars (1 to 10, null where there is no rating).
        weighting: declared worth of each signal.

    Returns:
        One positive integer a row, in the order of the rows.

    Raises:
        ValueError: the weighting lets a preference fall to zero or below, which would make an
            interaction invisible.
    """
    plays, completions, watch_s = (
        rows[name].to_numpy(np.int64) for name in ("plays", "completions", "watch_s")
    )
    furthest_s = _or_else(rows["furthest_position_s"], weighting.abandoned_before_s)
    rated = rows["half_stars"].notna().to_numpy()
    half_stars = _or_else(rows["half_stars"], weighting.neutral_half_stars)

    implied = (
        _bounded(weighting.completion * completions, weighting.most)
        + _bounded(weighting.hour * (watch_s // SECONDS_A_HOUR), weighting.most)
        + _bounded(weighting.replay * np.maximum(plays - 1, 0), weighting.most)
    )
    abandoned = (plays > 0) & (completions == 0) & (furthest_s < weighting.abandoned_before_s)
    implied = np.where(abandoned, weighting.abandoned, implied)
    stated = np.rint(weighting.half_star * (half_stars - weighting.neutral_half_stars))

    preferences = PREFERENCE_ONE + np.where(rated, stated, implied).astype(np.int64)
    if np.any(preferences <= 0):
        raise ValueError(
            f"{weighting} gives a preference of {preferences.min()}/16; keep it above 0"
        )
    return preferences


def recency(last_time_s: Integers, *, as_of_s: int, half_life_s: float) -> Integers:
    """How much of an interaction's weight is left, in 256ths: it halves every `half_life_s`.

    Recency is taken at a fixed instant, the one a model or list is made for, so that a later
    event changes no weight but its own and can be folded in exactly. What happens after that
    instant counts in full.

    Args:
        last_time_s: last time of each interaction, in seconds since the epoch, UTC.
        as_of_s: fixed instant, in seconds since the epoch, UTC.
        half_life_s: time after which a weight is halved, in seconds; `math.inf` switches recency
            off.

    Returns:
        0 to 256 for each interaction; 0 once it is more than 9 half-lives old.
    """
    age_s = np.maximum(as_of_s - np.asarray(last_time_s), 0)
    return to_fixed_point(np.exp2(-age_s / half_life_s), RECENCY_ONE)


def _or_else(column: pd.Series[int], default: int) -> Integers:
    return pd.to_numeric(column).fillna(default).to_numpy(np.int64)


def _bounded(values: Integers, most: int) -> Integers:
    return np.minimum(values, most)
