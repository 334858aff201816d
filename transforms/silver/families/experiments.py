"""silver.experiments: assignments of users to variants, and published decisions."""

from __future__ import annotations

from pyspark.sql import Column

from transforms.silver.family import Family

OWN_COLUMNS = {
    "user_id": "STRING",
    "experiment_id": "STRING",
    "variant": "STRING",
    "context": "MAP<STRING, STRING>",
    "decision": "STRING",
    "reasons": "ARRAY<STRING>",
    "definition_hash": "STRING",
}


def _assigned(event: Column) -> dict[str, Column]:
    """Own columns of an ExperimentAssignment."""
    return {
        "user_id": event.userId,
        "experiment_id": event.experimentId,
        "variant": event.variant,
        "context": event.context,
    }


def _result(event: Column) -> dict[str, Column]:
    """Own columns of an ExperimentResultPublished."""
    return {
        "experiment_id": event.experimentId,
        "decision": event.decision,
        "reasons": event.reasons,
        "definition_hash": event.definitionHash,
    }


FAMILY = Family(
    OWN_COLUMNS, {"ExperimentAssignment": _assigned, "ExperimentResultPublished": _result}
)
