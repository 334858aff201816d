"""A small factor model."""

from __future__ import annotations

import numpy as np

from transforms.recommendations.factors import FactorModel

TITLES = np.asarray([f"t{n:02}" for n in range(12)])


FACTORS = np.random.default_rng(5).normal(0, 0.4, (12, 3))


MODEL = FactorModel(TITLES, FACTORS, confidence=4.0, l2=0.1)
