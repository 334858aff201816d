"""Run by Airflow's own Python: what Airflow itself finds in jobs/dags, as JSON for the tests."""

from __future__ import annotations

import json
import logging
import sys
from types import SimpleNamespace

from airflow.dag_processing.dagbag import DagBag


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def said(callback, dag_id: str, task_id: str) -> list[str]:
    heard, logger = Lines(), logging.getLogger(callback.__module__)
    logger.addHandler(heard)
    task = SimpleNamespace(dag_id=dag_id, task_id=task_id, run_id="r", try_number=1)
    callback({"ti": task})
    logger.removeHandler(heard)
    return heard.lines


def facts_of(task) -> dict:
    callbacks = task.on_failure_callback
    callbacks = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    return {
        "owner": task.owner,
        "retries": task.retries,
        "backoff": bool(task.retry_exponential_backoff),
        "timeout_s": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "on_failure": [
            line for each in callbacks for line in said(each, task.dag_id, task.task_id)
        ],
        "after": sorted(task.upstream_task_ids),
        "application": getattr(task, "application", None),
        "arguments": getattr(task, "application_args", None),
        "outlets": sorted(asset.name for asset in task.outlets),
    }


def waited_for(dag) -> list[str]:
    condition = getattr(dag.timetable, "asset_condition", None)
    return sorted(asset.name for asset in condition.objects) if condition else []


bag = DagBag(sys.argv[1])
told = {
    "errors": bag.import_errors,
    "pyspark": "pyspark" in sys.modules,
    "dags": {
        name: {
            "timetable": type(dag.timetable).__name__,
            "waits_for": waited_for(dag),
            "runs_at_once": dag.max_active_runs,
            "catchup": dag.catchup,
            "timeout_s": dag.dagrun_timeout.total_seconds() if dag.dagrun_timeout else None,
            "params": {key: dag.params.get_param(key).schema for key in dag.params},
            "tasks": {task.task_id: facts_of(task) for task in dag.tasks},
        }
        for name, dag in bag.dags.items()
    },
}  # fmt: skip
sys.stdout.write("\n" + json.dumps(told))
