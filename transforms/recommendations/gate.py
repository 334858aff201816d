"""The promotion gate: may a challenger take the champion's place?

Both stand for their settings: each is trained on the same past and judged on the same later
meetings of the same users, so neither has seen what it is judged by. The mean difference in
nDCG@10 decides; its bootstrap interval says how sure that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from transforms.recommendations.bootstrap import Difference, paired_bootstrap

METRIC = "ndcg"
DRAWS = 2_000
SEED = 42


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Attributes:
        refusals: reasons why not, a sentence each; none: it may be promoted.
        differences: mean of challenger minus rival, by rival.
    """

    refusals: tuple[str, ...]
    differences: Mapping[str, Difference]

    @property
    def passed(self) -> bool:
        """Whether the challenger may be promoted."""
        return not self.refusals


def judge(by_user: pd.DataFrame) -> Verdict:
    """Judge the challenger against its rivals.

    Args:
        by_user: user_id, contender (challenger, popularity and perhaps champion) and ndcg, a row
            for each user and contender.
    """
    values = by_user.pivot(index="user_id", columns="contender", values=METRIC).sort_index()
    if values.empty:
        return Verdict(("nobody met a title after the cut: there is nothing to judge by",), {})
    differences = {
        rival: paired_bootstrap(
            values["challenger"].to_numpy(),
            values[rival].to_numpy(),
            draws=DRAWS,
            generator=np.random.default_rng(SEED),
        )
        for rival in ("popularity", "champion")
        if rival in values
    }
    refusals = []
    if differences["popularity"].mean <= 0:
        refusals.append(
            f"not better than popularity: {describe_difference(differences['popularity'])}"
        )
    if "champion" in differences and differences["champion"].mean < 0:
        refusals.append(f"worse than the champion: {describe_difference(differences['champion'])}")
    return Verdict(tuple(refusals), differences)


def describe_difference(difference: Difference) -> str:
    """A difference in words, with its interval and the number of users."""
    return (
        f"{METRIC}@10 {difference.mean:+.4f}, 95 % interval {difference.lower:+.4f} to "
        f"{difference.upper:+.4f}, {difference.users:,} users"
    )
