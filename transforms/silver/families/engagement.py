"""silver.engagement: interactions around the player: impressions, clicks, searches, lists."""

from __future__ import annotations

from pyspark.sql import Column

from transforms.silver.family import Family

OWN_COLUMNS = {
    "user_id": "STRING",
    "session_id": "STRING",
    "kind": "STRING",
    "title_id": "STRING",
    "source": "STRING",
    "rank": "BIGINT",
    "value": "BIGINT",
    "region": "STRING",
    "ab_test_groups": "ARRAY<STRING>",
    "correlation_id": "STRING",
}


def _engaged(event: Column) -> dict[str, Column]:
    """Own columns of a UserEngagement."""
    engagement = event.engagement
    return {
        "user_id": event.userId,
        "session_id": event.sessionId,
        "kind": engagement.kind,
        "title_id": engagement.titleId,
        "source": engagement.source,
        "rank": engagement.getField("rank"),
        "value": engagement.value,
        "region": event.metadata.region,
        "ab_test_groups": event.metadata.abTestGroups,
        "correlation_id": event.metadata.correlationId,
    }


FAMILY = Family(OWN_COLUMNS, {"UserEngagement": _engaged})
