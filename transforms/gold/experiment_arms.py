"""The arms of experiments: gold.experiment_user summed up to what statistics need.

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
    """Users by experiment and state: experiment_id, state, users."""
    return rows.groupBy("experiment_id", "state").agg(F.count(F.lit(1)).alias("users"))


def arm_sums(rows: DataFrame, metrics: Mapping[str, Metric], *by: str) -> DataFrame:
    """The sums of each arm.

    Args:
        rows: of gold.experiment_user.
        metrics: those wanted, by name.
        by: columns that divide an arm further, such as the region.

    Returns:
        experiment_id, variant, `by`, users, and for each variable x and each pair x, y of a
        metric's variables the sums `x` and `x*y`, null for a metric that the experiment has not.
    """
    sums: dict[str, Column] = {}
    for x, y in _pairs(metrics):
        sums[x] = F.sum(_value(x)).alias(x)
        sums[y] = F.sum(_value(y)).alias(y)
        sums[f"{x}*{y}"] = F.sum(_wide(x) * _wide(y)).alias(f"{x}*{y}")
    in_arms = rows.where(F.col("state") == ATTRIBUTED)
    return in_arms.groupBy(*ARM, *by).agg(F.count(F.lit(1)).alias("users"), *sums.values())


def sums_of(row: Row, metrics: Mapping[str, Metric]) -> Sums:
    """A row of `arm_sums` as Sums of the metrics that it has."""
    pairs = [pair for pair in _pairs(metrics) if row[pair[0]] is not None]
    totals = {name: int(row[name]) for pair in pairs for name in pair}
    return Sums(row["users"], totals, {(x, y): int(row[f"{x}*{y}"]) for x, y in pairs})


def histograms(rows: DataFrame, metrics: Mapping[str, Metric], *by: str) -> DataFrame:
    """The values that quantiles are taken of, counted.

    Returns:
        experiment_id, variant, `by`, metric, value, observations; nothing without quantiles.
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
    """For quantiles over events: the sums over users of events, and of those not above it.

    Args:
        rows: of gold.experiment_user.
        quantiles: experiment_id, `by`, variant, metric, value: the quantile of the arm.
        by: as in `histograms`.

    Returns:
        experiment_id, variant, `by`, metric, users, and the sums `x` and `x*y` of EVENTS, BELOW.
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
    """A row of `clusters` as Sums."""
    pairs = list(combinations_with_replacement((BELOW, EVENTS), 2))
    totals = {name: row[name] for name in (BELOW, EVENTS)}
    return Sums(row["users"], totals, {(x, y): row[f"{x}*{y}"] for x, y in pairs})


def arm_data(
    sums: Sums,
    metrics: Mapping[str, Metric],
    values: Mapping[str, Histogram],
    clustered: Mapping[str, Sums],
) -> ArmData:
    """An arm, put together.

    Args:
        sums: of its users.
        metrics: of the experiment, by name.
        values: the histograms of its quantile metrics, by name.
        clustered: for quantiles over events, `cluster_sums` by metric.
    """
    samples = {
        name: sample_quantile(values.get(name, {}), metric.level, clustered.get(name))
        for name, metric in metrics.items()
        if isinstance(metric, QuantileMetric)
    }
    return ArmData(sums, samples)


def _pairs(metrics: Mapping[str, Metric]) -> Iterator[tuple[str, str]]:
    """The pairs of variables of each metric but quantiles, a variable with itself included."""
    for name, metric in metrics.items():
        if not isinstance(metric, QuantileMetric):
            names: Iterable[str] = sorted(one.name for one in variables_of(name, metric))
            yield from combinations_with_replacement(names, 2)


def _value(name: str) -> Column:
    return F.col("totals").getItem(name)


def _wide(name: str) -> Column:
    """Wide enough for the product of any two totals."""
    return _value(name).cast("DECIMAL(19, 0)")


def _values(name: str, metric: QuantileMetric) -> Column:
    if metric.over == "events":
        return F.coalesce(F.col("samples").getItem(name), F.array().cast("ARRAY<BIGINT>"))
    return F.filter(F.array(_value(name)), lambda value: value.isNotNull())


def _no_values() -> Column:
    kind: Any = "ARRAY<STRUCT<metric: STRING, values: ARRAY<BIGINT>>>"
    return F.array().cast(kind)
