"""Every hour: attribute outcomes to users of experiments, then compute results as of that hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from jobs.dags.common import DEFAULTS, EXPERIMENT_RESULTS, INSTANT, submit

with DAG(
    "experiment_results",
    description="Attribution of outcomes to users, results of every experiment that has started",
    schedule=CronTriggerTimetable("5 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # results of a past hour would be computed from the data of today
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={**DEFAULTS, "execution_timeout": timedelta(minutes=25)},
    tags=["playhead"],
) as dag:
    attributed = submit("attribute", "attribute", "--available-now")
    computed = submit(
        "results", "experiments", "results", "--at", INSTANT, "--once", outlets=[EXPERIMENT_RESULTS]
    )
    attributed >> computed
