"""silver.health: reports of services on themselves."""

from __future__ import annotations

from pyspark.sql import Column

from transforms.silver.family import Family

OWN_COLUMNS = {
    "service": "STRING",
    "status": "STRING",
    "latency_p99_ms": "BIGINT",
    "error_rate": "DOUBLE",
    "region": "STRING",
}


def _reported(event: Column) -> dict[str, Column]:
    """Own columns of a ServiceHealthReported."""
    return {
        "service": event.service,
        "status": event.status,
        "latency_p99_ms": event.latencyP99Ms,
        "error_rate": event.errorRate,
        "region": event.region,
    }


FAMILY = Family(OWN_COLUMNS, {"ServiceHealthReported": _reported})
