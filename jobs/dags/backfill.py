"""On demand: judge the events of some dates again, rebuild gold, compare, and switch readers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException

from jobs.dags.common import DEFAULTS, GOLD, INSTANT, submit

MOST_DAYS = 31
DATE = {"type": "string", "format": "date", "pattern": r"^20\d\d-\d\d-\d\d$"}


@task(retries=0)
def check_dates(params: dict[str, Any]) -> None:
    """Fail without a retry if the dates are no range that can be recomputed.

    Raises:
        AirflowFailException: the range is reversed, ends in the future or is too long.
    """
    first, last = (date.fromisoformat(params[name]) for name in ("first", "last"))
    fault = None
    if first > last:
        fault = f"first={first} is after last={last}: exchange them"
    elif last > datetime.now(UTC).date():
        fault = f"last={last} is still to come: name a date through today"
    elif (last - first).days >= MOST_DAYS:
        fault = f"{first} to {last} is more than {MOST_DAYS} days: run it in parts"
    if fault:
        raise AirflowFailException(fault)


with DAG(
    "backfill",
    description="Recompute of some dates of event time",
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=10),
    default_args={**DEFAULTS, "execution_timeout": timedelta(hours=4)},
    params={
        "first": Param(description="The first UTC date of event time, such as 2026-11-01.", **DATE),
        "last": Param(description=f"The last one, at most {MOST_DAYS} days in all.", **DATE),
        "switch": Param(True, type="boolean", description="Let readers see it if the gates hold."),
    },
    tags=["playhead"],
) as dag:
    dates = ("--from", "{{ params.first }}", "--to", "{{ params.last }}", "--as-of", INSTANT)
    checked = check_dates()
    built = submit("build_and_compare", "recompute", *dates)

    @task.short_circuit
    def asked_to_switch(params: dict[str, Any]) -> bool:
        """Whether readers shall be switched."""
        return bool(params["switch"])

    switched = submit("check_and_switch", "recompute", *dates, "--switch", outlets=[GOLD])
    checked >> built >> asked_to_switch() >> switched
