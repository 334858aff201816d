"""The model as MLflow serves it: histories in, lists out. Needs the package playhead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from jobs.runtime.recommendations.artifact import load
from transforms.recommendations.evaluation import sparse_matrix
from transforms.recommendations.fixed_point import SCORE_ONE
from transforms.recommendations.ranking import NEVER, top_k


class TitleAffinity(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Lists for histories, with popularity as of training as the prior."""

    def load_context(self, context: Any) -> None:
        """Read the model's files."""
        self._trained = load(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """The best titles that are not in the history, best first, with their scores.

        Args:
            context: unused.
            model_input: titles (lists of text) and weights (lists of integers, preference x
                recency in units of 1/4096), a history a row; both empty for a new user; and, if
                order is to be heard, sitting (lists of integers, the weight of each title as one
                of the last five, in the same units).
            params: k, the length of the lists.
        """
        model, k = self._trained.model, int((params or {}).get("k", 10))
        history = sparse_matrix(model.titles, model_input["titles"], model_input["weights"])
        sittings = (
            sparse_matrix(model.titles, model_input["titles"], model_input["sitting"])
            if "sitting" in model_input
            else None
        )
        scores = model.scores(history, sittings) + self._trained.prior
        scores[history.nonzero()] = NEVER
        lists = [top_k(row, k) for row in scores]
        return pd.DataFrame(
            {
                "titles": [model.titles[best].tolist() for best in lists],
                "scores": [
                    (row[best] / SCORE_ONE).tolist()
                    for row, best in zip(scores, lists, strict=True)
                ],
            }
        )
