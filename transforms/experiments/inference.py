"""Intervals and p-values of an effect: for one look at a fixed horizon, or for looks at any time.

Both procedures have the same interface, so one can replace the other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from scipy.special import stdtr, stdtrit

from transforms.experiments.effects import Effect


class Alternative(StrEnum):
    """The alternative hypothesis."""

    TWO_SIDED = "two_sided"  # the effect is different
    GREATER = "greater"  # the effect is greater; the interval has no upper end
    LESS = "less"  # the effect is less; the interval has no lower end


class Interval(NamedTuple):
    """The range of effects that the data do not contradict."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Procedure(ABC):
    """A family of intervals with its matching p-values: p < alpha where the null is outside.

    Attributes:
        alpha: accepted probability of an error, in (0, 1).
    """

    alpha: float

    @abstractmethod
    def half_width(self, effect: Effect, alternative: Alternative = Alternative.TWO_SIDED) -> float:
        """Distance from the estimate to an end of its interval, in the unit of the effect."""

    @abstractmethod
    def p_value(
        self,
        effect: Effect,
        *,
        null: float = 0,
        alternative: Alternative = Alternative.TWO_SIDED,
    ) -> float:
        """P-value of the null hypothesis that the effect is `null`.

        Args:
            effect: estimated effect.
            null: effect under the null hypothesis, in the unit of the effect.
            alternative: alternative hypothesis.
        """

    def interval(
        self, effect: Effect, alternative: Alternative = Alternative.TWO_SIDED
    ) -> Interval:
        """The interval that covers the true effect with probability 1 - alpha.

        Args:
            effect: estimated effect.
            alternative: alternative hypothesis; a one-sided one leaves an end infinite.
        """
        width = self.half_width(effect, alternative)
        return Interval(
            -math.inf if alternative is Alternative.LESS else effect.estimate - width,
            math.inf if alternative is Alternative.GREATER else effect.estimate + width,
        )


@dataclass(frozen=True)
class FixedHorizon(Procedure):
    """Welch's t: valid for one look, at a time fixed beforehand. More looks, more false alarms."""

    def half_width(self, effect: Effect, alternative: Alternative = Alternative.TWO_SIDED) -> float:
        """Student's quantile times the standard error."""
        tail = self.alpha / 2 if alternative is Alternative.TWO_SIDED else self.alpha
        return -float(stdtrit(effect.df, tail)) * effect.std_error

    def p_value(
        self,
        effect: Effect,
        *,
        null: float = 0,
        alternative: Alternative = Alternative.TWO_SIDED,
    ) -> float:
        """The tail of Student's distribution beyond the standardised effect."""
        t = _standardised(effect, null, alternative)
        tails = 2 if alternative is Alternative.TWO_SIDED else 1
        return tails * float(stdtr(effect.df, -t))


@dataclass(frozen=True)
class AlwaysValid(Procedure):
    """An asymptotic confidence sequence: all its looks together err with probability alpha.

    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2021, "Time-uniform central limit theory and
    asymptotic confidence sequences", arXiv 2103.06476v7, after Robbins' normal mixture (Howard,
    Ramdas, McAuliffe and Sekhon 2021). With s² the variance of one unit, s²/n is the squared
    standard error of the effect at n units. Like every central limit theorem it needs some units
    before it holds: do not look at a few dozen.

    Attributes:
        tuning_units: number of units, over both arms, at which the interval is tightest. Fix it
            beforehand, near the number at which a decision is likely; it costs validity nothing.
            It sets the mixture's variance, rho² = (l + ln(l + 1)) / tuning_units with
            l = -2 ln(alpha), the paper's equation 161, as in GrowthBook.
    """

    tuning_units: int

    def half_width(self, effect: Effect, alternative: Alternative = Alternative.TWO_SIDED) -> float:
        """The paper's equation 9, or 134 for one side."""
        x = self._information(effect, alternative)
        if alternative is Alternative.TWO_SIDED:
            threshold = math.log(math.sqrt(x + 1) / self.alpha)
        else:
            threshold = math.log1p(math.sqrt(x + 1) / (2 * self.alpha))
        return effect.std_error * math.sqrt(2 * (x + 1) / x * threshold)

    def p_value(
        self,
        effect: Effect,
        *,
        null: float = 0,
        alternative: Alternative = Alternative.TWO_SIDED,
    ) -> float:
        """The paper's equation 155, one over the mixture's e-value, or 134 solved for alpha.

        The mixture stays that of this procedure's alpha, since it must be fixed beforehand;
        GrowthBook searches the one-sided p-value by bisection instead, to four digits.
        """
        x = self._information(effect, alternative)
        z = _standardised(effect, null, alternative)
        evidence = z**2 / 2 * x / (x + 1)
        if alternative is Alternative.TWO_SIDED:
            return min(1.0, math.sqrt(x + 1) * math.exp(-evidence))
        half = math.sqrt(x + 1) / 2
        if z <= 0 or evidence <= math.log1p(half):
            return 1.0
        return half * math.exp(-evidence) / -math.expm1(-evidence)

    def _information(self, effect: Effect, alternative: Alternative) -> float:
        """The number of units times rho²."""
        alpha = self.alpha if alternative is Alternative.TWO_SIDED else 2 * self.alpha
        log = -2 * math.log(alpha)
        return effect.count * (log + math.log(log + 1)) / self.tuning_units


def _standardised(effect: Effect, null: float, alternative: Alternative) -> float:
    """Distance of effect and null, in standard errors, positive towards the alternative."""
    z = (effect.estimate - null) / effect.std_error
    return {
        Alternative.TWO_SIDED: abs(z),
        Alternative.GREATER: z,
        Alternative.LESS: -z,
    }[alternative]
