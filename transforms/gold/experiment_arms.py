"""The arms of experiments: gold.experiment_user aggregated to the sums that statistics need.

docs/experiments.md, What statistics need. Everything is a sum of whole numbers, so it is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations_with_replacement
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from transforms.experiments.estimators import ArmData
from transforms.experiments.metrics import Metric, QuantileMetric
from transforms.experiments.quantiles import BELOW, EVENTS, Histogram, sample_quantile
from transforms.experiments.sums import Sums
from transforms.experiments.variables import variables_of
from transforms.gold.experiment_user import ATTRIBUTED

ARM = ("experiment_id", "variant")


def states(rows: DataFrame) -> DataFrame:
    """Count users by experiment and state.

    Args:
        rows: rows of gold.experiment_user.

    Returns:
        experiment_id string, state string, users bigint.
    """
    return rows.groupBy("experiment_id", "state").agg(F.count(F.lit(1)).alias("users"))


def arm_sums(rows: DataFrame, metrics: Mapping[str, Metric], *by: str) -> DataFrame:
    """Sum the variables of each arm, and the products of each pair of a metric's variables.

    Args:
        rows: rows of gold.experiment_user.
        metrics: metrics to sum for, by name.
        by: columns that divide an arm further, such as the region.

    Returns:
        experiment_id, variant, `by`, users bigint, and for each variable x and each pair x, y of a
        metric's variables the sums `x` and `x*y`, null for metrics that the experiment lacks.
    """
    sums: dict[str, Column] = {}
    for x, y in _pairs(metrics):
        sums[x] = F.sum(_value(x)).alias(x)
        sums[y] = F.sum(_value(y)).alias(y)
        sums[f"{x}*{y}"] = F.sum(_wide(x) * _wide(y)).alias(f"{x}*{y}")
    in_arms = rows.where(F.col("state") == ATTRIBUTED)
    return in_arms.groupBy(*ARM, *by).agg(F.count(F.lit(1)).alias("users"), *sums.values())


def sums_of(row: Row, metrics: Mapping[str, Metric]) -> Sums:
    """Convert a row of `arm_sums` to Sums.

    Args:
        row: row of `arm_sums`.
        metrics: metrics that it was summed for, by name.

    Returns:
        The sums of the metrics that the row's experiment has.
    """
    pairs = [pair for pair in _pairs(metrics) if row[pair[0]] is not None]
    totals = {name: int(row[name]) for pair in pairs for name in pair}
    return Sums(row["users"], totals, {(x, y): int(row[f"{x}*{y}"]) for x, y in pairs})


def histograms(rows: DataFrame, metrics: Mapping[str, Metric], *by: str) -> DataFrame:
    """Count the observed values of quantile metrics.

    Args:
        rows: rows of gold.experiment_user.
        metrics: metrics by name; those without a quantile are ignored.
        by: columns that divide an arm further.

    Returns:
        experiment_id, variant, `by`, metric string, value bigint, observations bigint; no rows
        without quantile metrics.
    """
    entries = [
        F.struct(F.lit(name).alias("metric"), _values(name, metric).alias("values"))
        for name, metric in metrics.items()
        if isinstance(metric, QuantileMetric)
    ]
    found = rows.where(F.col("state") == ATTRIBUTED).select(
        *ARM, *by, F.inline(F.array(*entries) if entries else _no_values())
    )
    observed = found.select(*ARM, *by, "metric", F.explode("values").alias("value"))
    return observed.groupBy(*observed.columns).agg(F.count(F.lit(1)).alias("observations"))


def clusters(rows: DataFrame, quantiles: DataFrame, *by: str) -> DataFrame:
    """Sum, over users, the events and those not above the quantile, for quantiles over events.

    Args:
        rows: rows of gold.experiment_user.
        quantiles: experiment_id, variant, `by`, metric, value: the quantile of each arm.
        by: columns that divide an arm further, as in `histograms`.

    Returns:
        experiment_id, variant, `by`, metric, users bigint, and the sums `x` and `x*y` of EVENTS and
        BELOW.
    """
    in_arms = rows.where(F.col("state") == ATTRIBUTED)
    values = F.element_at("samples", F.col("metric"))
    below = F.size(F.filter(values, lambda value: value <= F.col("value")))
    counted = in_arms.join(F.broadcast(quantiles), [*ARM, *by]).select(
        *ARM,
        *by,
        "metric",
        F.size(values).cast("BIGINT").alias(EVENTS),
        below.cast("BIGINT").alias(BELOW),
    )
    products = [
        F.sum(F.col(x) * F.col(y)).alias(f"{x}*{y}")
        for x, y in combinations_with_replacement((BELOW, EVENTS), 2)
    ]
    sums = [F.sum(name).alias(name) for name in (BELOW, EVENTS)]
    users = F.count(F.lit(1)).alias("users")
    return counted.groupBy(*ARM, *by, "metric").agg(users, *sums, *products)


def cluster_sums(row: Row) -> Sums:
    """Convert a row of `clusters` to Sums."""
    pairs = list(combinations_with_replacement((BELOW, EVENTS), 2))
    totals = {name: row[name] for name in (BELOW, EVENTS)}
    return Sums(row["users"], totals, {(x, y): row[f"{x}*{y}"] for x, y in pairs})


def arm_data(
    sums: Sums,
    metrics: Mapping[str, Metric],
    values: Mapping[str, Histogram],
    clustered: Mapping[str, Sums],
) -> ArmData:
    """Assemble the data of one arm.

    Args:
        sums: sums of its users.
        metrics: metrics of the experiment, by name.
        values: histograms of its quantile metrics, by name of the metric.
        clustered: `cluster_sums` of its quantiles over events, by name of the metric.
    """
    samples = {
        name: sample_quantile(values.get(name, {}), metric.level, clustered.get(name))
        for name, metric in metrics.items()
        if isinstance(metric, QuantileMetric)
    }
    return ArmData(sums, samples)


def _pairs(metrics: Mapping[str, Metric]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of variables, each with itself too, of all metrics but quantiles."""
    for name, metric in metrics.items():
        if not isinstance(metric, QuantileMetric):
            names: Iterable[str] = sorted(one.name for one in variables_of(name, metric))
            yield from combinations_with_replacement(names, 2)


def _value(name: str) -> Column:
    """Total of a variable.

    Returns:
        Bigint; null where the user has none.
    """
    return F.col("totals").getItem(name)


def _wide(name: str) -> Column:
    """Total of a variable as a decimal, wide enough for the product of any two totals."""
    return _value(name).cast("DECIMAL(19, 0)")


def _values(name: str, metric: QuantileMetric) -> Column:
    """Observed values of a quantile metric.

    Returns:
        Array of bigint; empty where the user has none.
    """
    if metric.over == "events":
        return F.coalesce(F.col("samples").getItem(name), F.array().cast("ARRAY<BIGINT>"))
    return F.filter(F.array(_value(name)), lambda value: value.isNotNull())


def _no_values() -> Column:
    """Empty array of the type that `histograms` unpacks."""
    kind: Any = "ARRAY<STRUCT<metric: STRING, values: ARRAY<BIGINT>>>"
    return F.array().cast(kind)
