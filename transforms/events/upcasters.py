"""Upcasters: pure functions from the body of one major version to the body of the next.

An upcaster takes the body of the last minor version before, and returns the fields of the first
minor version of its own major, the envelope excepted, which is carried over. Steps between minor
versions need no function, as they only add optional fields: those are null. `upcast` composes
the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.contracts.contract import Contract, ContractError, Node
from transforms.contracts.spark_schema import spark_type

Members = Mapping[str, "Column | Members"]
Upcaster = Callable[[Column], Members]

ENVELOPE = ("timestamp", "eventId")
MS_PER_S = 1000


def playback_started_2(old: Column) -> Members:
    """VideoPlaybackStarted 1.x, flat, to 2.0: milliseconds become whole seconds, rounded down."""
    return {
        "userId": old["userId"],
        "sessionId": old["sessionId"],
        "deviceInfo": {name: old[name] for name in ("deviceType", "platform", "appVersion")},
        "contentInfo": {
            **{name: old[name] for name in ("titleId", "episodeId", "contentType", "quality")},
            "duration": _whole_seconds(old["durationMs"]),
        },
        "playbackContext": {
            "source": old["source"],
            "position": _whole_seconds(old["positionMs"]),
            "autoPlay": old["autoPlay"],
        },
        "metadata": {"region": old["region"]},
    }


def carried(*names: str) -> Upcaster:
    """Declare that a major version keeps members as they were, and only demands less of them.

    Args:
        names: members of the body, the envelope excepted.

    Returns:
        The upcaster.
    """
    return lambda old: {name: old[name] for name in names}


PLAYBACK = ("userId", "sessionId", "deviceInfo", "contentInfo", "playbackContext", "metadata")

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("VideoPlaybackStarted", 2): playback_started_2,
    ("VideoPlaybackStarted", 3): carried(*PLAYBACK),
    ("VideoPlaybackPaused", 2): carried(*PLAYBACK),
    ("VideoPlaybackSeeked", 2): carried(*PLAYBACK, "seek"),
    ("VideoPlaybackCompleted", 2): carried(*PLAYBACK, "watchDuration", "completionPercentage"),
    ("UserRatingSubmitted", 2): carried("userId", "contentInfo", "rating", "metadata"),
    ("UserEngagement", 2): carried("userId", "sessionId", "engagement", "metadata"),
    ("ContentRated", 2): carried("userId", "contentId", "data"),
    ("ContentViewed", 2): carried("userId", "contentId", "sessionId", "data"),
    ("ContentMetadataUpdated", 2): carried(
        *("titleId", "name", "contentType", "genres", "duration", "releaseDate", "regions"),
        "maturityRating",
    ),
    ("ContentMetadataRemoved", 2): carried("titleId", "reason"),
}


def upcast(body: Column, versions: Sequence[Contract]) -> Column:
    """Convert a body to the shape of the last of `versions`.

    Args:
        body: struct in the shape of the first of `versions`, or null.
        versions: contracts of one event type, oldest first, without gaps.

    Returns:
        Struct in the newest shape; null where `body` is null.

    Raises:
        ContractError: a major version has no upcaster, or it names a field its contract lacks.
    """
    newest = body
    for old, new in pairwise(versions):
        newest = conform(_step(newest, old, new), new.body)
    return F.when(body.isNotNull(), newest) if len(versions) > 1 else body


def conform(members: Members, node: Node) -> Column:
    """Build the struct of an object node from its members.

    Args:
        members: columns or nested members, by field; a missing one is null.
        node: object node.

    Returns:
        Struct with all fields of the node.

    Raises:
        ContractError: a member is not a field of the node.
    """
    unknown = members.keys() - node.fields.keys()
    if unknown:
        raise ContractError(f"{node.path}: no field {', '.join(sorted(unknown))} to upcast to")
    return F.struct(
        *(_member(members.get(name), child).alias(name) for name, child in node.fields.items())
    )


def _member(value: Column | Members | None, node: Node) -> Column:
    """Cast one member to the Spark type of its node.

    Returns:
        Column of that type; null for None.
    """
    if value is None:
        return F.lit(None).cast(spark_type(node))
    if isinstance(value, Mapping):
        return conform(value, node)
    return value.cast(spark_type(node))


def _step(body: Column, old: Contract, new: Contract) -> Members:
    """Members of a body, converted from one version to the next.

    Raises:
        ContractError: the major version changes and has no upcaster.
    """
    if old.major_minor[0] == new.major_minor[0]:
        return _members(body, old.body)
    try:
        upcaster = UPCASTERS[new.event_type, new.major_minor[0]]
    except KeyError:
        raise ContractError(
            f"{new.name}: no upcaster from {old.name}; add one to transforms/events/upcasters.py"
        ) from None
    envelope = {name: body[name] for name in ENVELOPE if name in old.body.fields}
    return {**envelope, **upcaster(body)}


def _members(struct: Column, node: Node) -> Members:
    """Members of a struct by field, nested objects as members of their own."""
    return {
        name: _members(struct[name], child) if child.kind == "object" else struct[name]
        for name, child in node.fields.items()
    }


def _whole_seconds(milliseconds: Column) -> Column:
    """Convert milliseconds to whole seconds, rounded down."""
    return F.floor(milliseconds / MS_PER_S)
