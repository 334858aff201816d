"""Estimators of metrics, and the names of their variables in the sums of an arm."""

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
    """The observations in one arm.

    Attributes:
        sums: sums over all its users, of the variables of every metric but quantiles; a user
            without outcomes counts, with zeros.
        quantiles: samples of the quantile metrics, or why there is none, by name.
    """

    sums: Sums
    quantiles: Mapping[str, QuantileSample | Undefined] = field(default_factory=dict)


NOBODY = ArmData(Sums(0, {}, {}))


def estimator_of(name: str, metric: Metric) -> Estimator | None:
    """The estimator that a metric is computed with from Sums.

    Its variables are `name`, and with PER and BEFORE appended those of a ratio's denominator and
    of the covariates. For proportions and retention a variable is 1 or 0 for each user.

    Args:
        name: name of the metric.
        metric: its definition.

    Returns:
        The estimator; None for a quantile, which cannot be computed from sums.
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
    """Estimate a metric in two arms.

    Args:
        name: name of the metric.
        metric: its definition.
        control: observations in the control.
        treatment: observations in the other arm.

    Returns:
        The control and the treatment, or why there is no estimate.
    """
    estimator = estimator_of(name, metric)
    if estimator is not None:
        return estimate_arms(control.sums, treatment.sums, estimator)
    one, other = _quantile(name, control), _quantile(name, treatment)
    if isinstance(one, Undefined):
        return one
    return other if isinstance(other, Undefined) else (one, other)


def _quantile(name: str, arm: ArmData) -> Arm | Undefined:
    """Estimate a quantile metric in one arm."""
    sample = arm.quantiles.get(name, Undefined.TOO_FEW_UNITS)
    return sample if isinstance(sample, Undefined) else quantile_arm(sample)
