"""The contracts of conf/schemas: read here, checked and shown by `python -m jobs.contracts`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobs.runtime.errors import SettingsError
from jobs.runtime.settings import CONF_DIR
from transforms.events.contract import ContractError
from transforms.events.registry import Registry

SCHEMAS = CONF_DIR / "schemas"


def load_registry(folder: Path = SCHEMAS) -> Registry:
    """The registry of the files `<EventType>/<major>.<minor>.json` below a folder.

    Raises:
        SettingsError: a file is not JSON or not a contract; names the file or the contract.
    """
    documents: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("*/*.json")):
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SettingsError(f"{file}: not valid JSON: {error}", "mend the line named") from None
        documents.setdefault(file.parent.name, {})[file.stem] = document
    try:
        return Registry(documents)
    except ContractError as error:
        raise SettingsError(str(error), f"mend the file in {folder}") from None
