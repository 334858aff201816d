"""Fixed-point scales: each integer counts 1/ONE of its unit.

A floating-point sum depends on the order of its terms; an integer sum does not. So preferences,
recency, the Gram matrix, the model's weights, views and scores are integers, each counting
fractions of one. Streamed and recomputed, merged and rebuilt, folded in and scored from scratch
are then equal to the bit, and the contributions to a score sum to it.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.floating]
Titles: TypeAlias = NDArray[np.str_]

PREFERENCE_ONE = 1 << 4
"""A preference of 16 sixteenths: watched, nothing more is known."""

RECENCY_ONE = 1 << 8
"""The recency of an interaction that happened just now."""

DAMPING_ONE = 1 << 16
"""The weight in the Gram matrix of a user with a history of one title."""

MODEL_ONE = 1 << 24
"""A learned weight of 1; an int32 then holds weights up to 128 either way."""

VIEW_ONE = 1 << 20
"""One view that happened just now."""

SCORE_ONE = PREFERENCE_ONE * RECENCY_ONE * MODEL_ONE
"""A score of 1. `scores / SCORE_ONE` is exact in float64 while below 2**53."""


def to_fixed_point(values: Floats, one: int) -> Integers:
    """Round to the nearest multiple of 1/one, halves to even, and count those multiples.

    Args:
        values: numbers in any unit.
        one: number of multiples in 1 of that unit.
    """
    return np.rint(np.asarray(values, dtype=np.float64) * one).astype(np.int64)
