"""Promote: put a model into service by its alias, or go back to the one before."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from jobs.contracts import load_registry
from jobs.runtime.broker import kafka_of
from jobs.runtime.cli import job
from jobs.runtime.errors import DataError, PlayheadError, SettingsError
from jobs.runtime.lake import Lake
from jobs.runtime.publisher import CommandOutcomeUnknown, Publisher
from jobs.runtime.quality import refuse_failing
from jobs.runtime.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry
from jobs.runtime.session import spark_session
from jobs.runtime.settings import Settings
from transforms.contracts.encoding import encode
from transforms.contracts.validation import violations

log = logging.getLogger(__name__)

LEARNT_FROM = ("silver.catalog", "silver.playback", "silver.ratings", "gold.user_title")
EVENT = "RecommendationModelPublished"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:playhead:model")


@job
@click.argument("version", required=False)
@click.option("--back", is_flag=True, help="Go back to the champion before this one.")
@click.option(
    "--if-better", is_flag=True, help="If the gate refuses VERSION, say so, and do not fail."
)
@click.option("--list", "show", is_flag=True, help="Show the versions that aliases point at.")
def main(settings: Settings, version: str | None, back: bool, if_better: bool, show: bool) -> None:
    """Promote VERSION (default: the challenger) to champion and publish it to Kafka.

    Refused if its training found it worse than the champion or not better than popularity, or
    judged it against another champion than today's, or if a blocker of quality failed on the tables
    that it learnt from. Repeated, it changes nothing.
    """
    registry = Registry(settings.recommend.model, settings.recommend.mlflow_uri, settings.lake.root)
    if show:
        for alias in (CHALLENGER, CHAMPION, PREVIOUS):
            click.echo(f"{alias:<12} {registry.version_of(alias) or '-'}")
        return
    chosen = _before(registry) if back else version or _challenger(registry)
    if not back:
        try:
            refuse(registry, chosen)
        except DataError as refusal:
            if not if_better:
                raise
            log.warning("%s; version %s stays", refusal, registry.version_of(CHAMPION) or "(none)")
            return
        spark = spark_session("promote", settings.spark)
        lake = Lake(spark, settings.lake.root, settings.lake.generation)
        refuse_failing(lake, LEARNT_FROM, settings.quality, f"the promotion of version {chosen}")
    promote(settings, registry, chosen)
    log.info("%s version %s is the %s", registry.name, chosen, CHAMPION)


def refuse(registry: Registry, version: str) -> None:
    """The promotion gate.

    Raises:
        DataError: the version must not take the champion's place.
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


def promote(settings: Settings, registry: Registry, version: str) -> None:
    """Point the aliases and publish; if nothing could be published, nothing has moved.

    Raises:
        ServiceError: Kafka was away; the old champion is still the champion.
        CommandOutcomeUnknown: the champion is new; repeat the promotion, which is safe.
    """
    before = {alias: registry.version_of(alias) for alias in (CHAMPION, PREVIOUS)}
    if version != before[CHAMPION]:
        registry.tag(version, {"promoted_at": _instant(datetime.now(UTC))})
        registry.point({CHAMPION: version, PREVIOUS: before[CHAMPION]})
    try:
        publish(settings, published(registry.name, version, registry.tags(version)))
    except CommandOutcomeUnknown:
        raise
    except PlayheadError:
        registry.point(before)
        raise


def published(name: str, version: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """RecommendationModelPublished 1.0 of a promotion; the same promotion has the same eventId."""
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
    """Send the event, held to its contract."""
    contract = load_registry().newest(EVENT)
    for violation in violations(contract, event, declared_only=True):
        raise DataError(
            f"{EVENT} breaks its contract: {violation.path}: {violation.message}",
            "choose another recommend.model name",
        )
    with kafka_of(settings) as kafka:
        publisher = Publisher(kafka, settings.commands)
        try:
            key = str(event[contract.key]).encode()
            publisher.publish(event["eventId"], contract.topics, key, encode(contract, event))
        finally:
            publisher.close()


def _challenger(registry: Registry) -> str:
    found = registry.version_of(CHALLENGER)
    if found is None:
        raise SettingsError(f"{registry.name} has no version yet", "python -m jobs.train")
    return found


def _before(registry: Registry) -> str:
    found = registry.version_of(PREVIOUS)
    if found is None:
        raise SettingsError(
            f"{registry.name} had no champion before this one", "name the version to promote"
        )
    registry.load(found)  # what is gone or damaged must not be put into service
    return found


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    main()
