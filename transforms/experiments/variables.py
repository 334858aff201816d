"""Variables: the totals of one user behind metrics, whose sums are the statistics of an arm.

docs/semantics.md, Experiment users, has the table; estimators has the names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from transforms.experiments.metrics import (
    BEFORE,
    PER,
    MeanMetric,
    Metric,
    Outcome,
    ProportionMetric,
    QuantileMetric,
    RatioMetric,
    RetentionMetric,
)

HOUR_S, DAY_S = 3_600, 86_400


@dataclass(frozen=True)
class Variable:
    """A total over a user's events in a span of time around the first exposure.

    Attributes:
        name: name in the sums of an arm.
        outcome: events, and the column that is summed.
        from_s: start of the span, inclusive, in seconds from the first exposure.
        to_s: end of the span, exclusive, in seconds from the first exposure.
        cap: upper limit that a total is cut to; None for no limit.
        indicator: whether it is 1 if there is an event, else 0, in place of the total.
    """

    name: str
    outcome: Outcome
    from_s: int
    to_s: int
    cap: int | None = None
    indicator: bool = False


def variables_of(name: str, metric: Metric) -> tuple[Variable, ...]:
    """The variables that a metric's estimator reads.

    Args:
        name: name of the metric.
        metric: its definition.

    Returns:
        The variables of `estimator_of`; the total for a quantile over users, none for one over
        events.
    """
    if isinstance(metric, QuantileMetric) and metric.over == "events":
        return ()
    first, end = (hour * HOUR_S for hour in metric.hours)
    after = Variable(
        name,
        metric.outcome,
        first,
        end,
        cap=metric.cap if isinstance(metric, MeanMetric) else None,
        indicator=isinstance(metric, ProportionMetric | RetentionMetric),
    )
    found = [after]
    if isinstance(metric, RatioMetric):
        found.append(replace(after, name=name + PER, outcome=metric.per))
    covariate_days = getattr(metric, "covariate_days", 0)
    if not covariate_days:
        return tuple(found)
    start = -covariate_days * DAY_S
    before = [replace(one, name=one.name + BEFORE, from_s=start, to_s=0) for one in found]
    return (*found, *before)


def sample_of(name: str, metric: Metric) -> Variable | None:
    """The field and span of the values of a quantile over events.

    Returns:
        The field and span as a variable; None for other metrics.
    """
    if not isinstance(metric, QuantileMetric) or metric.over == "users":
        return None
    first, end = (hour * HOUR_S for hour in metric.hours)
    return Variable(name, metric.outcome, first, end)


def variables_behind(name: str, metric: Metric) -> tuple[Variable, ...]:
    """The variables of a metric, or its sample for a quantile over events."""
    sample = sample_of(name, metric)
    return variables_of(name, metric) if sample is None else (sample,)
