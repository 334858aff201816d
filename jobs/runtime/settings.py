"""Settings: conf/pipeline.yaml, one profile over its base, then environment, then --set.

What is wrong stops a job before it has opened anything. The comments of the file explain its keys.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, field_validator

from jobs.runtime.conf_files import CONF_DIR, Section, parse, read_profile
from jobs.runtime.errors import SettingsError

ENVIRONMENT_PREFIX = "PLAYHEAD_"
NESTING = "__"

Tuning = Literal["peak", "little_data", "start"]


class LakeSettings(Section):
    """Settings of the lake: root, generation, catalogue, and retention of generations."""

    root: str
    generation: int | None = Field(gt=0)
    catalog: str | None = Field(pattern=r"^\w+$")
    keep_generations: int = Field(ge=0)
    unread_h: float = Field(ge=0)

    @field_validator("root")
    @classmethod
    def _plain_if_local(cls, root: str) -> str:
        """The root without `file://`."""
        return root.removeprefix("file://")


class KafkaSettings(Section):
    """Connection to a Kafka cluster.

    Secrets are no settings: they are read from the environment when a client is made, so no file,
    override, dump or error of settings can hold one.
    """

    bootstrap_servers: str | None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None
    ca_file: str | None
    client_file: str | None
    reach_timeout_s: int = Field(gt=0)

    @property
    def username(self) -> SecretStr | None:
        """SASL user name, PLAYHEAD_KAFKA_USERNAME in the environment, None if unset."""
        return _secret("KAFKA_USERNAME")

    @property
    def password(self) -> SecretStr | None:
        """SASL password, PLAYHEAD_KAFKA_PASSWORD in the environment, None if unset."""
        return _secret("KAFKA_PASSWORD")

    @property
    def key_password(self) -> SecretStr | None:
        """Password of the key in `client_file`, PLAYHEAD_KAFKA_KEY_PASSWORD, None if unset."""
        return _secret("KAFKA_KEY_PASSWORD")


class SparkSettings(Section):
    """Settings of the Spark session, where the submitter sets nothing else."""

    shuffle_partitions: int = Field(gt=0)
    driver_memory: str = Field(pattern=r"^\d+[mg]$")
    master: str | None
    java_options: str
    tuned_for: Tuning
    executor_wait_s: float = Field(gt=0)


class IngestSettings(Section):
    """Settings of ingest, Kafka to bronze."""

    trigger_s: float = Field(gt=0)
    max_events_per_batch: int = Field(gt=0)
    fail_on_data_loss: bool


class RefineSettings(Section):
    """Settings of refine, bronze to silver, quarantine and ledger."""

    trigger_s: float = Field(gt=0)
    max_bytes_per_batch: str = Field(pattern=r"^\d+[kmg]$")
    duplicate_horizon_h: int = Field(gt=0)
    future_tolerance_s: int = Field(ge=0, le=10**10)
    oldest_event_days: int = Field(gt=0, le=10**6)
    warn_refused_share: float = Field(ge=0, le=1)
    strict_lane: Literal["python", "spark"]


class FoldSettings(Section):
    """Settings of fold, silver to gold."""

    trigger_s: float = Field(gt=0)
    max_bytes_per_batch: str = Field(pattern=r"^\d+[kmg]$")
    compact_every_batches: int = Field(gt=0)


class AttributeSettings(Section):
    """Settings of attribute, silver to gold.experiment_user."""

    trigger_s: float = Field(gt=0)
    max_bytes_per_batch: str = Field(pattern=r"^\d+[kmg]$")
    tuned_for: Tuning


class CommandsSettings(Section):
    """Settings of the publisher of commands to Kafka."""

    transactional_id: str | None
    deadline_s: float = Field(gt=0)
    circuit_failures: int = Field(gt=0)
    circuit_open_s: float = Field(gt=0)


class RecommendSettings(Section):
    """Settings of training a model and of making recommendation lists."""

    model: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    mlflow_uri: str | None
    algorithm: Literal["squared_spectrum", "edlae", "ease", "als"]
    l2: float = Field(gt=0)
    l2_per: Literal["meeting", "title"]
    dropout: float = Field(ge=0, lt=1)
    popularity_exponent: float
    damping: float = Field(ge=0, le=0.5)
    half_star: float = Field(ge=0, le=2.5)
    factors: int = Field(gt=0)
    confidence: float = Field(gt=0)
    factor_l2: float = Field(gt=0)
    prior_weight: float = Field(ge=0)
    views_half_life_days: float = Field(gt=0)
    history_half_life_days: float | None = Field(gt=0)
    next_weight: float = Field(ge=0, lt=128)
    next_half_life_days: float = Field(gt=0)
    evaluation_share: float = Field(gt=0, lt=1)
    list_length: int = Field(gt=0)
    new_titles: int = Field(gt=0)
    diversity: float = Field(ge=0, le=1)


class OnlineSettings(Section):
    """Settings of the online store that answers applications."""

    redis_url: str | None
    cache_s: int = Field(gt=0)
    feature_ttl_s: int = Field(gt=0)
    replay_horizon_h: int = Field(gt=0)


class ServeSettings(Section):
    """Settings of the HTTP service that applications ask."""

    host: str
    port: int = Field(ge=0, le=65535)
    rate_per_s: int = Field(gt=0)
    concurrency: int = Field(gt=0)
    timeout_s: float = Field(gt=0)
    publish_assignments: bool

    @property
    def tokens(self) -> SecretStr | None:
        """Bearer tokens, PLAYHEAD_SERVE_TOKENS with commas between them, None if unset."""
        return _secret("SERVE_TOKENS")


class QualitySettings(Section):
    """Settings of the quality gate: which failed expectations stop jobs."""

    gate: Literal["off", "blockers", "checked"]
    max_age_h: float = Field(gt=0)


class MaintainSettings(Section):
    """Settings of jobs.maintain: compaction, and retention of rows and files."""

    settled_days: int = Field(ge=1)
    vacuum_h: float = Field(ge=24)
    results_days: int = Field(gt=0, le=30)
    bronze_days: int | None = Field(ge=30)
    ops_days: int = Field(gt=0)


class Settings(Section):
    """All settings of a job, validated."""

    profile: str
    lake: LakeSettings
    kafka: KafkaSettings
    spark: SparkSettings
    ingest: IngestSettings
    refine: RefineSettings
    fold: FoldSettings
    attribute: AttributeSettings
    commands: CommandsSettings
    recommend: RecommendSettings
    online: OnlineSettings
    serve: ServeSettings
    quality: QualitySettings
    maintain: MaintainSettings

    def tuned(self, goal: Tuning) -> Settings:
        """The same settings, for a Spark session that is tuned for another goal."""
        spark = self.spark.model_copy(update={"tuned_for": goal})
        return self.model_copy(update={"spark": spark})


def load_settings(
    profile: str = "local",
    overrides: Sequence[str] = (),
    *,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Read and validate the settings of one profile.

    Args:
        profile: name under `profiles:` in the file.
        overrides: assignments `section.key=value`, the value read as YAML.
        file: settings file; conf/pipeline.yaml by default.
        environment: environment variables, of which `PLAYHEAD_SECTION__KEY` override the file.

    Returns:
        The settings, overrides over environment over file.

    Raises:
        SettingsError: a value is wrong; names the file or override, the key, the value found and
            what is allowed.
    """
    file = file or CONF_DIR / "pipeline.yaml"
    tree = read_profile(file, profile)
    assigned = [*_from_environment(environment), *_from_arguments(overrides)]
    for origin, key, text in assigned:
        _assign(tree, key.split("."), _value(text, origin), origin)
    origins = {key: origin for origin, key, _ in assigned}
    return parse(Settings, {"profile": profile, **tree}, origin=str(file), origins=origins)


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The overrides in the environment.

    Returns:
        Name of the variable, dotted key and text of each.
    """
    return [
        (name, name.removeprefix(ENVIRONMENT_PREFIX).lower().replace(NESTING, "."), text)
        for name, text in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX) and NESTING in name
    ]


def _from_arguments(overrides: Sequence[str]) -> list[tuple[str, str, str]]:
    """The overrides of --set.

    Returns:
        Place for messages, dotted key and text of each.

    Raises:
        SettingsError: an override is not `key=value`.
    """
    assigned = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise SettingsError(f"--set {key}", "write it as section.key=value")
        assigned.append((f"--set {key}", key, text))
    return assigned


def _value(text: str, origin: str) -> Any:
    """Parse the text of an override as YAML.

    Raises:
        SettingsError: the text is not valid YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise SettingsError(f"{origin}: the value is not valid YAML", "quote it") from None


def _assign(tree: dict[str, Any], key: Sequence[str], value: Any, origin: str) -> None:
    """Replace one value of the tree in place.

    Raises:
        SettingsError: the section or key does not exist.
    """
    *sections, last = key
    for section in sections:
        tree = tree.get(section)  # type: ignore[assignment]
        if not isinstance(tree, dict):
            raise SettingsError(f"{origin}: unknown section '{section}'", "see conf/pipeline.yaml")
    if last not in tree:
        raise SettingsError(f"{origin}: unknown key '{last}'", f"allowed: {', '.join(tree)}")
    tree[last] = value


def _secret(name: str) -> SecretStr | None:
    """A secret from the environment variable `PLAYHEAD_<name>`, None if unset or empty."""
    text = os.environ.get(ENVIRONMENT_PREFIX + name)
    return SecretStr(text) if text else None
