"""The definitions of experiments in conf/experiments/, read from disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.runtime.errors import SettingsError
from jobs.runtime.settings import CONF_DIR, read_yaml
from transforms.experiments.definitions import Catalogue, catalogue
from transforms.experiments.validation import DefinitionError
from transforms.gold.experiment_user import PLAN_COLUMNS

FOLDER = CONF_DIR / "experiments"


def load_definitions(folder: Path = FOLDER) -> Catalogue:
    """The validated definitions of a folder.

    Args:
        folder: folder of metrics.yaml, layers.yaml and one file for each experiment.

    Raises:
        SettingsError: the folder does not exist or a definition is invalid; one line.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder", "name one with experiment definitions")
    documents = {file.name: read_yaml(file) for file in sorted(folder.glob("*.yaml"))}
    try:
        return catalogue(documents)
    except DefinitionError as error:
        raise SettingsError(
            f"{folder}: {error}", "docs/experiments.md says what is allowed"
        ) from None


def plan_rows(spark: SparkSession, rows: Iterable[tuple[Any, ...]]) -> DataFrame:
    """Plans of experiments as a DataFrame of PLAN_COLUMNS."""
    schema = ", ".join(f"{name} {ddl}" for name, ddl in PLAN_COLUMNS.items())
    return spark.createDataFrame(list(rows), schema)
