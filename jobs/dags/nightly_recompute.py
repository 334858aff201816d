"""Every night: rebuild silver and gold from bronze, compare with the live ones, switch readers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from jobs.dags.common import DEFAULTS, GOLD, INSTANT, submit

with DAG(
    "nightly_recompute",
    description="Next generation from bronze; the parity gate; the quality gate and the switch",
    schedule=CronTriggerTimetable("0 1 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # the next night's run covers a missed one
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={**DEFAULTS, "execution_timeout": timedelta(hours=4)},
    tags=["playhead"],
) as dag:
    built = submit("build_and_compare", "recompute", "--as-of", INSTANT)
    switched = submit(
        "check_and_switch", "recompute", "--as-of", INSTANT, "--switch", outlets=[GOLD]
    )
    built >> switched
