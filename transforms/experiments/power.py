"""Power: the effects detectable with the current users, and the time until smaller ones are.

All of it for any procedure, by one formula: an effect is found when the estimate, normal around
the truth, is farther from zero than the interval's half width. As users are added the standard
error shrinks with the square root of their number, and the half width follows its procedure. For
a sequential procedure this counts the last look alone, so it is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import replace

from scipy.optimize import brentq
from scipy.special import ndtr

from transforms.experiments.effects import Effect
from transforms.experiments.inference import Procedure

TARGET = 0.8
_LARGEST_GROWTH = 2.0**40


def power(procedure: Procedure, effect: Effect, true_effect: float) -> float:
    """The probability that a true effect of the given size is found, with either sign.

    Args:
        procedure: test of significance, its alpha already corrected for multiplicity.
        effect: effect that gives the standard error and the count; its estimate plays no part.
        true_effect: size of the true effect, in the unit of the effect.
    """
    threshold = procedure.half_width(effect) / effect.std_error
    shift = abs(true_effect) / effect.std_error
    return float(ndtr(shift - threshold) + ndtr(-shift - threshold))


def minimum_detectable_effect(
    procedure: Procedure, effect: Effect, target: float = TARGET
) -> float:
    """The smallest true effect that is found with probability `target`, with the current users.

    Args:
        procedure: test of significance, its alpha already corrected for multiplicity.
        effect: effect that gives the standard error and the count.
        target: desired power, in (0, 1).

    Returns:
        The size in the unit of the effect.
    """

    def shortfall(size: float) -> float:
        """Power at a size, less the target."""
        return power(procedure, effect, size) - target

    # at the half width plus eight standard errors the power is 1 to the last digit
    return float(brentq(shortfall, 0, procedure.half_width(effect) + 8 * effect.std_error))


def required_growth(
    procedure: Procedure, effect: Effect, true_effect: float, target: float = TARGET
) -> float | None:
    """Factor by which the number of users must grow for a true effect to be found.

    Args:
        procedure: test of significance, its alpha already corrected for multiplicity.
        effect: effect that gives the current standard error and count.
        true_effect: size of the true effect, in the unit of the effect.
        target: desired power, in (0, 1).

    Returns:
        The factor, at least 1; None if no number of users that the world has would do, as for an
        effect of zero.
    """

    def shortfall(log_growth: float) -> float:
        """Power after growth by exp(log_growth), less the target."""
        return power(procedure, _grown(effect, math.exp(log_growth)), true_effect) - target

    if shortfall(0) >= 0:
        return 1.0
    if shortfall(math.log(_LARGEST_GROWTH)) < 0:
        return None
    return math.exp(brentq(shortfall, 0, math.log(_LARGEST_GROWTH)))


def days_to_decision(
    procedure: Procedure,
    effect: Effect,
    true_effect: float,
    users_per_day: float,
    target: float = TARGET,
) -> int | None:
    """Days until a true effect would be found with probability `target`.

    Args:
        procedure: test of significance, its alpha already corrected for multiplicity.
        effect: current effect.
        true_effect: smallest effect that matters, in the unit of the effect.
        users_per_day: users that both arms gain in a day.
        target: desired power, in (0, 1).

    Returns:
        Whole days, rounded up; 0 if it would be found now, None if it never would be.
    """
    growth = required_growth(procedure, effect, true_effect, target)
    missing = None if growth is None else (growth - 1) * effect.count
    if missing is None or (missing and users_per_day <= 0):
        return None
    return math.ceil(missing / users_per_day) if missing else 0


def _grown(effect: Effect, growth: float) -> Effect:
    """The effect with the precision of `growth` times as many users."""
    return replace(
        effect,
        std_error=effect.std_error / math.sqrt(growth),
        df=effect.df * growth,
        count=effect.count * growth,
    )
