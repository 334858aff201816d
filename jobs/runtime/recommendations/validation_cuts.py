"""Parts to judge settings by, cut out of what was known before the test cut and nothing else."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from transforms.recommendations.fixed_point import Titles
from transforms.recommendations.temporal_split import (
    Past,
    cut_after,
    first_meeting_quantile,
    past_before,
)
from transforms.recommendations.validation import Part, random_part, sample_users
from transforms.recommendations.views import views_by_day

RANDOM_SHARE = 0.9
"""Trained on in a random part: close to all, as regularisation depends on how much there is."""


def temporal_parts(training: Past, cuts: int, catalogue: pd.DataFrame) -> list[Part]:
    """Cut the later half of first meetings into so many stretches, each after a past of its own.

    Args:
        training: what was known at the test cut.
        cuts: number of parts.
        catalogue: title_id of the titles that may be listed.
    """
    shares = [0.5 + 0.5 * number / cuts for number in range(cuts)]
    quantiles = [first_meeting_quantile(share).alias(f"q{n}") for n, share in enumerate(shares)]
    micros = training.user_title.agg(*quantiles).collect()[0]
    ends = sorted({cut_after(int(each)) for each in micros} | {training.as_of_s})
    titles = _titles(training, catalogue)
    parts = [_part(training, start, end, titles) for start, end in pairwise(ends)]
    judging = [part for part in parts if len(part.later) and len(part.met)]
    if not judging:
        raise DataError(
            "there is too little before the test cut to judge settings by",
            "let more events through, or set recommend.evaluation_share closer to 1",
        )
    return judging


def random_parts(training: Past, seeds: int, catalogue: pd.DataFrame, seed: int) -> list[Part]:
    """Hold out one in ten of the first meetings, so many times, without regard to time.

    Args:
        training: what was known at the test cut.
        seeds: number of parts.
        catalogue: title_id of the titles that may be listed.
        seed: seed of the first part.
    """
    whole = _part(training, training.as_of_s, training.as_of_s, _titles(training, catalogue))
    generators = (np.random.default_rng([seed, number]) for number in range(seeds))
    return [random_part(whole, RANDOM_SHARE, generator) for generator in generators]


def with_sampled_users(parts: list[Part], most: int, seed: int) -> list[Part]:
    """The parts, each judged by at most so many users; the same seed draws the same ones."""
    return [sample_users(part, most, np.random.default_rng([seed, number]))
            for number, part in enumerate(parts)]  # fmt: skip


def part_at_cut(present: Past, cut_s: int, catalogue: pd.DataFrame) -> Part:
    """The part that a trial judges: what was known at a cut, and all that was met after it.

    Args:
        present: what is known now.
        cut_s: instant of the cut, in seconds since the epoch, UTC.
        catalogue: title_id of the titles that may be listed.
    """
    return _part(present, cut_s, present.as_of_s + 1, _titles(present, catalogue))


def _titles(training: Past, catalogue: pd.DataFrame) -> Titles:
    met = training.user_title.select("title_id").distinct().toPandas()["title_id"]
    return np.unique(np.concatenate([met, catalogue["title_id"]]).astype(np.str_))


def _part(training: Past, start_s: int, end_s: int, titles: Titles) -> Part:
    """What was known at `start_s`, and what was met from then until `end_s`."""
    past = past_before(training, start_s)
    met = past.user_title.select(
        *("user_id", "title_id", "plays", "completions", "watch_s", "furthest_position_s"),
        F.col("last_rating.half_stars").alias("half_stars"),
        F.unix_seconds("last_time").alias("last_s"),
    )
    first_s = F.unix_seconds("first_time")
    later = training.user_title.where((first_s >= start_s) & (first_s < end_s))
    return Part(
        titles=titles,
        met=met.toPandas(),
        later=later.select("user_id", "title_id").toPandas(),
        views=views_by_day(past.facts).toPandas(),
        as_of_s=start_s,
    )
