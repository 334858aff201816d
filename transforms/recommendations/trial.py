"""A trial: what contenders came to on the hold-out after a cut, and its summary as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from transforms.recommendations.evaluation import ACCURACY, TITLE_BANDS


@dataclass(frozen=True, eq=False)
class Trial:
    """Contenders evaluated on what came after a cut.

    Attributes:
        by_user: a row for each user and contender, EVALUATION_COLUMNS without the lists.
        coverage: share of the catalogue in somebody's list, by contender.
        cut_s: instant of the cut, in seconds since the epoch, UTC.
    """

    by_user: pd.DataFrame
    coverage: Mapping[str, float]
    cut_s: int


def metrics_of(trial: Trial) -> dict[str, float]:
    """Metrics by contender, segment of users and band of titles, as MLflow names them.

    Those of the challenger have no prefix; a metric that no user has is left out.
    """
    metrics: dict[str, float] = {}
    for contender, rows in trial.by_user.groupby("contender"):
        prefix = "" if contender == "challenger" else f"{contender}."
        for metric in (*ACCURACY, "novelty", "diversity"):
            metrics[f"{prefix}{metric}"] = float(rows[metric].mean())
        metrics[f"{prefix}coverage"] = trial.coverage.get(str(contender), 0.0)
        for segment, of_segment in rows.groupby("segment"):
            metrics[f"{prefix}ndcg.{segment}_users"] = float(of_segment["ndcg"].mean())
            metrics[f"{prefix}users.{segment}"] = float(len(of_segment))
        for band in TITLE_BANDS:
            relevant = rows[f"relevant_{band}"].sum()
            if relevant:
                share = rows[f"hits_{band}"].sum() / relevant
                metrics[f"{prefix}recall.{band}_titles"] = float(share)
    return {name: value for name, value in metrics.items() if pd.notna(value)}
