"""silver.profiles: the event store of user profiles, beside the ratings in silver.ratings."""

from __future__ import annotations

from pyspark.sql import Column

from transforms.silver.family import Family

ERASURE = "UserErased"
PREFERENCES = {
    "language": "STRING",
    "subtitles": "STRING",
    "maturityRating": "STRING",
    "autoplay": "BOOLEAN",
    "favouriteGenres": "ARRAY<STRING>",
    "dataSaver": "BOOLEAN",
}
PREFERENCES_STRUCT = f"STRUCT<{', '.join(f'{name}: {ddl}' for name, ddl in PREFERENCES.items())}>"
OWN_COLUMNS = {
    "user_id": "STRING",
    "session_id": "STRING",
    "title_id": "STRING",
    "watch_s": "BIGINT",
    "completion_percentage": "DOUBLE",
    "quality": "STRING",
    "device": "STRING",
    "skips": "ARRAY<STRUCT<`from`: BIGINT, to: BIGINT>>",
    "pauses_s": "ARRAY<BIGINT>",
    "preferences": PREFERENCES_STRUCT,
}


def _viewed(event: Column) -> dict[str, Column]:
    """Own columns of a ContentViewed."""
    data = event.data
    return {
        "user_id": event.userId,
        "session_id": event.sessionId,
        "title_id": event.contentId,
        "watch_s": data.watchDuration,
        "completion_percentage": data.completionPercentage,
        "quality": data.quality,
        "device": data.device,
        "skips": data.skipEvents,
        "pauses_s": data.pauseEvents,
    }


def _preferred(event: Column) -> dict[str, Column]:
    """Own columns of a UserPreferencesUpdated."""
    return {"user_id": event.userId, "preferences": event.data.preferences}


def _erased(event: Column) -> dict[str, Column]:
    """Own columns of a UserErased."""
    return {"user_id": event.userId}


FAMILY = Family(
    OWN_COLUMNS,
    {
        "ContentViewed": _viewed,
        "UserPreferencesUpdated": _preferred,
        ERASURE: _erased,
    },
)
