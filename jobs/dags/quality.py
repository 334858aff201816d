"""When gold or the lists are new, and four times a day: check all tables against expectations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from jobs.dags.common import DEFAULTS, GOLD, QUALITY, RECOMMENDATIONS, ROOT, submit

with DAG(
    "quality",
    description="Expectations of the live generation, at pinned versions; findings and data docs",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("30 */6 * * *", timezone="UTC"),
        assets=GOLD | RECOMMENDATIONS,
    ),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    # failures are in the data: measuring again gives the same result
    default_args={**DEFAULTS, "retries": 1, "execution_timeout": timedelta(minutes=45)},
    tags=["playhead"],
) as dag:
    docs = str(ROOT / "build" / "quality")
    submit("check", "quality", "--docs", docs, inlets=[GOLD, RECOMMENDATIONS], outlets=[QUALITY])
