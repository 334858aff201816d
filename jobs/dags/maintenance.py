"""Every night: retire generations, compact small files, delete old rows and files by policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from jobs.dags.common import DEFAULTS, submit

with DAG(
    "maintenance",
    description="OPTIMIZE, retention and VACUUM of all tables, beside the streams",
    schedule=CronTriggerTimetable("0 5 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=DEFAULTS,
    tags=["playhead"],
) as dag:
    retired = submit("retire", "generations", "retire")
    # a retired generation no longer needs old files
    maintained = submit("maintain", "maintain")
    retired >> maintained
