"""Every week: search for better settings, promote the model by them if better, score, publish."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from jobs.dags.common import DEFAULTS, RECOMMENDATIONS, submit

with DAG(
    "tune",
    description="Settings of the recommender, searched on what came before the gate's cut",
    schedule=CronTriggerTimetable("0 8 * * 0", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    default_args=DEFAULTS,
    tags=["playhead"],
) as dag:
    tuned = submit("tune", "tune", "--minutes", "60")
    promoted = submit("promote", "promote", "--if-better")
    scored = submit("score", "score")
    published = submit("publish", "publish", outlets=[RECOMMENDATIONS])
    tuned >> promoted >> scored >> published
