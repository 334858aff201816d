"""What the DAGs share: assets, the submission of jobs, and the log line of a failure.

Only Airflow is imported here and in the DAGs: jobs run by spark-submit, with their own Python.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = "docs/runbook.md"

GOLD = Asset("gold", uri="playhead://gold")
RECOMMENDATIONS = Asset("recommendations", uri="playhead://gold/recommendations")
EXPERIMENT_RESULTS = Asset("experiment_results", uri="playhead://gold/experiment_results")
QUALITY = Asset("quality", uri="playhead://ops/quality")

PROFILE = "{{ var.value.get('playhead_profile', 'local') }}"
# the logical date; a run triggered by an asset has none: then the instant at which it was due
INSTANT = "{{ (dag_run.logical_date or dag_run.run_after).isoformat() }}"


def name_the_runbook(context: Mapping[str, Any]) -> None:
    """Log, as an error, which task failed, with a link to its section of the runbook."""
    task = context["ti"]
    log.error(
        "%s.%s failed in run %s after try %s -> %s#%s",
        task.dag_id, task.task_id, task.run_id, task.try_number, RUNBOOK, task.dag_id,
    )  # fmt: skip


DEFAULTS = {
    "owner": "playhead",
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=30),
    "execution_timeout": timedelta(hours=2),
    "on_failure_callback": name_the_runbook,
}


def submit(
    task_id: str,
    job: str,
    *arguments: str,
    inlets: Sequence[Asset] = (),
    outlets: Sequence[Asset] = (),
    **options: Any,
) -> SparkSubmitOperator:
    """A task that runs a job once, on the connection spark_default.

    Args:
        task_id: name of the task.
        job: name of the file in jobs/, without its ending.
        arguments: arguments of the job; Airflow templates.
        inlets: assets of other DAGs that it reads.
        outlets: assets that it updates, which other DAGs wait for.
        options: options of Airflow, in place of DEFAULTS.
    """
    return SparkSubmitOperator(
        task_id=task_id,
        name=f"{job}-{task_id}",
        application=str(ROOT / "jobs" / f"{job}.py"),
        application_args=[*arguments, "--env", PROFILE],
        inlets=list(inlets),
        outlets=list(outlets),
        **options,
    )
