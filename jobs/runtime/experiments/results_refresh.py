"""Refresh of results: computed, stored and published."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.errors import SettingsError
from jobs.runtime.experiments.results import (
    compute_results,
    newest_pins,
    refuse_stale,
    store_results,
    stored_results,
)
from jobs.runtime.kafka.clients import producer
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_RESULTS
from jobs.runtime.outbox import Record, contract_of, record_of
from jobs.runtime.settings import KafkaSettings
from transforms.contracts.registry import Registry
from transforms.experiments.definitions import Catalogue
from transforms.experiments.validation import DefinitionError
from transforms.instants import rfc3339

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:playhead:experiment-result")


RESULT = "ExperimentResultPublished"


Rows = Sequence[Mapping[str, Any]]


def refresh_results(
    lake: Lake,
    definitions: Catalogue,
    at: datetime,
    only: Sequence[str] = (),
    kafka: KafkaSettings | None = None,
    *,
    once: bool = False,
) -> list[dict[str, Any]]:
    """Compute and store the results of experiments that have started, and publish their decisions.

    Args:
        lake: the generation to read and write.
        definitions: definitions of the experiments.
        at: instant that the results are as of.
        only: ids of the experiments wanted; empty: all that have started.
        kafka: connection to the cluster that decisions are published to; None: none are published.
        once: whether to keep stored results of the same instant instead of replacing them.

    Returns:
        Rows of gold.experiment_results.

    Raises:
        SettingsError: an experiment has no definition, or none has started.
        DataError: gold.experiment_user is by an earlier definition.
        ServiceError: Kafka cannot be reached, or did not take an event.
    """
    for name in only:
        _require(name, definitions)
    wanted = {
        name: definitions.definition(name)
        for name, experiment in definitions.experiments.items()
        if experiment.start <= at and (not only or name in only)
    }
    if not wanted:
        raise SettingsError("no experiment has started", "see their starts in conf/experiments")
    lake.ensure([EXPERIMENT_RESULTS, "silver.models", "silver.catalog"])
    there = [row for name in wanted for row in stored_results(lake, name, at)] if once else []
    missing = {name: wanted[name] for name in wanted.keys() - {r["experiment_id"] for r in there}}
    rows = [*there, *(_compute_and_store(lake, definitions, missing, at) if missing else ())]
    if kafka is not None:
        publish_results(kafka, rows)
    return rows


def _compute_and_store(
    lake: Lake, definitions: Catalogue, wanted: Mapping[str, str], at: datetime
) -> list[dict[str, Any]]:
    """Compute the results of experiments from the newest versions and store them.

    Args:
        lake: the generation to read and write.
        definitions: definitions of all experiments.
        wanted: definitions in the JSON of Catalogue.definition, by id of the experiment.
        at: instant that the results are as of.

    Returns:
        Rows of gold.experiment_results.
    """
    pins = newest_pins(lake)
    refuse_stale(lake, definitions, pins)
    rows = compute_results(lake, wanted, pins, at)
    for row in rows:
        row["built_from"] |= {
            "definition_hash": definitions.definition_hash(row["experiment_id"]),
            "command": f"python -m jobs.experiments reproduce {row['experiment_id']} {rfc3339(at)}",
        }
    store_results(lake, rows)
    return rows


def publish_results(kafka: KafkaSettings, rows: Rows) -> None:
    """Publish the decision of each experiment, under an eventId made of experiment and instant.

    Args:
        kafka: connection to the cluster that the events are sent to.
        rows: rows of gold.experiment_results.

    Raises:
        BrokenContractError: an event would break its contract; none is published.
        ServiceError: Kafka cannot be reached, or did not take an event.
    """
    registry = load_registry()
    decided = {row["experiment_id"]: row for row in rows}.values()
    records = [_record(registry, row) for row in decided]
    with producer(kafka) as sender:
        for record in records:
            [topic] = record.topics  # no transaction
            sender.send(topic, record.value, key=record.key)


def _record(registry: Registry, row: Mapping[str, Any]) -> Record:
    """The validated Kafka record of an experiment's decision.

    Raises:
        BrokenContractError: the event breaks its contract.
    """
    name, at = row["experiment_id"], rfc3339(row["computed_at"])
    event = {
        "eventType": RESULT,
        "version": "1.0",
        "timestamp": at,
        "eventId": str(uuid.uuid5(NAMESPACE, f"{name}/{at}")),
        "experimentId": name,
        "decision": row["decision"]["verdict"],
        "reasons": row["decision"]["reasons"],
        "definitionHash": row["built_from"]["definition_hash"],
    }
    return record_of(contract_of(registry, event), event)


def _require(experiment: str, definitions: Catalogue) -> None:
    """Stop if an experiment has no definition.

    Raises:
        SettingsError: it has none.
    """
    try:
        definitions.experiment(experiment)
    except DefinitionError as error:
        raise SettingsError(str(error), "see conf/experiments") from None
