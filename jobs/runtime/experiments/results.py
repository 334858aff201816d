"""Results of experiments: computed at pinned versions, stored, and reproduced from them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_RESULTS, EXPERIMENT_USER, TABLES
from transforms.experiments.analysis import Observed, analyse
from transforms.experiments.definitions import Catalogue, Experiment, parse_definition
from transforms.experiments.estimators import ArmData
from transforms.experiments.metrics import Metric, QuantileMetric
from transforms.experiments.quantiles import Histogram, QuantileSample, sample_quantile
from transforms.experiments.results import KEY, result_rows
from transforms.experiments.sums import Sums
from transforms.gold.experiment_arms import (
    arm_data,
    arm_sums,
    cluster_sums,
    clusters,
    histograms,
    states,
    sums_of,
)
from transforms.instants import instant_of

MODELS, CATALOG = "silver.models", "silver.catalog"
Arms = Mapping[str, ArmData]
Metrics = Mapping[str, Metric]
Group = tuple[Any, ...]


@dataclass(frozen=True)
class Pins:
    """The Delta versions that results are computed from, in one generation.

    Attributes:
        generation: number of the generation.
        experiment_user: Delta version of gold.experiment_user.
        models: Delta version of silver.models.
        catalog: Delta version of silver.catalog.
    """

    generation: int
    experiment_user: int
    models: int
    catalog: int


def newest_pins(lake: Lake) -> Pins:
    """The newest versions in a lake's generation."""
    tables = (EXPERIMENT_USER, MODELS, CATALOG)
    return Pins(lake.generation, *(lake.version(table) for table in tables))


def compute_results(
    lake: Lake, definitions: Mapping[str, str], pins: Pins, at: datetime
) -> list[dict[str, Any]]:
    """Compute results of experiments from pinned versions; nothing is written.

    Args:
        lake: the pinned generation.
        definitions: definitions in the JSON of Catalogue.definition, by id of the experiment.
        pins: Delta versions to read.
        at: instant that the results are as of.

    Returns:
        Rows of gold.experiment_results.
    """
    parsed = {name: parse_definition(definition) for name, definition in definitions.items()}
    rows = lake.read(EXPERIMENT_USER, pins.experiment_user).where(
        F.col("experiment_id").isin(*definitions)
    )
    users: dict[str, dict[str, int]] = defaultdict(dict)
    for row in states(rows).collect():
        users[row.experiment_id][row.state] = row.users
    arms = arms_of(rows, {name: metrics for name, (_, metrics) in parsed.items()})
    found = []
    for name, (experiment, metrics) in parsed.items():
        changes = _changes(lake, experiment, pins, at)
        contaminated = users[name].get("contaminated", 0)
        observed = Observed(at, arms.get((name,), {}), contaminated, changes)
        result = analyse(experiment, metrics, observed)
        built_from = {"definition": definitions[name], **asdict(pins)}
        found += [
            {**row, "overlapping_changes": list(changes), "built_from": built_from}
            for row in result_rows(experiment, observed, result, users[name])
        ]
    return found


def arms_of(rows: DataFrame, experiments: Mapping[str, Metrics], *by: str) -> Mapping[Group, Arms]:
    """The arms of experiments, by experiment and the columns `by`.

    Args:
        rows: rows of gold.experiment_user, of these experiments only.
        experiments: metrics by name, by id of the experiment.
        by: columns that divide arms further.

    Returns:
        Data of each arm by variant, by tuple of experiment id and the values of `by`.
    """
    metrics = {name: metric for own in experiments.values() for name, metric in own.items()}
    values, clustered = _quantiles(rows, metrics, *by)
    arms: dict[Group, dict[str, ArmData]] = defaultdict(dict)
    for row in arm_sums(rows, metrics, *by).collect():
        own = experiments[row.experiment_id]
        group = (row.experiment_id, *(row[name] for name in by))
        arm = (*group, row.variant)
        sums = sums_of(row, own)
        arms[group][row.variant] = arm_data(sums, own, values[arm], clustered[arm])
    return arms


def _quantiles(
    rows: DataFrame, metrics: Metrics, *by: str
) -> tuple[dict[Group, dict[str, Histogram]], dict[Group, dict[str, Sums]]]:
    """What the quantile metrics need of each arm.

    Returns:
        Histograms by arm and metric, and, of quantiles over events, the cluster sums by arm and
        metric. An arm is the tuple of experiment id, the values of `by`, and variant.
    """
    wanted = {name: m for name, m in metrics.items() if isinstance(m, QuantileMetric)}
    values: dict[Group, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    clustered: dict[Group, dict[str, Sums]] = defaultdict(dict)
    if wanted:
        for row in histograms(rows, wanted, *by).collect():
            values[_arm(row, by)][row.metric][row.value] = row.observations
        found = list(_defined_quantiles(values, wanted))
        own = (rows.schema[name] for name in ("experiment_id", *by, "variant"))
        schema = StructType([*own]).add("metric", "string").add("value", "long")
        quantiles = rows.sparkSession.createDataFrame(found, schema)
        for row in clusters(rows, quantiles, *by).collect():
            clustered[_arm(row, by)][row.metric] = cluster_sums(row)
    return values, clustered  # type: ignore[return-value]


def _defined_quantiles(
    values: Mapping[Group, Mapping[str, Histogram]], metrics: Mapping[str, QuantileMetric]
) -> Iterator[Group]:
    """The quantiles over events that are defined.

    Yields:
        Experiment id, the values of `by`, variant, metric and the quantile's value.
    """
    for arm, own in values.items():
        for name, histogram in own.items():
            sample = sample_quantile(histogram, metrics[name].level)
            if metrics[name].over == "events" and isinstance(sample, QuantileSample):
                yield (*arm, name, sample.value)


def _arm(row: Any, by: Iterable[str]) -> Group:
    """The arm of a row: experiment id, the values of `by`, and variant."""
    return (row.experiment_id, *(row[name] for name in by), row.variant)


def _changes(lake: Lake, experiment: Experiment, pins: Pins, at: datetime) -> tuple[str, ...]:
    """The changes of models and titles during the experiment that its definition forbids.

    Returns:
        Texts such as `model <name> <version>` and `title <id>`, sorted within each kind.
    """
    running = F.col("event_time").between(experiment.start, min(experiment.end, at))
    found: list[str] = []
    if experiment.invalidated_by.models:
        named = F.col("model_name").isin(*experiment.invalidated_by.models)
        version = F.concat_ws(" ", F.lit("model"), "model_name", "model_version")
        rows = lake.read(MODELS, pins.models).where(named & running).select(version).distinct()
        found += sorted(row[0] for row in rows.collect())
    if experiment.invalidated_by.titles:
        named = F.col("title_id").isin(*experiment.invalidated_by.titles)
        rows = lake.read(CATALOG, pins.catalog).where(named & running).select("title_id").distinct()
        found += sorted(f"title {row[0]}" for row in rows.collect())
    return tuple(found)


def refuse_stale(lake: Lake, definitions: Catalogue, pins: Pins) -> None:
    """Stop if gold.experiment_user holds rows of an experiment by an earlier definition.

    Args:
        lake: the generation to read.
        definitions: the present definitions.
        pins: Delta versions to read.

    Raises:
        DataError: it does; names the experiments.
    """
    rows = lake.read(EXPERIMENT_USER, pins.experiment_user)
    found = rows.select("experiment_id", "definition_hash").distinct().collect()
    stale = sorted(
        row.experiment_id
        for row in found
        if row.experiment_id in definitions.experiments
        and row.definition_hash != definitions.definition_hash(row.experiment_id)
    )
    if stale:
        raise DataError(
            f"{EXPERIMENT_USER} is by earlier definitions of {', '.join(stale[:5])}",
            "run python -m jobs.attribute --available-now first",
        )


def store_results(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> None:
    """Upsert rows into gold.experiment_results; those of the same instant are replaced."""
    alone = lake.isolated()
    schema = TABLES[EXPERIMENT_RESULTS].schema
    frame = alone.spark.createDataFrame([dict(row) for row in rows], schema)
    transaction = Transaction("results", time.time_ns() // 1000)
    alone.upsert(EXPERIMENT_RESULTS, frame.coalesce(1), KEY, transaction)


def stored_results(
    lake: Lake, experiment_id: str, at: datetime | None = None
) -> list[dict[str, Any]]:
    """The stored results of an experiment.

    Args:
        lake: the lake to read.
        experiment_id: id of the experiment.
        at: the instant that they are as of; None: the newest.

    Returns:
        Rows of gold.experiment_results in order of variant and metric; empty if there are none.
    """
    rows = lake.read(EXPERIMENT_RESULTS).where(F.col("experiment_id") == experiment_id)
    if at is None:
        newest = rows.agg(F.max(F.unix_micros("computed_at"))).collect()[0][0]
        if newest is None:
            return []
        at = instant_of(newest)
    of_then = rows.where(F.col("computed_at") == F.lit(at)).drop("computed_at")
    found = (row.asDict(recursive=True) for row in of_then.collect())
    return sorted((_with_all_columns({**row, "computed_at": at}) for row in found), key=_order)


def newest_results(lake: Lake, experiment_id: str) -> list[dict[str, Any]]:
    """The newest results of an experiment.

    Returns:
        Rows of gold.experiment_results in order of variant and metric, at least one.

    Raises:
        SettingsError: there are none.
    """
    rows = stored_results(lake, experiment_id)
    if not rows:
        raise SettingsError(
            f"{EXPERIMENT_RESULTS} has no results of {experiment_id}",
            f"python -m jobs.experiments results {experiment_id} computes them",
        )
    return rows


def reproduce_results(lake: Lake, before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Recompute stored results from nothing but the versions and the definition that they name.

    Args:
        lake: any generation of the lake.
        before: stored rows of one experiment and instant.

    Returns:
        Rows in the form and order of `stored_results`.
    """
    origin, at = before[0]["built_from"], before[0]["computed_at"]
    pins = Pins(**{field.name: origin[field.name] for field in fields(Pins)})
    then = lake.of_generation(pins.generation)
    rows = compute_results(then, {before[0]["experiment_id"]: origin["definition"]}, pins, at)
    for row in rows:
        row["built_from"] = {**origin, **row["built_from"]}
    return sorted(map(_with_all_columns, rows), key=_order)


def _with_all_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with every column, null where it has none."""
    return {name: row.get(name) for name in TABLES[EXPERIMENT_RESULTS].columns}


def _order(row: Mapping[str, Any]) -> tuple[str, str]:
    """The sort key of a row: variant and metric."""
    return row["variant"], row["metric"]
