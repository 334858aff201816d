"""silver.playback: starts, pauses, seeks and completions of playback."""

from __future__ import annotations

from pyspark.sql import Column

from transforms.silver.family import Family

OWN_COLUMNS = {
    "user_id": "STRING",
    "session_id": "STRING",
    "title_id": "STRING",
    "episode_id": "STRING",
    "content_type": "STRING",
    "duration_s": "BIGINT",
    "quality": "STRING",
    "device_type": "STRING",
    "platform": "STRING",
    "app_version": "STRING",
    "capabilities": "ARRAY<STRING>",
    "source": "STRING",
    "position_s": "BIGINT",
    "auto_play": "BOOLEAN",
    "previous_title_id": "STRING",
    "seek_from_s": "BIGINT",
    "watch_s": "BIGINT",
    "completion_percentage": "DOUBLE",
    "region": "STRING",
    "ab_test_groups": "ARRAY<STRING>",
    "correlation_id": "STRING",
}


def _any(event: Column) -> dict[str, Column]:
    """Own columns that every playback event fills, and all that a VideoPlaybackPaused has."""
    device, content, playback = event.deviceInfo, event.contentInfo, event.playbackContext
    return {
        "user_id": event.userId,
        "session_id": event.sessionId,
        "title_id": content.titleId,
        "episode_id": content.episodeId,
        "content_type": content.contentType,
        "duration_s": content.duration,
        "quality": content.quality,
        "device_type": device.deviceType,
        "platform": device.platform,
        "app_version": device.appVersion,
        "capabilities": device.capabilities,
        "source": playback.source,
        "position_s": playback.position,
        "region": event.metadata.region,
        "ab_test_groups": event.metadata.abTestGroups,
        "correlation_id": event.metadata.correlationId,
    }


def _started(event: Column) -> dict[str, Column]:
    """Own columns of a VideoPlaybackStarted."""
    return {
        **_any(event),
        "auto_play": event.playbackContext.autoPlay,
        "previous_title_id": event.playbackContext.previousTitle,
    }


def _seeked(event: Column) -> dict[str, Column]:
    """Own columns of a VideoPlaybackSeeked, with position_s as the target of the seek."""
    seek = event.getField("seek")
    return {
        **_any(event),
        "seek_from_s": seek.getField("from"),
        "position_s": seek.getField("to"),
    }


def _completed(event: Column) -> dict[str, Column]:
    """Own columns of a VideoPlaybackCompleted."""
    return {
        **_any(event),
        "watch_s": event.watchDuration,
        "completion_percentage": event.completionPercentage,
    }


FAMILY = Family(
    OWN_COLUMNS,
    {
        "VideoPlaybackStarted": _started,
        "VideoPlaybackCompleted": _completed,
        "VideoPlaybackPaused": _any,
        "VideoPlaybackSeeked": _seeked,
    },
)
