"""Read models of ratings for the write side: gold.user_title, or a rating that is stated."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.pipeline.gold import read_gold
from transforms.gold.tables import USER_TITLE


@dataclass(frozen=True)
class LakeRatings:
    """The ReadModel over a lake: current to the last batch that python -m jobs.fold has folded.

    Attributes:
        lake: the generation to read.
    """

    lake: Lake

    def rating(self, user_id: str, title_id: str) -> int | None:
        """The user's last rating of the title.

        Returns:
            The rating in half stars; None without a rating or without gold.
        """
        if not self.lake.has(PARTIALS):
            return None
        of_both = (F.col("user_id") == user_id) & (F.col("title_id") == title_id)
        rows = read_gold(self.lake, USER_TITLE).where(of_both).select("last_rating.half_stars")
        row = rows.first()
        return None if row is None or row.half_stars is None else int(row.half_stars)


@dataclass(frozen=True)
class StatedRating:
    """The ReadModel of a rating stated on the command line.

    Attributes:
        half_stars: the rating in half stars; None: there is none.
    """

    half_stars: int | None

    def rating(self, user_id: str, title_id: str) -> int | None:
        """The stated rating in half stars, for every user and title."""
        return self.half_stars
