"""Promote: put a model into service by its alias, or go back to the one before."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import DataError, PlayheadError, SettingsError
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.kafka.publisher import CommandOutcomeUnknown, Publisher
from jobs.runtime.outbox import contract_of, record_of
from jobs.runtime.recommendations.model_registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    ModelRegistry,
)
from jobs.runtime.settings import Settings
from transforms.instants import rfc3339

log = logging.getLogger(__name__)


LEARNT_FROM = ("silver.catalog", "silver.playback", "silver.ratings", "gold.user_title")


EVENT = "RecommendationModelPublished"


NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:playhead:model")


def refuse(registry: ModelRegistry, version: str) -> None:
    """Refuse a version that the gate failed, or judged against another champion than today's.

    Raises:
        DataError: the version must not take the champion's place; it says why.
        SettingsError: there is no such version.
    """
    tags, champion = registry.tags(version), registry.version_of(CHAMPION)
    if version == champion:
        return
    if tags.get("passed") != "True":
        raise DataError(
            f"{registry.name} version {version} is refused: {tags.get('refusals')}",
            "change recommend.* and train again with python -m jobs.train",
        )
    against = tags.get("champion", "")
    if against != (champion or ""):
        raise DataError(
            f"version {version} was judged against champion {against or '(none)'}, "
            f"today's is {champion or '(none)'}",
            "judge it anew: python -m jobs.train",
        )


def promote(settings: Settings, registry: ModelRegistry, version: str) -> None:
    """Point the aliases and publish; if nothing could be published, nothing has moved.

    Raises:
        ServiceError: Kafka was away; the old champion is still the champion.
        CommandOutcomeUnknown: the champion is new; repeat the promotion, which is safe.
    """
    before = {alias: registry.version_of(alias) for alias in (CHAMPION, PREVIOUS)}
    if version != before[CHAMPION]:
        registry.tag(version, {"promoted_at": rfc3339(datetime.now(UTC))})
        registry.point({CHAMPION: version, PREVIOUS: before[CHAMPION]})
    try:
        publish(settings, promotion_event(registry.name, version, registry.tags(version)))
    except CommandOutcomeUnknown:
        raise
    except PlayheadError:
        registry.point(before)
        raise


def promotion_event(name: str, version: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The event of a promotion, RecommendationModelPublished 1.0.

    Args:
        name: registered name of the model.
        version: version promoted.
        tags: tags of the version, promoted_at and trained_at among them.

    Returns:
        The event; the same promotion has the same eventId.
    """
    measured = {
        key.removeprefix("metric."): float(value)
        for key, value in tags.items()
        if key.startswith("metric.")
    }
    return {
        "eventType": EVENT,
        "version": "1.0",
        "timestamp": tags["promoted_at"],
        "eventId": str(uuid.uuid5(NAMESPACE, f"{name}/{version}/{tags['promoted_at']}")),
        "modelName": name,
        "modelVersion": version,
        "alias": CHAMPION,
        "trainedAt": tags["trained_at"],
        "metrics": measured,
    }


def publish(settings: Settings, event: Mapping[str, Any]) -> None:
    """Send the event, held to its contract.

    Raises:
        DataError: it breaks its contract.
        ServiceError: Kafka was away.
        CommandOutcomeUnknown: it may have been sent; repeat the promotion, which is safe.
    """
    contract = contract_of(load_registry(), event)
    record = record_of(contract, event, "choose another recommend.model name")
    with kafka_of(settings) as kafka:
        publisher = Publisher(kafka, settings.commands)
        try:
            publisher.publish(event["eventId"], record.topics, record.key, record.value)
        finally:
            publisher.close()


def challenger_of(registry: ModelRegistry) -> str:
    """The version of the challenger.

    Raises:
        SettingsError: nothing has been trained yet.
    """
    version = registry.version_of(CHALLENGER)
    if version is None:
        raise SettingsError(f"{registry.name} has no version yet", "python -m jobs.train")
    return version


def previous_champion(registry: ModelRegistry) -> str:
    """The version of the champion before this one, whose files are sound.

    Raises:
        SettingsError: there was none.
        DataError: its files are gone or damaged.
    """
    version = registry.version_of(PREVIOUS)
    if version is None:
        raise SettingsError(
            f"{registry.name} had no champion before this one", "name the version to promote"
        )
    registry.load(version)  # what is gone or damaged must not be put into service
    return version
