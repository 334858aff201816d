"""Sending records with kafka-python: at a given rate, or as fast as one process can."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jobs.producers.records import ROUTES, Record
from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import admin, producer
from jobs.runtime.settings import KafkaSettings

log = logging.getLogger(__name__)

REPORT_EVERY_S = 5.0


def require_topics(kafka: KafkaSettings) -> None:
    """Stop if a topic that events are sent to does not exist.

    Raises:
        ServiceError: a topic is missing, or Kafka cannot be reached.
    """
    with admin(kafka) as client:
        missing = {route.topic for route in ROUTES.values()} - set(client.list_topics())
    if missing:
        raise ServiceError(
            f"Kafka at {kafka.bootstrap_servers} lacks the topics {', '.join(sorted(missing))}",
            "create them with python -m jobs.topics",
        )


def publish(
    records: Iterable[Record],
    total: int | None,
    kafka: KafkaSettings,
    rate_per_s: float | None = None,
) -> None:
    """Send records in their order, logging progress; return when Kafka has acknowledged all.

    Args:
        records: records to send.
        total: number of records, for the progress logged; None: unknown.
        kafka: connection to the cluster that the records are sent to.
        rate_per_s: records a second; None: as fast as possible. A sender that fell behind catches
            up, so the rate holds over the whole run.

    Raises:
        ServiceError: Kafka did not take a record.
    """
    progress, sent = Progress(total), 0
    with producer(kafka) as client:
        for record in records:
            if rate_per_s is not None:
                progress.wait_for(sent / rate_per_s)
            client.send(record.topic, record.value, key=record.key)
            sent += 1
            progress.show(sent)
    progress.finish(sent)


class Progress:
    """Logs the progress of sending, every REPORT_EVERY_S seconds.

    Args:
        total: number of records to send; None: unknown.
    """

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.began = self.shown = time.monotonic()

    def wait_for(self, due_s: float) -> None:
        """Sleep until `due_s` seconds after the beginning, unless that has passed."""
        ahead = self.began + due_s - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)

    def show(self, sent: int) -> None:
        """Log the number of records sent, unless the last log is too recent."""
        now = time.monotonic()
        if now - self.shown >= REPORT_EVERY_S:
            self.shown = now
            of = "" if self.total is None else f" of {self.total:,}"
            log.info("sent %s%s events", f"{sent:,}", of)

    def finish(self, sent: int) -> None:
        """Log the number of records sent in all, and the rate."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        log.info("sent %s events in %.1f s (%s/s)", f"{sent:,}", seconds, f"{sent / seconds:,.0f}")


def write_truth(file: Path | None, truth: Mapping[str, Any]) -> None:
    """Write the ground truth of what will be sent, as JSON.

    Args:
        file: path of the file; None: nothing is written.
        truth: the JSON object.

    Raises:
        ServiceError: the file cannot be written.
    """
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ServiceError(
            f"--truth {file}: {error.strerror}", "name a file in a folder that can be written"
        ) from None
