"""Effects between two arms: absolute or relative, of means, proportions or ratios, with CUPED.

One mechanism serves them all, the delta method. An estimator is a ratio of two means, Σy / Σd,
where d is 1 for a plain mean. To first order it is linear in its variables, so its variance over
the units of an arm is that of a linear combination (Deng, Knoblich and Lu 2018, "Applying the
delta method in metric analytics", KDD, section 3). CUPED subtracts θ times the same estimator of
a covariate observed before exposure (Deng, Xu, Kohavi and Walker 2013, "Improving the sensitivity
of online controlled experiments by utilizing pre-experiment data", WSDM; θ is their equation 4).
A relative effect is again a ratio, linearised again (Deng, Knoblich and Lu 2018, section 2).

tea-tasting computes the absolute effects too, and the tests compare this module with it. It is not
called here: its relative interval is on the logarithmic scale and divides by the adjusted mean,
it does not expose its standard error and degrees of freedom, and answers impossible input with
NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from transforms.experiments.sums import Exact, Sums


class Undefined(StrEnum):
    """Why there is no number: the closed list. Never NaN, never a made-up zero."""

    TOO_FEW_UNITS = "too_few_units"  # fewer than two in an arm, or too few for the approximation
    ZERO_VARIANCE = "zero_variance"  # an arm in which every unit has the same value
    ZERO_BASELINE = "zero_baseline"  # a relative effect with a control of zero
    ZERO_DENOMINATOR = "zero_denominator"  # a ratio whose denominator sums to zero in an arm


class Slope(StrEnum):
    """The source of CUPED's coefficient θ, and with it of the gradient of a relative effect.

    POOLED: θ from both arms thrown together, as Deng et al. 2013 have it; the gradient at the
    ratio of the unadjusted means, which randomisation makes equal to that of the adjusted ones in
    expectation. GrowthBook does so for means, tea-tasting's θ is this one for ratios too.
    WITHIN: θ from the covariances within the arms, added up; the gradient at the estimate itself.
    GrowthBook does so for ratios.
    """

    POOLED = "pooled"
    WITHIN = "within"


class Ratio(NamedTuple):
    """A ratio of two means over the units, by the names of the variables.

    Attributes:
        numerator: name of a variable.
        denominator: name of a variable; None for the plain mean of the numerator.
    """

    numerator: str
    denominator: str | None = None


@dataclass(frozen=True)
class Estimator:
    """The quantity that is estimated in each arm.

    Attributes:
        outcome: outcome after exposure.
        covariate: the same outcome before exposure, for CUPED; None for no adjustment.
        ddof: 1 for the unbiased sample variance; 0 for that of a proportion, p (1 - p).
        slope: source of CUPED's coefficient; it matters only with a covariate.
    """

    outcome: Ratio
    covariate: Ratio | None = None
    ddof: int = 1
    slope: Slope = Slope.POOLED

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables whose sums, and sums of products with each other, it needs."""
        return tuple(name for name in (*self.outcome, *(self.covariate or ())) if name is not None)


def mean(value: str, covariate: str | None = None) -> Estimator:
    """Estimator of the mean of a variable over the units."""
    return Estimator(Ratio(value), Ratio(covariate) if covariate else None)


def proportion(success: str, covariate: str | None = None) -> Estimator:
    """Estimator of the share of units whose variable is 1, the others' being 0."""
    return Estimator(Ratio(success), Ratio(covariate) if covariate else None, ddof=0)


def ratio(
    numerator: str,
    denominator: str,
    covariate: tuple[str, str] | None = None,
    *,
    slope: Slope = Slope.WITHIN,
) -> Estimator:
    """Estimator of a ratio of sums: clicks per impression, not per unit.

    Args:
        numerator: name of a variable.
        denominator: name of a variable.
        covariate: names of numerator and denominator before exposure; None for no adjustment.
        slope: source of CUPED's coefficient.
    """
    return Estimator(
        Ratio(numerator, denominator), Ratio(*covariate) if covariate else None, slope=slope
    )


@dataclass(frozen=True)
class Arm:
    """The estimate in one arm, and its variance as an estimator.

    Attributes:
        count: number of units.
        raw: estimate without adjustment, which readers expect to see and a relative effect is
            divided by.
        adjusted: estimate that is compared; equal to `raw` without CUPED.
        var_raw: variance of `raw`.
        var_adjusted: variance of `adjusted`.
        cov: covariance of `raw` and `adjusted`.
        at_adjusted: whether a relative effect takes its gradient at the adjusted ratio; see Slope.
    """

    count: int
    raw: float
    adjusted: float
    var_raw: float
    var_adjusted: float
    cov: float
    at_adjusted: bool = False


@dataclass(frozen=True)
class Effect:
    """The difference between an arm and the control.

    Attributes:
        estimate: difference, in the metric's unit, or as a share of the control.
        std_error: its standard error, greater than zero.
        df: Welch and Satterthwaite's degrees of freedom.
        count: number of units of both arms together; when planning, not always whole.
    """

    estimate: float
    std_error: float
    df: float
    count: float


def compare(
    control: Sums, treatment: Sums, estimator: Estimator, *, relative: bool
) -> Effect | Undefined:
    """Estimate the effect of a treatment over the control.

    Args:
        control: sums of the control's units.
        treatment: sums of the other arm's units.
        estimator: quantity that is estimated in each.
        relative: whether the effect is a share of the control's unadjusted estimate (GrowthBook's
            choice: people know that number, and the adjusted one depends on who else is in the
            experiment); otherwise it is in the metric's unit.

    Returns:
        The effect, or why there is none.
    """
    arms = estimate_arms(control, treatment, estimator)
    return arms if isinstance(arms, Undefined) else contrast(*arms, relative=relative)


def estimate_arms(
    control: Sums, treatment: Sums, estimator: Estimator
) -> tuple[Arm, Arm] | Undefined:
    """Estimate both arms together, because CUPED adjusts both by one coefficient.

    Args:
        control: sums of the control's units.
        treatment: sums of the other arm's units.
        estimator: quantity that is estimated in each.

    Returns:
        The control and the treatment, or why there is no estimate.
    """
    if min(control.count, treatment.count) < 2:
        return Undefined.TOO_FEW_UNITS
    if _empty(control, estimator.outcome) or _empty(treatment, estimator.outcome):
        return Undefined.ZERO_DENOMINATOR
    theta = cuped_coefficient(control, treatment, estimator)
    return _arm(control, estimator, theta), _arm(treatment, estimator, theta)


def cuped_coefficient(control: Sums, treatment: Sums, estimator: Estimator) -> Fraction:
    """CUPED's θ = cov(outcome, covariate) / var(covariate), both linearised.

    Args:
        control: sums of the control's units.
        treatment: sums of the other arm's units.
        estimator: quantity that is estimated in each.

    Returns:
        θ; 0 without a covariate, or if it does not vary or its denominator is zero in an arm.
    """
    covariate = estimator.covariate
    if covariate is None or _empty(control, covariate) or _empty(treatment, covariate):
        return Fraction()
    pooled = estimator.slope is Slope.POOLED
    groups = [control + treatment] if pooled else [control, treatment]
    moments = [_regression_moments(sums, estimator, covariate) for sums in groups]
    covariance, variance = map(sum, zip(*moments, strict=True))
    return Fraction(covariance, variance) if variance else Fraction()


def contrast(control: Arm, treatment: Arm, *, relative: bool) -> Effect | Undefined:
    """The difference of two arms' adjusted estimates, or that over the control's raw estimate.

    With g the growth of treatment over control, the variance of the relative effect is
    [var(t) + var(c) + 2 g cov(c, raw) + g² var(raw)] / raw², where all but t is of the control:
    the delta method for (t - c) / raw. Without CUPED c is raw, and that is the usual
    [var(t) + (1 + g)² var(c)] / c².

    Args:
        control: estimate of the control.
        treatment: estimate of the other arm.
        relative: whether to divide by the control's raw estimate.

    Returns:
        The effect, or why there is none.
    """
    if min(control.var_adjusted, treatment.var_adjusted) <= 0:
        return Undefined.ZERO_VARIANCE
    if relative and control.raw == 0:
        return Undefined.ZERO_BASELINE
    estimate = treatment.adjusted - control.adjusted
    variance = treatment.var_adjusted + control.var_adjusted
    if relative:
        estimate /= control.raw
        growth = estimate if control.at_adjusted else treatment.raw / control.raw - 1
        variance += growth * (2 * control.cov + growth * control.var_raw)
        variance /= control.raw**2
    return Effect(
        estimate, math.sqrt(variance), _welch(control, treatment), control.count + treatment.count
    )


class _Linear(NamedTuple):
    """A ratio of means at one sample: its value, and its gradient as weights of the variables."""

    value: Fraction
    weights: dict[str, Exact]


def _linear(sums: Sums, ratio: Ratio) -> _Linear:
    """Linearise a ratio of means at the sums of a sample."""
    top = sums.mean(ratio.numerator)
    if ratio.denominator is None:
        return _Linear(top, {ratio.numerator: 1})
    bottom = sums.mean(ratio.denominator)
    value = top / bottom
    return _Linear(value, {ratio.numerator: 1 / bottom, ratio.denominator: -value / bottom})


def _arm(sums: Sums, estimator: Estimator, theta: Fraction) -> Arm:
    """The estimate in one arm, adjusted by θ."""

    def cov(left: _Linear, right: _Linear) -> float:
        """Covariance of two linearised estimators."""
        covariance = sums.covariance(left.weights, right.weights, ddof=estimator.ddof)
        return float(covariance / sums.count)

    outcome = _linear(sums, estimator.outcome)
    raw, var_raw = float(outcome.value), cov(outcome, outcome)
    if estimator.covariate is None or not theta:
        return Arm(sums.count, raw, raw, var_raw, var_raw, var_raw)
    covariate = _linear(sums, estimator.covariate)
    shift: dict[str, Exact] = {name: -theta * weight for name, weight in covariate.weights.items()}
    adjusted = _Linear(outcome.value - theta * covariate.value, outcome.weights | shift)
    return Arm(
        sums.count,
        raw,
        float(adjusted.value),
        var_raw,
        cov(adjusted, adjusted),
        cov(adjusted, outcome),
        at_adjusted=estimator.slope is Slope.WITHIN,
    )


def _regression_moments(
    sums: Sums, estimator: Estimator, covariate: Ratio
) -> tuple[Fraction, Fraction]:
    """Covariance of outcome and covariate, and variance of the covariate, both linearised."""
    x, y = _linear(sums, covariate).weights, _linear(sums, estimator.outcome).weights
    return sums.covariance(y, x, ddof=estimator.ddof), sums.covariance(x, x, ddof=estimator.ddof)


def _empty(sums: Sums, ratio: Ratio) -> bool:
    """Whether the denominator of a ratio sums to zero."""
    return ratio.denominator is not None and sums.totals[ratio.denominator] == 0


def _welch(control: Arm, treatment: Arm) -> float:
    """Degrees of freedom: Satterthwaite 1946; Welch 1947, Biometrika 34."""
    c, t = control.var_adjusted, treatment.var_adjusted
    return (c + t) ** 2 / (c**2 / (control.count - 1) + t**2 / (treatment.count - 1))
