"""The settings that a tuning searches, and within which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transforms.recommendations.search import Axis, Point

MODEL_AXES = {
    "l2": Axis(0.05, 100.0, 2.0, "log"),
    "dropout": Axis(0.0, 0.9, 0.1),
    "popularity_exponent": Axis(-0.5, 0.2, 0.1),
    "damping": Axis(0.0, 0.5, 0.1),
    "half_star": Axis(0.0, 2.5, 0.5),
}
TIME_AXES = {
    "prior_weight": Axis(0.001, 10.0, 2.0, "log"),
    "views_half_life_days": Axis(0.5, 365.0, 2.0, "log"),
    "history_half_life_days": Axis(1.0, 2000.0, 2.0, "log"),
    "next_weight": Axis(0.05, 100.0, 2.0, "log"),
    "next_half_life_days": Axis(0.5, 365.0, 2.0, "log"),
}
WITHOUT = {  # of an algorithm: the settings that it does not read
    "squared_spectrum": (),
    "edlae": ("popularity_exponent",),
    "ease": ("popularity_exponent", "dropout"),
}


def search_space(algorithm: str, *, time: bool) -> dict[str, Axis]:
    """The axes of an algorithm, by setting.

    Args:
        algorithm: one of WITHOUT.
        time: whether views and the age of histories say something where settings are judged.
    """
    axes = {**MODEL_AXES, **(TIME_AXES if time else {})}
    return {name: axis for name, axis in axes.items() if name not in WITHOUT[algorithm]}


def point_of(declared: Mapping[str, Any], space: Mapping[str, Axis]) -> Point:
    """Where a declaration stands in the space; a history that never fades, at the far end."""
    return {name: axis.upper if declared[name] is None else declared[name]
            for name, axis in space.items()}  # fmt: skip


def declaration_at(point: Point, declared: Mapping[str, Any]) -> dict[str, Any]:
    """A declaration with the settings of a point in place of its own."""
    return {**declared, **point}
