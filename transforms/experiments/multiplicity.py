"""Multiplicity: p-values adjusted over goal metrics and variants.

An adjusted p-value is compared with alpha like any other. Anytime-valid p-values may be adjusted
the same way, and stay valid at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import accumulate

from scipy.stats import false_discovery_control


class Correction(StrEnum):
    """The error rate that is kept below alpha."""

    HOLM = "holm"  # the probability of any false discovery
    BENJAMINI_HOCHBERG = "benjamini_hochberg"  # the expected share of false ones among discoveries
    NONE = "none"


def adjust(p_values: Sequence[float], correction: Correction) -> list[float]:
    """Adjust p-values by a correction.

    Returns:
        The adjusted p-values, in the order of the given ones.
    """
    return _ADJUSTMENTS[correction](p_values)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm 1979, "A simple sequentially rejective multiple test procedure".

    The i-th smallest of m p-values is multiplied by m - i + 1, and no adjusted p-value is less
    than that of a smaller one.

    Returns:
        The adjusted p-values, at most 1, in the order of the given ones.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    stepped = ((len(order) - i) * p_values[at] for i, at in enumerate(order))
    adjusted = dict(zip(order, accumulate(stepped, max), strict=True))
    return [min(1.0, adjusted[at]) for at in range(len(order))]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg 1995, "Controlling the false discovery rate", as scipy implements it.

    Returns:
        The adjusted p-values, in the order of the given ones.
    """
    return [float(p) for p in false_discovery_control(p_values)] if len(p_values) else []


_ADJUSTMENTS: dict[Correction, Callable[[Sequence[float]], list[float]]] = {
    Correction.HOLM: holm,
    Correction.BENJAMINI_HOCHBERG: benjamini_hochberg,
    Correction.NONE: list,
}
