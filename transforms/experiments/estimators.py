"""Which estimator a metric is, and by what names its variables go in the sums of an arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms.experiments.effects import (
    Arm,
    Estimator,
    Undefined,
    estimate_arms,
    mean,
    proportion,
    ratio,
)
from transforms.experiments.metrics import (
    BEFORE,
    PER,
    MeanMetric,
    Metric,
    QuantileMetric,
    RatioMetric,
)
from transforms.experiments.quantiles import QuantileSample, quantile_arm
from transforms.experiments.sums import Sums


@dataclass(frozen=True)
class ArmData:
    """What was observed in one arm.

    Attributes:
        sums: over all its users, of the variables of every metric but quantiles; a user without
            outcomes counts, with zeros.
        quantiles: of the quantile metrics, by name.
    """

    sums: Sums
    quantiles: Mapping[str, QuantileSample | Undefined] = field(default_factory=dict)


NOBODY = ArmData(Sums(0, {}, {}))


def estimator_of(name: str, metric: Metric) -> Estimator | None:
    """How a metric is estimated from Sums; None for a quantile, which is not a matter of sums.

    Its variables are `name`, and with PER and BEFORE appended those of a ratio's denominator and
    of the covariates. For proportions and retention a variable is 1 or 0 for each user.
    """
    if isinstance(metric, QuantileMetric):
        return None
    before = name + BEFORE if getattr(metric, "covariate_days", 0) else None
    if isinstance(metric, RatioMetric):
        per = name + PER
        return ratio(name, per, (before, per + BEFORE) if before else None)
    return mean(name, before) if isinstance(metric, MeanMetric) else proportion(name, before)


def arms_of(
    name: str, metric: Metric, control: ArmData, treatment: ArmData
) -> tuple[Arm, Arm] | Undefined:
    """The estimates of a metric in two arms, or why there are none."""
    estimator = estimator_of(name, metric)
    if estimator is not None:
        return estimate_arms(control.sums, treatment.sums, estimator)
    one, other = _quantile(name, control), _quantile(name, treatment)
    if isinstance(one, Undefined):
        return one
    return other if isinstance(other, Undefined) else (one, other)


def _quantile(name: str, arm: ArmData) -> Arm | Undefined:
    sample = arm.quantiles.get(name, Undefined.TOO_FEW_UNITS)
    return sample if isinstance(sample, Undefined) else quantile_arm(sample)
