"""Tables by the names of Spark's catalogue: a switch of generations moves what they mean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.errors import DataError
from jobs.runtime.lake.catalog_names import give_names
from jobs.runtime.lake.lake import Lake
from tests.support.lakes import MakeLake

CATALOG = "spark_catalog"


@pytest.fixture
def catalogue(spark: SparkSession) -> Iterator[None]:
    yield
    for schema in ("bronze", "silver", "gold", "ops"):
        spark.sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def location(spark: SparkSession, name: str) -> str:
    found: str = spark.sql(f"DESCRIBE DETAIL {name}").collect()[0].location
    return found.removeprefix("file:")


@pytest.mark.usefixtures("catalogue")
def test_names_mean_the_generation_that_they_were_given_for(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    spark, second = lake.spark, lake.of_generation(2)
    second.ensure(["gold.user_day"])
    give_names(lake, CATALOG)
    give_names(lake, CATALOG)
    assert spark.table("gold.user_day").count() == 0
    assert location(spark, "gold.user_day") == lake.path("gold.user_day")
    give_names(second, CATALOG)
    assert location(spark, "gold.user_day") == second.path("gold.user_day")
    assert location(spark, "bronze.events") == lake.path("bronze.events")
    assert lake.has("gold.user_day"), "the files of the first generation are gone"


@pytest.mark.usefixtures("catalogue")
def test_a_name_that_belongs_to_another_table_is_refused(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    lake.spark.sql("CREATE SCHEMA ops")
    lake.spark.sql("CREATE TABLE ops.ledger (theirs INT) USING DELTA")
    with pytest.raises(DataError, match=r"already names a table at .*ops\.db/ledger"):
        give_names(lake, CATALOG)
    assert lake.spark.table("ops.ledger").columns == ["theirs"]


def test_without_a_catalogue_no_name_is_given(lakes: MakeLake) -> None:
    lake = lakes(Lake)
    give_names(lake, None)
    assert not lake.spark.catalog.databaseExists("gold")
