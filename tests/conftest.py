"""One Spark session for the whole run; every test gets folders of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.broker import embedded_broker
from jobs.runtime.session import spark_session
from jobs.runtime.settings import KafkaSettings, Settings, load_settings


@pytest.fixture(scope="session")
def base_settings() -> Settings:
    return load_settings(overrides=["spark.driver_memory=2g"], environment={})


@pytest.fixture(scope="session")
def spark(base_settings: Settings) -> Iterator[SparkSession]:
    session = spark_session("playhead-tests", base_settings.spark)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def broker(
    base_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaSettings]:
    """An embedded broker of this run; a test takes topic names of its own."""
    with embedded_broker(tmp_path_factory.mktemp("broker"), keep=False) as running:
        yield base_settings.kafka.model_copy(
            update={"bootstrap_servers": running.bootstrap_servers}
        )
