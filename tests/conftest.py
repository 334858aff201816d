"""One Spark session for the whole run; every test gets folders of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.session import spark_session
from jobs.runtime.settings import Settings, load_settings


@pytest.fixture(scope="session")
def base_settings() -> Settings:
    return load_settings(overrides=["spark.driver_memory=2g"], environment={})


@pytest.fixture(scope="session")
def spark(base_settings: Settings) -> Iterator[SparkSession]:
    session = spark_session("playhead-tests", base_settings.spark)
    yield session
    session.stop()
