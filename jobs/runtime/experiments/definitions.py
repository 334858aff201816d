"""The definitions of experiments in conf/experiments/, read from disk."""

from __future__ import annotations

from pathlib import Path

from jobs.runtime.conf_files import CONF_DIR, read_yaml
from jobs.runtime.errors import SettingsError
from transforms.experiments.definitions import Catalogue, catalogue
from transforms.experiments.validation import DefinitionError

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
