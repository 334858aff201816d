"""An experiment as it would have looked at earlier instants, from silver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.experiments.definitions import plan_rows
from jobs.runtime.experiments.results import arms_of
from jobs.runtime.lake.lake import Lake
from transforms.experiments.analysis import ExperimentResult, Observed, analyse
from transforms.experiments.definitions import Experiment
from transforms.experiments.metrics import Metric
from transforms.gold.experiment_user import (
    ASSIGNMENTS,
    OUTCOMES,
    assignments,
    attribute_outcomes,
    deduplicate_per_user,
    exposures,
    outcomes,
    plan,
)

AS_OF = "as_of"


@dataclass(frozen=True)
class Look:
    """What was known at an instant: of the events until then, however late they arrived.

    Attributes:
        users: by variant.
    """

    at: datetime
    users: Mapping[str, int]
    result: ExperimentResult


def instants(experiment: Experiment, at: datetime, looks: int) -> list[datetime]:
    """So many instants at equal distances, from the start on, the last one being `at`."""
    step = (at - experiment.start) / looks
    return [experiment.start + step * number for number in range(1, looks)] + [at]


def look_back(
    lake: Lake, experiment: Experiment, metrics: Mapping[str, Metric], at: Sequence[datetime]
) -> list[Look]:
    """What was known of an experiment at some instants; one pass over its users' events."""
    own = F.col("experiment_id") == experiment.id
    assigned = assignments(lake.read(ASSIGNMENTS)).where(own).persist()
    users = assigned.select("user_id").distinct()
    events = outcomes({table: lake.read(table) for table in OUTCOMES})
    seen = deduplicate_per_user(events.join(users, "user_id", "left_semi"))
    known = plan_rows(lake.spark, [plan(experiment, metrics, "")])
    exposed = exposures(_at_each(assigned, at), known, AS_OF)
    rows = attribute_outcomes(exposed, _at_each(seen, at), known, metrics, AS_OF).persist()
    arms = {
        as_of.astimezone(UTC): found
        for (_, as_of), found in arms_of(rows, {experiment.id: metrics}, AS_OF).items()
    }
    contaminated = {
        row[AS_OF].astimezone(UTC): row["count"]
        for row in rows.where("state = 'contaminated'").groupBy(AS_OF).count().collect()
    }
    rows.unpersist()
    assigned.unpersist()
    return [
        Look(
            one,
            {name: arm.sums.count for name, arm in arms.get(one, {}).items()},
            analyse(
                experiment, metrics, Observed(one, arms.get(one, {}), contaminated.get(one, 0))
            ),
        )
        for one in at
    ]


def _at_each(events: DataFrame, at: Sequence[datetime]) -> DataFrame:
    """The events once for each instant at which they had happened."""
    times = events.sparkSession.createDataFrame([(one,) for one in at], f"{AS_OF} TIMESTAMP")
    return events.crossJoin(F.broadcast(times)).where(F.col("event_time") <= F.col(AS_OF))
