"""Arms of an experiment with a goal and a guardrail."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.experiment_documents import changed
from transforms.experiments.definitions import Catalogue, catalogue
from transforms.experiments.estimators import ArmData
from transforms.experiments.sums import Sums


def definitions(**plan: Any) -> Catalogue:
    """A goal, plays adjusted by CUPED, and a guardrail, retention with a margin of 20 %."""
    tree = changed("metrics.yaml:metrics/plays/covariate_days", 28)
    tree = changed("rows.yaml:guardrails/0/margin", 0.2, tree)
    return catalogue(changed("rows.yaml:plan", {"tuning_units": 4000, **plan}, tree))


def arm(seed: int, users: int = 2000, plays: float = 5.0, back: float = 0.5) -> ArmData:
    rng = np.random.default_rng(seed)
    habit = rng.gamma(5, 0.2, users)
    return ArmData(
        Sums.of(
            plays=rng.poisson(plays * habit).tolist(),
            plays_before=rng.poisson(20 * habit).tolist(),
            back=(rng.random(users) < back).astype(int).tolist(),
        )
    )
