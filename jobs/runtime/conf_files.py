"""Files of conf/: where they are, how a profile of one is read, and how its values are validated.

A typo, a wrong type or a missing file is one line that names the file, the key, the value found and
what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from jobs.runtime.errors import SettingsError

_SOURCE = Path(__file__).resolve().parents[2]
# the folder of jobs/ and transforms/: a checkout, site-packages, or what jobs.package makes, where
# they lie beside the zip too
CODE_DIR = _SOURCE if _SOURCE.is_dir() else _SOURCE.parent
# the folder of conf/, notebooks/ and constraints.txt: the same, but playhead/ in site-packages,
# where setup.py puts them
HOME = next(
    (
        folder
        for folder in (CODE_DIR, CODE_DIR / "playhead")
        if (folder / "conf" / "pipeline.yaml").exists()
    ),
    CODE_DIR,
)
CONF_DIR = Path(os.environ.get("PLAYHEAD_CONF", HOME / "conf"))


class Section(BaseModel):
    """A group of settings, immutable, in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Section)


def read_profile(file: Path, profile: str) -> dict[str, Any]:
    """Read one profile of a file of conf/: its `base:`, with `profiles: <name>:` over it.

    Raises:
        SettingsError: the file cannot be read or has no such profile.
    """
    document = read_yaml(file)
    profiles = document.get("profiles") or {}
    if profile not in profiles:
        raise SettingsError(
            f"{file}: no profile '{profile}'", f"use one of: {', '.join(sorted(profiles))}"
        )
    return merge(document.get("base") or {}, profiles[profile] or {})


def read_yaml(file: Path) -> dict[str, Any]:
    """Read the mapping in a YAML file.

    Raises:
        SettingsError: the file is missing, not valid YAML or not a mapping.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{file}: {error.strerror}", "restore the file, or point PLAYHEAD_CONF at its folder"
        ) from None
    except yaml.YAMLError as error:
        raise SettingsError(
            f"{file}: not valid YAML: {' '.join(str(error).split())}", "mend the line named"
        ) from None
    if not isinstance(document, dict):
        raise SettingsError(f"{file}: expected a mapping at the top", "see conf/ in the repository")
    return document


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees, mapping by mapping.

    Args:
        base: values to start from.
        over: values that take precedence.

    Returns:
        A new tree.
    """
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merge(result[key], value) if both else value
    return result


def parse(
    model: type[S],
    tree: Mapping[str, Any],
    *,
    origin: str,
    origins: Mapping[str, str] | None = None,
) -> S:
    """Validate a tree of values as a model.

    Args:
        model: class of the settings.
        tree: values to validate.
        origin: file that a wrong value is attributed to.
        origins: places of values that came from elsewhere, by dotted key.

    Returns:
        An instance of the model.

    Raises:
        SettingsError: the first fault, in one line.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise _explain(error, model, origin, origins or {}) from None


def _explain(
    error: ValidationError, model: type[Section], origin: str, origins: Mapping[str, str]
) -> SettingsError:
    """The error for the first fault of a validation, with the place of the value."""
    faults = error.errors(include_url=False, include_context=False)
    # a misspelt key is also a missing one: report the misspelling
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    key = ".".join(str(part) for part in first["loc"])
    origin = origins.get(key, origin)
    if first["type"] == "extra_forbidden":
        allowed = ", ".join(_keys_at(model, first["loc"][:-1]))
        return SettingsError(f"{origin}: unknown key '{key}'", f"allowed here: {allowed}")
    if first["type"] == "missing":
        return SettingsError(f"{origin}: key '{key}' is missing", "add it under base:")
    return SettingsError(
        f"{origin}: key '{key}': found {first['input']!r}", f"expected: {first['msg']}"
    )


def _keys_at(annotation: Any, path: Sequence[int | str]) -> list[str]:
    """The keys allowed at a path in a model, sorted."""
    for part in path:
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        else:
            annotation = annotation.model_fields[str(part)].annotation
    return sorted(annotation.model_fields)
