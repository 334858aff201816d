"""gold.experiment_user: exposures of users and their outcomes for the metrics of experiments.

docs/semantics.md, Experiment users. One function serves stream and batch: it computes the rows of
some users from all of their events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import and_, or_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.experiments.definitions import Catalogue, Experiment
from transforms.experiments.metrics import OUTCOME_EVENTS, Metric, Outcome
from transforms.experiments.variables import Variable, sample_of, variables_behind, variables_of
from transforms.silver.deduplication import ARRIVAL_ORDER, deduplicate

ASSIGNMENT = "ExperimentAssignment"
ATTRIBUTED = "attributed"
STATES = ("undefined", "contaminated", "unknown_variant", "outside", ATTRIBUTED)

KEY = ("experiment_id", "user_id")
COLUMNS = {
    "experiment_id": "STRING",
    "user_id": "STRING",
    "state": "STRING",
    "variant": "STRING",
    "exposed_at": "TIMESTAMP",
    "region": "STRING",
    "device_type": "STRING",
    "variants": "ARRAY<STRING>",
    "totals": "MAP<STRING, BIGINT>",
    "samples": "MAP<STRING, ARRAY<BIGINT>>",
    "definition_hash": "STRING",
}
PLAN_COLUMNS = {
    "experiment_id": "STRING",
    "starts": "TIMESTAMP",
    "ends": "TIMESTAMP",
    "arms": "ARRAY<STRING>",
    "metrics": "ARRAY<STRING>",
    "before_s": "BIGINT",
    "after_s": "BIGINT",
    "definition_hash": "STRING",
}

EVENT_COLUMNS = {
    "event_id": "STRING",
    "event_type": "STRING",
    "event_time": "TIMESTAMP",
    "event_date": "DATE",
    "topic": "STRING",
    "partition": "INT",
    "offset": "BIGINT",
    "kafka_timestamp": "TIMESTAMP",
    "user_id": "STRING",
    "experiment_id": "STRING",
    "variant": "STRING",
    "region": "STRING",
    "device_type": "STRING",
    "content_type": "STRING",
    "platform": "STRING",
    "quality": "STRING",
    "source": "STRING",
    "kind": "STRING",
    "position_s": "BIGINT",
    "duration_s": "BIGINT",
    "watch_s": "BIGINT",
    "value": "BIGINT",
    "rank": "BIGINT",
    "half_stars": "BIGINT",
}
_LINEAGE = ("event_id", "event_type", "event_time", "event_date", *ARRIVAL_ORDER, "user_id")
ASSIGNMENTS = "silver.experiments"
OUTCOMES = {
    "silver.playback": (
        *("region", "device_type", "content_type", "platform", "quality", "source"),
        *("position_s", "duration_s", "watch_s"),
    ),
    "silver.engagement": ("region", "source", "kind", "value", "rank"),
    "silver.ratings": ("region", "half_stars"),
}
SOURCES = (ASSIGNMENTS, *OUTCOMES)


def assignments(silver: DataFrame) -> DataFrame:
    """All assignments in silver.experiments, streaming or batch.

    Args:
        silver: rows of silver.experiments.

    Returns:
        EVENT_COLUMNS; region and device_type are those of the assignment's context.
    """
    own = {
        "experiment_id": "experiment_id",
        "variant": "variant",
        "region": "context['region']",
        "device_type": "context['device_type']",
    }
    return _projected(silver.where(F.col("event_type") == ASSIGNMENT), own)


def outcomes(silver: Mapping[str, DataFrame]) -> DataFrame:
    """The events that metrics may use as outcomes, streaming or batch.

    Args:
        silver: rows of the tables of OUTCOMES, by table name.

    Returns:
        EVENT_COLUMNS; columns that a table lacks are null.
    """
    wanted = F.col("event_type").isin(*OUTCOME_EVENTS)
    return reduce(
        DataFrame.unionAll,
        (
            _projected(silver[table].where(wanted), {name: f"`{name}`" for name in own})
            for table, own in OUTCOMES.items()
        ),
    )


def plans(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    """The parameters of attribution, a row of PLAN_COLUMNS for each experiment.

    Args:
        catalogue: all definitions.
    """
    return [
        plan(experiment, catalogue.metrics, catalogue.definition_hash(name))
        for name, experiment in catalogue.experiments.items()
    ]


def plan(
    experiment: Experiment, metrics: Mapping[str, Metric], definition_hash: str
) -> tuple[Any, ...]:
    """The parameters of attribution of one experiment.

    Args:
        experiment: its definition.
        metrics: definitions of its metrics, by name.
        definition_hash: hash of its definition.

    Returns:
        A row of PLAN_COLUMNS; before_s and after_s are the seconds before and after the first
        exposure within which outcomes count for any metric.
    """
    spans = [one for name in experiment.metrics for one in variables_behind(name, metrics[name])]
    return (
        experiment.id,
        experiment.start,
        experiment.end,
        list(experiment.weights),
        list(experiment.metrics),
        max(0, *(-span.from_s for span in spans)),
        max(span.to_s for span in spans),
        definition_hash,
    )


def exposures(events: DataFrame, planned: DataFrame, *also: str) -> DataFrame:
    """Find the first exposure of each user in each experiment, and the user's state.

    Args:
        events: all `assignments` of some users; duplicates do no harm.
        planned: PLAN_COLUMNS, one row an experiment.
        also: columns of events that belong to the key too, such as the instant of an analysis.

    Returns:
        `also`, KEY, state, variant, exposed_at, region, device_type, variants, before_s and
        after_s.
    """
    packed = F.struct("event_time", "event_id", "variant", "region", "device_type")
    found = events.groupBy(*also, *KEY).agg(
        F.min(packed).alias("first"), F.sort_array(F.collect_set("variant")).alias("variants")
    )
    known = found.join(F.broadcast(planned), "experiment_id", "left")
    return known.select(
        *also,
        *KEY,
        _state().alias("state"),
        "first.variant",
        F.col("first.event_time").alias("exposed_at"),
        F.coalesce("first.region", F.lit("unknown")).alias("region"),
        F.coalesce("first.device_type", F.lit("unknown")).alias("device_type"),
        "variants",
        "before_s",
        "after_s",
    )


def touched_users(events: DataFrame) -> DataFrame:
    """Summarise the rows that events may change.

    Args:
        events: `assignments` and `outcomes` together, some or all.

    Returns:
        user_id; assigned array of strings, the experiments of the user's assignments; earliest and
        latest timestamp, event times of the user's outcomes, null without any.
    """
    at = F.when(F.col("event_type") != ASSIGNMENT, F.col("event_time"))
    return events.groupBy("user_id").agg(
        F.collect_set("experiment_id").alias("assigned"),
        F.min(at).alias("earliest"),
        F.max(at).alias("latest"),
    )


def affected_exposures(exposed: DataFrame, touches: DataFrame) -> DataFrame:
    """The exposures whose rows may change.

    Args:
        exposed: `exposures` of the users of touches.
        touches: rows of `touched_users`.

    Returns:
        The columns of `exposed`.
    """
    first, last = reach()
    reached = (
        (F.col("state") == ATTRIBUTED) & (F.col("latest") >= first) & (F.col("earliest") < last)
    )
    assigned = F.array_contains("assigned", F.col("experiment_id"))
    return (
        exposed.join(F.broadcast(touches), "user_id")
        .where(assigned | F.coalesce(reached, F.lit(False)))
        .select(*exposed.columns)
    )


def reach() -> tuple[Column, Column]:
    """The span around an exposure in which outcomes count.

    Returns:
        Timestamps: the start, inclusive, and the end, exclusive; they read exposed_at, before_s and
        after_s.
    """
    return (
        F.col("exposed_at") - F.make_dt_interval(secs=F.col("before_s")),
        F.col("exposed_at") + F.make_dt_interval(secs=F.col("after_s")),
    )


def deduplicate_per_user(events: DataFrame) -> DataFrame:
    """Keep the first copy, by arrival order, of each event of a user."""
    return deduplicate(events, "user_id")


def attribute_outcomes(
    exposed: DataFrame,
    events: DataFrame,
    planned: DataFrame,
    metrics: Mapping[str, Metric],
    *also: str,
) -> DataFrame:
    """Compute the rows of gold.experiment_user of exposed users.

    Args:
        exposed: `exposures` of some experiments and users.
        events: `outcomes` of those users, all from before_s before an exposure to after_s after;
            `deduplicate_per_user`.
        planned: PLAN_COLUMNS, one row an experiment.
        metrics: metrics of the experiments of `planned`, by name.
        also: columns that belong to the key too, of both exposed and events.

    Returns:
        `also` and COLUMNS, one row a key.
    """
    variables = [one for name, m in metrics.items() for one in variables_of(name, m)]
    samples = [one for name, m in metrics.items() for one in [sample_of(name, m)] if one]
    lifted, columns = _lifted(events, [*variables, *samples], *also)
    facts = [name for name in exposed.columns if name not in ("before_s", "after_s")]
    pairs = exposed.join(lifted, _in_reach(exposed, lifted, also), "left").select(
        *(exposed[name] for name in facts),
        (F.unix_micros("outcome_time") - F.unix_micros("exposed_at")).alias("after_us"),
        *columns.values(),
    )
    sums = [_total(one, columns).alias(f"total_{one.name}") for one in variables]
    lists = [_sample(one, columns).alias(f"sample_{one.name}") for one in samples]
    measured = pairs.groupBy(*facts).agg(F.count("after_us"), *sums, *lists)
    known = measured.join(
        F.broadcast(planned.select("experiment_id", "metrics", "definition_hash")),
        "experiment_id",
        "left",
    )
    return known.select(
        *also,
        *(name for name in COLUMNS if name in facts),
        _variable_map("total_", variables, metrics, COLUMNS["totals"]).alias("totals"),
        _variable_map("sample_", samples, metrics, COLUMNS["samples"]).alias("samples"),
        "definition_hash",
    )


def differing_users(one: DataFrame, other: DataFrame) -> DataFrame:
    """The keys whose rows are not identical, from a full outer join of two tables.

    Args:
        one: COLUMNS, one row a key.
        other: COLUMNS, one row a key.

    Returns:
        KEY of each difference.
    """
    left, right = _packed(one, "left"), _packed(other, "right")
    joined = left.join(right, [*KEY], "full_outer")
    return joined.where(~F.col("left").eqNullSafe(F.col("right"))).select(*KEY)


def _packed(rows: DataFrame, name: str) -> DataFrame:
    """KEY, and the other columns as a comparable struct, with maps as sorted arrays of entries."""
    columns = (
        F.sort_array(F.map_entries(column)).alias(column)
        if ddl.startswith("MAP")
        else F.col(column)
        for column, ddl in COLUMNS.items()
        if column not in KEY
    )
    return rows.select(*KEY, F.struct(*columns).alias(name))


def _projected(rows: DataFrame, own: Mapping[str, str]) -> DataFrame:
    """Select EVENT_COLUMNS from rows.

    Args:
        rows: rows of a silver table.
        own: SQL expressions over `rows`, by column, besides those of the lineage; a column without
            one is null.
    """
    have = {**{name: f"`{name}`" for name in _LINEAGE}, **own}
    return rows.selectExpr(
        *(
            f"CAST({have.get(name, 'NULL')} AS {ddl}) AS `{name}`"
            for name, ddl in EVENT_COLUMNS.items()
        )
    )


def _state() -> Column:
    """State of a user in an experiment, string, one of STATES."""
    at = F.col("first.event_time")
    return (
        F.when(F.col("definition_hash").isNull(), "undefined")
        .when(F.size("variants") > 1, "contaminated")
        .when(~F.array_contains("arms", F.col("first.variant")), "unknown_variant")
        .when((at < F.col("starts")) | (at >= F.col("ends")), "outside")
        .otherwise(ATTRIBUTED)
    )


def _in_reach(exposed: DataFrame, lifted: DataFrame, also: Iterable[str]) -> Column:
    """Whether an outcome may count for the experiment of an exposure."""
    first, end = reach()
    at = F.col("outcome_time")
    in_reach = (F.col("state") == ATTRIBUTED) & (at >= first) & (at < end)
    same = (exposed[name] == lifted[name] for name in (*also, "user_id"))
    return reduce(and_, same, in_reach)


def _lifted(
    events: DataFrame, variables: Iterable[Variable], *also: str
) -> tuple[DataFrame, dict[str, str]]:
    """Lift each event to its contribution to each distinct outcome of the variables.

    Args:
        events: `outcomes`, deduplicated.
        variables: variables and samples of the metrics.
        also: columns to carry over.

    Returns:
        A DataFrame of `also`, user_id, outcome_time and a bigint for each distinct outcome, null
        where the event does not count; and the names of those columns, by `_key`.
    """
    columns: dict[str, str] = {}
    lifts = []
    for variable in variables:
        key = _key(variable)
        if key not in columns:
            columns[key] = f"outcome_{len(columns)}"
            lifts.append(_lift(variable).alias(columns[key]))
    lifted = events.select(*also, "user_id", F.col("event_time").alias("outcome_time"), *lifts)
    counts = (F.col(column).isNotNull() for column in columns.values())
    return lifted.where(reduce(or_, counts, F.lit(False))), columns


def _key(variable: Variable) -> str:
    """Key of a variable's outcome, the same for variables that events contribute to alike.

    An indicator does not depend on the summed field.
    """
    counted = variable.outcome.model_copy(update={"field": None})
    return (counted if variable.indicator else variable.outcome).model_dump_json()


def _lift(variable: Variable) -> Column:
    """Contribution of an event to a variable.

    Returns:
        Bigint: 1, or the value of the summed field; null if the event does not count.
    """
    outcome: Outcome = variable.outcome
    asked = F.col("event_type") == outcome.event
    for column, allowed in outcome.where.items():
        asked &= F.col(column).isin(*allowed)
    one = outcome.field is None or variable.indicator
    return F.when(asked, F.lit(1).cast("BIGINT") if one else F.col(str(outcome.field)))


def _within(variable: Variable) -> Column:
    """Whether an outcome lies in the span of a variable."""
    after = F.col("after_us")
    return (after >= variable.from_s * 1_000_000) & (after < variable.to_s * 1_000_000)


def _total(variable: Variable, columns: Mapping[str, str]) -> Column:
    """Total of a variable over the outcomes in its span, bigint, capped or as an indicator."""
    summed = F.sum(F.when(_within(variable), F.col(columns[_key(variable)])))
    total = F.coalesce(summed, F.lit(0).cast("BIGINT"))
    if variable.indicator:
        return F.when(total > 0, F.lit(1)).otherwise(F.lit(0)).cast("BIGINT")
    return total if variable.cap is None else F.least(total, F.lit(variable.cap).cast("BIGINT"))


def _sample(variable: Variable, columns: Mapping[str, str]) -> Column:
    """Sorted array of the values of a sample in its span."""
    return F.sort_array(F.collect_list(F.when(_within(variable), F.col(columns[_key(variable)]))))


def _variable_map(
    prefix: str, variables: Iterable[Variable], metrics: Mapping[str, Metric], ddl: str
) -> Column:
    """Map from name to value, of the variables of the experiment's own metrics.

    Args:
        prefix: prefix of the columns that hold the values.
        variables: variables or samples.
        metrics: metrics by name.
        ddl: SQL type of the map.
    """
    metric_of = {one.name: name for name, m in metrics.items() for one in variables_behind(name, m)}
    entries = []
    for one in variables:
        own = (F.col("state") == ATTRIBUTED) & F.array_contains("metrics", metric_of[one.name])
        entries += [F.lit(one.name), F.when(own, F.col(f"{prefix}{one.name}"))]
    if not entries:
        return F.create_map().cast(ddl)
    return F.map_filter(F.create_map(*entries), lambda _, value: value.isNotNull()).cast(ddl)
