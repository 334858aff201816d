"""The registry of contracts, read from conf/schemas."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jobs.runtime.errors import SettingsError
from jobs.runtime.settings import CONF_DIR
from transforms.contracts.contract import ContractError
from transforms.contracts.registry import Registry

SCHEMAS = CONF_DIR / "schemas"


def load_registry(folder: Path = SCHEMAS) -> Registry:
    """The registry of the files `<EventType>/<major>.<minor>.json` below a folder.

    Raises:
        SettingsError: a file is not JSON or not a contract; names the file or the contract.
    """
    files = sorted(folder.glob("*/*.json"))
    written = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _registry(folder, written)


@lru_cache(maxsize=8)
def _registry(folder: Path, written: tuple[tuple[Path, int, int], ...]) -> Registry:
    """The registry of files as they were last written: one object, by which others remember."""
    documents: dict[str, dict[str, Any]] = {}
    for file, *_ in written:
        documents.setdefault(file.parent.name, {})[file.stem] = read_json(file)
    try:
        return Registry(documents)
    except ContractError as error:
        raise SettingsError(str(error), f"mend the file in {folder}") from None


def read_json(file: Path) -> Any:
    """The document in a JSON file; SettingsError if it is missing or is not JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}", "name a file that exists") from None
    except ValueError as error:
        raise SettingsError(f"{file}: not valid JSON: {error}", "mend the line named") from None
