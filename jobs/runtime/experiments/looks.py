"""An experiment's results as of earlier instants, computed from silver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.experiments.plans import plan_rows
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
from transforms.instants import micros_of

AS_OF = "as_of"


@dataclass(frozen=True)
class Look:
    """An experiment's result as of an instant: of the events until then, however late they arrived.

    Attributes:
        at: the instant, with its time zone.
        users: number of users, by variant.
        result: the result by then.
    """

    at: datetime
    users: Mapping[str, int]
    result: ExperimentResult


def instants(experiment: Experiment, at: datetime, looks: int) -> list[datetime]:
    """Evenly spaced instants from the experiment's start to `at`.

    Args:
        experiment: the experiment.
        at: the last instant.
        looks: number of instants.

    Returns:
        The instants in order; the start itself is not among them.
    """
    step = (at - experiment.start) / looks
    return [experiment.start + step * number for number in range(1, looks)] + [at]


def look_back(
    lake: Lake, experiment: Experiment, metrics: Mapping[str, Metric], at: Sequence[datetime]
) -> list[Look]:
    """The results of an experiment as of several instants, in one pass over its users' events.

    Args:
        lake: the lake whose newest silver is read.
        experiment: the experiment.
        metrics: the experiment's metrics, by name.
        at: the instants, with their time zone.

    Returns:
        One look for each instant, in the same order.
    """
    own = F.col("experiment_id") == experiment.id
    assigned = assignments(lake.read(ASSIGNMENTS)).where(own).persist()
    users = assigned.select("user_id").distinct()
    events = outcomes({table: lake.read(table) for table in OUTCOMES})
    seen = deduplicate_per_user(events.join(users, "user_id", "left_semi"))
    known = plan_rows(lake.spark, [plan(experiment, metrics, "")])
    exposed = exposures(_at_each(assigned, at), known, AS_OF)
    rows = attribute_outcomes(exposed, _at_each(seen, at), known, metrics, AS_OF).persist()
    arms = {
        as_of: found for (_, as_of), found in arms_of(rows, {experiment.id: metrics}, AS_OF).items()
    }
    contaminated = {
        row[AS_OF]: row["count"]
        for row in rows.where("state = 'contaminated'").groupBy(AS_OF).count().collect()
    }
    rows.unpersist()
    assigned.unpersist()
    return [
        Look(
            one,
            {name: arm.sums.count for name, arm in arms.get(then, {}).items()},
            analyse(
                experiment, metrics, Observed(one, arms.get(then, {}), contaminated.get(then, 0))
            ),
        )
        for one, then in ((one, micros_of(one)) for one in at)
    ]


def _at_each(events: DataFrame, at: Sequence[datetime]) -> DataFrame:
    """Each event once for every instant that is not before its event time.

    Returns:
        The events with the column as_of, the instant in microseconds since 1970.
    """
    times = [(micros_of(one),) for one in at]
    looks = events.sparkSession.createDataFrame(times, f"{AS_OF} BIGINT")
    happened = F.unix_micros("event_time")
    return events.crossJoin(F.broadcast(looks)).where(happened <= F.col(AS_OF))
