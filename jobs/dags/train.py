"""When gold is new: train a model, promote it if better, score all users, publish the lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from jobs.dags.common import DEFAULTS, GOLD, RECOMMENDATIONS, submit

with DAG(
    "train",
    description="Challenger, promotion gate, scoring, publishing to the online store",
    schedule=[GOLD],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=8),
    default_args=DEFAULTS,
    tags=["playhead"],
) as dag:
    trained = submit("train", "train", inlets=[GOLD])
    # a challenger that is not promoted is no failure: scoring goes on with the champion
    promoted = submit("promote", "promote", "--if-better")
    scored = submit("score", "score")
    published = submit("publish", "publish", outlets=[RECOMMENDATIONS])
    trained >> promoted >> scored >> published
