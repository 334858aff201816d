"""A declaration: the settings that make a model what it is, by name, and what they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from transforms.recommendations.solvers import Ease, Edlae, Solver, SquaredSpectrum
from transforms.recommendations.views import DAY_S

DECLARED = (
    *("algorithm", "l2", "dropout", "popularity_exponent", "damping", "factors", "confidence"),
    "factor_l2",
    *("prior_weight", "views_half_life_days", "history_half_life_days"),
)


def declared_solver(declared: Mapping[str, Any]) -> Solver:
    """The solver that a declaration names, with its settings."""
    l2, dropout = declared["l2"], declared["dropout"]
    match declared["algorithm"]:
        case "ease":
            return Ease(l2)
        case "edlae":
            return Edlae(l2, dropout)
        case _:
            return SquaredSpectrum(l2, dropout, declared["popularity_exponent"])


def history_half_life_s(declared: Mapping[str, Any]) -> float:
    """The time after which a title in a history counts half, in seconds, or infinity."""
    days = declared["history_half_life_days"]
    return math.inf if days is None else days * DAY_S


def views_half_life_s(declared: Mapping[str, Any]) -> float:
    """The time after which a view counts half, in seconds."""
    return float(declared["views_half_life_days"] * DAY_S)
