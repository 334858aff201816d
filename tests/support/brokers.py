"""Embedded brokers of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.runtime.kafka.embedded_broker import embedded_broker
from jobs.runtime.settings import KafkaSettings


@contextmanager
def broker_in(folder: Path, settings: KafkaSettings) -> Iterator[KafkaSettings]:
    """A broker in a folder, and the settings that lead to it."""
    with embedded_broker(folder, keep=False) as running:
        yield settings.model_copy(update={"bootstrap_servers": running.bootstrap_servers})
