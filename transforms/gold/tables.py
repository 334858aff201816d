"""The gold tables as declarations of docs/semantics.md, from which all else is derived."""

from __future__ import annotations

from transforms.gold.fold import Fold, count, distinct, greatest, latest, least, total

PLAY = "event_type = 'VideoPlaybackStarted'"
COMPLETION = "event_type = 'VideoPlaybackCompleted'"
PLAYBACK = "event_type LIKE 'VideoPlayback%'"
RATING = "half_stars IS NOT NULL"
RECOMMENDED = "source = 'recommendation'"
CLICK = "event_type = 'UserEngagement'"  # clicks are the only engagement among facts
RANKED_CLICK = f"{CLICK} AND {RECOMMENDED} AND rank IS NOT NULL"

DEVICE_TYPES = ("smart_tv", "mobile", "tablet", "desktop", "console", "streaming_stick")
SOURCES = (
    "recommendation",
    "search",
    "browse",
    "continue_watching",
    "notification",
    "external",
)

VIEWING = {"plays": count(PLAY), "completions": count(COMPLETION), "watch_s": total("watch_s")}
LAST_PLAY = {"title_id": "STRING", "device_type": "STRING", "content_type": "STRING"}

USER_DAY = Fold(
    name="user_day",
    key={"user_id": "STRING", "date": "DATE"},
    where=f"{PLAY} OR {COMPLETION} OR {RATING}",
    statistics={
        **VIEWING,
        "ratings": count(RATING),
        **{f"plays_on_{d}": count(f"{PLAY} AND device_type = '{d}'") for d in DEVICE_TYPES},
        **{f"plays_from_{s}": count(f"{PLAY} AND source = '{s}'") for s in SOURCES},
    },
)
USER_FEATURES = Fold(
    name="user_features",
    key={"user_id": "STRING"},
    where=f"{PLAY} OR {COMPLETION}",
    statistics={**VIEWING, "last_play": latest(LAST_PLAY, where=PLAY)},
)
USER_TITLE = Fold(
    name="user_title",
    key={"user_id": "STRING", "title_id": "STRING"},
    where=f"{PLAYBACK} OR {RATING}",
    statistics={
        **VIEWING,
        "furthest_position_s": greatest("position_s", "BIGINT"),
        "last_rating": latest({"half_stars": "BIGINT"}, where=RATING),
        "first_time": least("event_time", "TIMESTAMP"),
        "last_time": greatest("event_time", "TIMESTAMP"),
    },
)
TITLE_DAY = Fold(
    name="title_day",
    key={"title_id": "STRING", "date": "DATE"},
    where=f"{PLAY} OR {COMPLETION}",
    statistics={**VIEWING, "viewers": distinct("user_id", where=PLAY)},
)
BUSINESS_DAY = Fold(
    name="business_day",
    key={"date": "DATE", "region": "STRING"},
    where=f"{PLAY} OR {COMPLETION} OR {RANKED_CLICK}",
    statistics={
        **VIEWING,
        "recommended_plays": count(f"{PLAY} AND {RECOMMENDED}"),
        "recommended_completions": count(f"{COMPLETION} AND {RECOMMENDED}"),
        "recommended_watch_s": total("watch_s", where=RECOMMENDED),
        "recommended_clicks": count(RANKED_CLICK),
        "recommended_click_ranks": total("rank", where=RANKED_CLICK),
        "recommended_titles": distinct("title_id", where=f"{PLAY} AND {RECOMMENDED}"),
        "viewers": distinct("user_id", where=PLAY),
    },
)

FOLDS = {fold.name: fold for fold in (USER_DAY, USER_FEATURES, USER_TITLE, TITLE_DAY, BUSINESS_DAY)}
