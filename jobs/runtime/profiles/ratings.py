"""The read side that commands ask: ratings as gold.user_title holds them."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.pipeline.gold import read_gold
from transforms.gold.tables import USER_TITLE


@dataclass(frozen=True)
class LakeRatings:
    """The ReadModel over a lake: current to the last batch that python -m jobs.fold has folded."""

    lake: Lake

    def rating(self, user_id: str, title_id: str) -> int | None:
        """The user's last rating of the title in half stars; None without one, or without gold."""
        if not self.lake.has(PARTIALS):
            return None
        of_both = (F.col("user_id") == user_id) & (F.col("title_id") == title_id)
        row = read_gold(self.lake, USER_TITLE).where(of_both).select("last_rating").first()
        return None if row is None or row.last_rating is None else int(row.last_rating.half_stars)


@dataclass(frozen=True)
class StatedRating:
    """A read model that knows what the command line said."""

    half_stars: int | None

    def rating(self, user_id: str, title_id: str) -> int | None:
        """The rating stated, whoever asks."""
        return self.half_stars
