"""The JSON of every event type: scenes as Kafka records.

The JSON is written as text: building and encoding dictionaries is three times slower, too slow to
keep up with the pipeline. The function of an event type (TELLERS) returns the event's key and the
members of its JSON object without the envelope and the braces.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from jobs.producers.population import EXPERIMENTS, GENRES, REGIONS, Scene, pick, title_of, user_of
from jobs.producers.records import ROUTES, Body, Record, to_json
from jobs.producers.viewing import PLAYERS

Told = tuple[str, str]

VERSIONS = dict.fromkeys(ROUTES, "1.0") | {"VideoPlaybackStarted": "2.1"}
SOURCES = (
    *(("recommendation",) * 8),
    *("browse", "search", "continue_watching", "notification", "external"),
)
ENGAGEMENTS = ("impression", "impression", "impression", "click", "search", "add_to_list", "share")
LANGUAGES = ("en", "de", "es", "fr", "ja", "pt")
SERVICES = ("playback-api", "catalogue-api", "recommendation-api", "profile-api")


def record_of_scene(scene: Scene, at: str, event_id: str) -> Record:
    """The record of a scene.

    Args:
        scene: the scene.
        at: event time, RFC 3339, UTC.
        event_id: the event's eventId.
    """
    key, body = TELLERS[scene.event_type](scene)
    value = (
        f'{{"eventType":"{scene.event_type}","version":"{VERSIONS[scene.event_type]}",'
        f'"timestamp":"{at}","eventId":"{event_id}",{body}}}'
    )
    return Record(ROUTES[scene.event_type].topic, key.encode(), value.encode())


@lru_cache(maxsize=65_536)
def _user_json(number: int, seed: int) -> tuple[str, str]:
    """The deviceInfo object of a user, and the metadata members but for the correlationId."""
    user = user_of(number, seed)
    groups = [f"{name}.{variant}" for name, variant in zip(EXPERIMENTS, user.variants, strict=True)]
    device_info = to_json(PLAYERS[user.device].info(user.device))
    return device_info, f'"region":"{user.region}","abTestGroups":{to_json(groups)}'


def _started(scene: Scene) -> Told:
    """Key and members of VideoPlaybackStarted 2.1."""
    previous = f',"previousTitle":"title_{scene.title + 1}"' if scene.chance < 0.5 else ""
    auto_play = "true" if scene.chance < 0.3 else "false"
    return _playback(scene, 0, f',"autoPlay":{auto_play}{previous}')


def _paused(scene: Scene) -> Told:
    """Key and members of VideoPlaybackPaused."""
    return _playback(scene, _position(scene))


def _seeked(scene: Scene) -> Told:
    """Key and members of VideoPlaybackSeeked."""
    to = int(title_of(scene.title, scene.seed).duration * scene.chance)
    at = _position(scene)
    return _playback(scene, at, more=f',"seek":{{"from":{at},"to":{to}}}')


def _completed(scene: Scene) -> Told:
    """Key and members of VideoPlaybackCompleted."""
    at = _position(scene)
    percentage = f'"completionPercentage":{100 * scene.progress:.1f}'
    return _playback(scene, at, more=f',"watchDuration":{at},{percentage}')


def _playback(scene: Scene, position: int, context: str = "", more: str = "") -> Told:
    """Key and members of a playback event.

    Args:
        scene: the scene.
        position: position in the title, in seconds.
        context: further members of playbackContext, with a leading comma.
        more: further members of the event, with a leading comma.
    """
    title = title_of(scene.title, scene.seed)
    device_info, metadata = _user_json(scene.user, scene.seed)
    episode = int(24 * scene.whim)
    return f"user_{scene.user}", (
        f'"userId":"user_{scene.user}","sessionId":"session_{scene.story}",'
        f'"deviceInfo":{device_info},'
        f'"contentInfo":{{"titleId":"title_{scene.title}","episodeId":"episode_{episode}",'
        f'"contentType":"{title.content_type}","duration":{title.duration},"quality":"4k_hdr"}},'
        f'"playbackContext":{{"source":"{pick(SOURCES, scene.whim)}",'
        f'"position":{position}{context}}},'
        f'"metadata":{{{metadata},"correlationId":"corr_{scene.number}"}}{more}'
    )


def _position(scene: Scene) -> int:
    """The scene's position in its title, in seconds."""
    return int(title_of(scene.title, scene.seed).duration * scene.progress)


def _rated(scene: Scene) -> Told:
    """Key and members of UserRatingSubmitted."""
    user = user_of(scene.user, scene.seed)
    return f"user_{scene.user}", (
        f'"userId":"user_{scene.user}","contentInfo":{{"titleId":"title_{scene.title}"}},'
        f'"rating":{_stars(scene.chance)},"metadata":{{"region":"{user.region}"}}'
    )


def _stars(chance: float) -> float:
    """A rating of 0.5 to 5 stars in steps of a half, by a chance in [0, 1)."""
    return 0.5 + int(10 * chance) / 2


def _engaged(scene: Scene) -> Told:
    """Key and members of UserEngagement."""
    _, metadata = _user_json(scene.user, scene.seed)
    return f"user_{scene.user}", (
        f'"userId":"user_{scene.user}","sessionId":"session_{scene.story}",'
        f'"engagement":{{"kind":"{pick(ENGAGEMENTS, scene.chance)}",'
        f'"titleId":"title_{scene.title}","source":"{pick(SOURCES, scene.whim)}",'
        f'"rank":{1 + int(20 * scene.chance)}}},"metadata":{{{metadata}}}'
    )


def _assigned(scene: Scene) -> Told:
    """Key and members of ExperimentAssignment."""
    which = int(scene.chance * len(EXPERIMENTS))
    user = user_of(scene.user, scene.seed)
    return f"user_{scene.user}", (
        f'"userId":"user_{scene.user}","experimentId":"{EXPERIMENTS[which]}",'
        f'"variant":"{user.variants[which]}",'
        f'"context":{{"device_type":"{user.device}","region":"{user.region}"}}'
    )


def _decided(scene: Scene) -> Told:
    """Key and members of ExperimentResultPublished."""
    experiment = pick(EXPERIMENTS, scene.chance)
    return experiment, (
        f'"experimentId":"{experiment}","decision":"keep_running",'
        f'"reasons":["too few users yet"],"definitionHash":"sha256:{scene.seed:064x}"'
    )


def _catalogued(scene: Scene) -> Told:
    """Key and members of ContentMetadataUpdated."""
    title = title_of(scene.title, scene.seed)
    return f"title_{scene.title}", (
        f'"titleId":"title_{scene.title}","name":"Title No. {scene.title}",'
        f'"contentType":"{title.content_type}","genres":{to_json(title.genres)},'
        f'"duration":{title.duration},"releaseDate":"{title.year}-01-01"'
    )


def _removed(scene: Scene) -> Told:
    """Key and members of ContentMetadataRemoved."""
    title = f"title_{scene.title}"
    return title, f'"titleId":"{title}","reason":"licence ended"'


def _viewed(scene: Scene) -> Told:
    """Key and members of ContentViewed."""
    watched = _position(scene)
    device = user_of(scene.user, scene.seed).device
    return f"user_{scene.user}", (
        f'"userId":"user_{scene.user}","contentId":"title_{scene.title}",'
        f'"sessionId":"session_{scene.story}","data":{{"watchDuration":{watched},'
        f'"completionPercentage":{100 * scene.progress:.1f},"quality":"hd","device":"{device}",'
        f'"skipEvents":[{{"from":{watched // 2},"to":{watched}}}],"pauseEvents":[{watched // 3}]}}'
    )


def _rated_content(scene: Scene) -> Told:
    """Key and members of ContentRated."""
    previous = f',"previousRating":{_stars(scene.whim)}' if scene.whim < 0.3 else ""
    return f"user_{scene.user}", (
        f'"userId":"user_{scene.user}","contentId":"title_{scene.title}",'
        f'"data":{{"rating":{_stars(scene.chance)}{previous}}}'
    )


def _preferred(scene: Scene) -> Told:
    """Key and members of UserPreferencesUpdated."""
    preferences: Body = {"language": pick(LANGUAGES, scene.chance)}
    if scene.whim < 0.5:
        preferences["autoplay"] = scene.chance < 0.5
    if scene.whim > 0.3:
        preferences["favouriteGenres"] = [pick(GENRES, scene.chance)]
    return f"user_{scene.user}", (
        f'"userId":"user_{scene.user}","data":{{"preferences":{to_json(preferences)}}}'
    )


def _published(scene: Scene) -> Told:
    """Key and members of RecommendationModelPublished."""
    return "recommender", (
        f'"modelName":"recommender","modelVersion":"{1 + scene.number}","alias":"champion",'
        f'"trainedAt":"2024-01-15T10:30:00Z","metrics":{{"recall_at_10":{round(scene.chance, 4)}}}'
    )


def _reported(scene: Scene) -> Told:
    """Key and members of ServiceHealthReported."""
    service = pick(SERVICES, scene.whim)
    return service, (
        f'"service":"{service}","status":"{"up" if scene.chance < 0.99 else "degraded"}",'
        f'"latencyP99Ms":{int(500 * scene.chance)},"errorRate":{round(scene.chance / 100, 4)},'
        f'"region":"{pick(REGIONS, scene.chance)}"'
    )


TELLERS: dict[str, Callable[[Scene], Told]] = {
    "VideoPlaybackStarted": _started,
    "VideoPlaybackPaused": _paused,
    "VideoPlaybackSeeked": _seeked,
    "VideoPlaybackCompleted": _completed,
    "UserRatingSubmitted": _rated,
    "UserEngagement": _engaged,
    "ContentViewed": _viewed,
    "ContentRated": _rated_content,
    "UserPreferencesUpdated": _preferred,
    "ContentMetadataUpdated": _catalogued,
    "ContentMetadataRemoved": _removed,
    "RecommendationModelPublished": _published,
    "ExperimentAssignment": _assigned,
    "ExperimentResultPublished": _decided,
    "ServiceHealthReported": _reported,
}
