"""The registry of contracts, read from conf/schemas."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from jobs.runtime.conf_files import CONF_DIR
from jobs.runtime.errors import SettingsError
from transforms.contracts.contract import ContractError
from transforms.contracts.json_text import parse_json
from transforms.contracts.registry import Registry

SCHEMAS = CONF_DIR / "schemas"


def load_registry(folder: Path = SCHEMAS) -> Registry:
    """Load the contracts `<EventType>/<major>.<minor>.json` below a folder.

    Returns:
        The registry, the same object as long as no file changes.

    Raises:
        SettingsError: a file is not JSON or not a contract; names file, place and keyword.
    """
    files = sorted(folder.glob("*/*.json"))
    written = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _registry(folder, written)


@lru_cache(maxsize=8)
def _registry(folder: Path, written: tuple[tuple[Path, int, int], ...]) -> Registry:
    """Build the registry of files as last written.

    Cached, so that others can cache by the identity of the registry.

    Args:
        folder: folder of the contracts.
        written: path, modification time in nanoseconds and size in bytes of each file.

    Raises:
        SettingsError: a file is not JSON or not a contract.
    """
    documents: dict[str, dict[str, Any]] = {}
    for file, *_ in written:
        documents.setdefault(file.parent.name, {})[file.stem] = read_json(file)
    try:
        return Registry(documents)
    except ContractError as error:
        raise SettingsError(f"{folder / error.file}: {error}", "mend the file") from None


def read_json(file: Path) -> Any:
    """Read the document in a JSON file.

    Raises:
        SettingsError: the file is missing, is not JSON, or repeats a key.
    """
    try:
        return parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}", "name a file that exists") from None
    except ValueError as error:
        raise SettingsError(f"{file}: not valid JSON: {error}", "mend the line named") from None
