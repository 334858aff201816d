"""The posterior distribution of an effect: the chance to win, and the cost of a wrong choice.

The estimate is normal around the true effect, the prior of the true effect is normal, so the
posterior is; conjugate, and GrowthBook's model. A posterior looked at often is still a posterior,
but stopping when it looks good makes false alarms as frequent as with any other interval.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import ndtr, ndtri

from transforms.experiments.effects import Effect
from transforms.experiments.inference import Interval


class Normal(NamedTuple):
    """A normal distribution, in the unit of the effect it is about."""

    mean: float
    sd: float

    @property
    def chance_to_win(self) -> float:
        """The probability that the effect is greater than zero, 0 to 1."""
        return float(ndtr(self.mean / self.sd))

    @property
    def risk_of_shipping(self) -> float:
        """The expected loss if the treatment is chosen: E[max(-effect, 0)]."""
        return Normal(-self.mean, self.sd).risk_of_staying

    @property
    def risk_of_staying(self) -> float:
        """The expected gain forgone if the control is kept: E[max(effect, 0)]."""
        z = self.mean / self.sd
        density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        return self.mean * self.chance_to_win + self.sd * density

    def credible_interval(self, alpha: float) -> Interval:
        """The central interval of probability 1 - alpha."""
        width = -float(ndtri(alpha / 2)) * self.sd
        return Interval(self.mean - width, self.mean + width)


def posterior(effect: Effect, prior: Normal | None = None) -> Normal:
    """The distribution of the true effect, given the data.

    Args:
        effect: estimate and its standard error.
        prior: prior of the true effect; None for a flat one.
    """
    if prior is None:
        return Normal(effect.estimate, effect.std_error)
    data_precision, prior_precision = effect.std_error**-2, prior.sd**-2
    precision = data_precision + prior_precision
    mean = (effect.estimate * data_precision + prior.mean * prior_precision) / precision
    return Normal(mean, precision**-0.5)
