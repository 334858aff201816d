"""Settings: conf/pipeline.yaml, one profile over its base, then environment, then --set.

A typo, a wrong type or a missing file stops a job before it has opened anything, with one
line naming the file, the key, what was found and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from jobs.runtime.errors import SettingsError

CONF_DIR = Path(os.environ.get("PLAYHEAD_CONF", Path(__file__).resolve().parents[2] / "conf"))
ENVIRONMENT_PREFIX = "PLAYHEAD_"
NESTING = "__"


class Section(BaseModel):
    """A group of settings: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Section)


class LakeSettings(Section):
    """Where tables live."""

    root: str
    catalog: str | None


class KafkaSettings(Section):
    """How to reach Kafka; the secrets come from the environment and never print."""

    bootstrap_servers: str | None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None
    ca_file: str | None
    reach_timeout_s: int = Field(gt=0)
    username: SecretStr | None = Field(
        default_factory=lambda: _secret("KAFKA_USERNAME"), exclude=True
    )
    password: SecretStr | None = Field(
        default_factory=lambda: _secret("KAFKA_PASSWORD"), exclude=True
    )


class SparkSettings(Section):
    """What playhead asks of Spark when it starts the session itself."""

    shuffle_partitions: int = Field(gt=0)
    driver_memory: str = Field(pattern=r"^\d+[mg]$")
    master: str | None


class IngestSettings(Section):
    """Kafka to bronze."""

    trigger_s: float = Field(gt=0)
    max_events_per_batch: int = Field(gt=0)
    fail_on_data_loss: bool


class RefineSettings(Section):
    """Bronze to silver, quarantine and ledger."""

    trigger_s: float = Field(gt=0)
    max_bytes_per_batch: str = Field(pattern=r"^\d+[kmg]$")
    duplicate_horizon_h: int = Field(gt=0)
    future_tolerance_s: int = Field(ge=0)
    oldest_event_days: int = Field(gt=0)


class FoldSettings(Section):
    """Silver to gold."""

    trigger_s: float = Field(gt=0)
    max_bytes_per_batch: str = Field(pattern=r"^\d+[kmg]$")
    compact_every_batches: int = Field(gt=0)


class Settings(Section):
    """Everything a job may be told, checked."""

    profile: str
    lake: LakeSettings
    kafka: KafkaSettings
    spark: SparkSettings
    ingest: IngestSettings
    refine: RefineSettings
    fold: FoldSettings


def load_settings(
    profile: str = "local",
    overrides: Sequence[str] = (),
    *,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Read and check the settings of one profile.

    Args:
        profile: a name under `profiles:` in the file.
        overrides: `section.key=value` strings, the value read as YAML.
        file: the settings file; conf/pipeline.yaml by default.
        environment: `PLAYHEAD_SECTION__KEY` variables override the file.

    Raises:
        SettingsError: naming the file or override, the key, what was found and what is allowed.
    """
    file = file or CONF_DIR / "pipeline.yaml"
    document = read_yaml(file)
    profiles = document.get("profiles") or {}
    if profile not in profiles:
        raise SettingsError(
            f"{file}: no profile '{profile}'", f"use one of: {', '.join(sorted(profiles))}"
        )
    tree = _merged(document.get("base") or {}, profiles[profile] or {})
    for origin, key, value in [*_from_environment(environment), *_from_arguments(overrides)]:
        _assign(tree, key, value, origin)
    return parse(Settings, {"profile": profile, **tree}, origin=str(file))


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file; SettingsError if it is missing, broken or not a mapping."""
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


def parse(model: type[S], tree: Mapping[str, Any], *, origin: str) -> S:
    """Validate `tree` as `model`, or raise SettingsError with the first fault in one line."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise _explained(error, origin, model) from None


def _explained(error: ValidationError, origin: str, model: type[Section]) -> SettingsError:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        allowed = ", ".join(_keys_at(model, first["loc"][:-1]))
        return SettingsError(f"{origin}: unknown key '{key}'", f"allowed here: {allowed}")
    if first["type"] == "missing":
        return SettingsError(f"{origin}: key '{key}' is missing", "add it under base:")
    return SettingsError(
        f"{origin}: key '{key}': found {first['input']!r}", f"expected: {first['msg']}"
    )


def _keys_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return []
        model = field.annotation
    return sorted(model.model_fields)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, list[str], Any]]:
    return [
        (name, name.removeprefix(ENVIRONMENT_PREFIX).lower().split(NESTING), yaml.safe_load(text))
        for name, text in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX) and NESTING in name
    ]


def _from_arguments(overrides: Sequence[str]) -> list[tuple[str, list[str], Any]]:
    assigned = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise SettingsError(f"--set {override}", "write it as section.key=value")
        assigned.append((f"--set {override}", key.split("."), yaml.safe_load(text)))
    return assigned


def _assign(tree: dict[str, Any], key: Sequence[str], value: Any, origin: str) -> None:
    *sections, last = key
    for section in sections:
        tree = tree.get(section)  # type: ignore[assignment]
        if not isinstance(tree, dict):
            raise SettingsError(f"{origin}: unknown section '{section}'", "see conf/pipeline.yaml")
    if last not in tree:
        raise SettingsError(f"{origin}: unknown key '{last}'", f"allowed: {', '.join(tree)}")
    tree[last] = value


def _secret(name: str) -> SecretStr | None:
    text = os.environ.get(ENVIRONMENT_PREFIX + name)
    return SecretStr(text) if text else None
