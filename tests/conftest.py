"""One Spark session for the whole run; every test gets folders of its own.

Wherever it is, the run is in New York, whose autumn tells an hour twice; and playhead may not
exchange the time of a zone with Spark.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.lake.lake import Lake
from jobs.runtime.settings import KafkaSettings, Settings, load_settings
from jobs.runtime.spark.session import spark_session
from tests.support.brokers import broker_in
from tests.support.lakes import MakeLake
from tests.support.local_time import NEW_YORK, refuse_local_time

os.environ["TZ"] = NEW_YORK  # of the processes that tests start, too
time.tzset()
refuse_local_time()
numbers = count()
main = sys.modules["__main__"]
if not hasattr(main, "__file__"):  # a worker of pytest-xdist: pyspark would take it for doctests
    main.__file__ = pytest.__file__


@pytest.fixture(scope="session")
def base_settings() -> Settings:
    return load_settings(overrides=["spark.driver_memory=3g"], environment={})


@pytest.fixture(scope="session")
def spark(base_settings: Settings) -> Iterator[SparkSession]:
    session = spark_session("playhead-tests", base_settings.spark)
    yield session
    session.stop()


@pytest.fixture(scope="module", autouse=True)
def forgotten_tables() -> Iterator[None]:
    """Delta remembers a table's log for an hour: those of a module's lakes end with it."""
    yield
    session = SparkSession.getActiveSession()
    if session is not None and session._jvm is not None:
        session._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


@pytest.fixture(scope="session")
def broker(
    base_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaSettings]:
    """An embedded broker of this run; a test takes topic names of its own."""
    with broker_in(tmp_path_factory.mktemp("broker"), base_settings.kafka) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def empty_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every table and no rows, to be copied: creating tables costs seconds."""
    root = tmp_path_factory.mktemp("lake") / "empty"
    Lake(spark, str(root)).ensure()
    return root


@pytest.fixture
def lakes(spark: SparkSession, empty_lake: Path, tmp_path: Path) -> MakeLake:
    """Makes lakes of their own, empty."""

    def made(kind: type[Lake]) -> Lake:
        root = tmp_path / f"lake-{next(numbers)}"
        shutil.copytree(empty_lake, root)
        return kind(spark, str(root))

    return made
