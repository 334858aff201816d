"""Settings: what is wrong is one line that names file, key, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from jobs.runtime.conf_files import CONF_DIR
from jobs.runtime.errors import SettingsError
from jobs.runtime.settings import load_settings

SECRET = "hunter2-of-the-test"


def changed(folder: Path, section: str, key: str, value: object) -> Path:
    """A copy of conf/pipeline.yaml with one key of its base set."""
    document = yaml.safe_load((CONF_DIR / "pipeline.yaml").read_text())
    document["base"].setdefault(section, {})[key] = value
    file = folder / "pipeline.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def complaint(file: Path | None = None, profile: str = "local", *overrides: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load_settings(profile, overrides, file=file, environment={})
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("profile", ["local", "cluster"])
def test_the_committed_profiles_are_valid(profile: str) -> None:
    assert load_settings(profile, environment={}).profile == profile


def test_a_profile_overrides_the_base_and_keeps_the_rest() -> None:
    local, cluster = (load_settings(profile, environment={}) for profile in ("local", "cluster"))
    assert (local.kafka.security_protocol, cluster.kafka.security_protocol) == (
        "PLAINTEXT",
        "SASL_SSL",
    )
    assert cluster.kafka.reach_timeout_s == local.kafka.reach_timeout_s


def test_an_unknown_key_is_named_with_those_allowed(tmp_path: Path) -> None:
    file = changed(tmp_path, "ingest", "triger_s", 2)
    said = complaint(file)
    assert said.startswith(f"{file}: unknown key 'ingest.triger_s' -> allowed here: ")
    assert "trigger_s" in said.split("allowed here:")[1]


def test_an_unknown_section_is_named_with_those_allowed(tmp_path: Path) -> None:
    said = complaint(changed(tmp_path, "ingets", "trigger_s", 2))
    assert "unknown key 'ingets' -> allowed here: " in said
    assert "ingest" in said.split("allowed here:")[1]


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("ingest", "trigger_s", "soon", "key 'ingest.trigger_s': found 'soon' -> expected: "),
        ("ingest", "trigger_s", 0, "key 'ingest.trigger_s': found 0 -> expected: "),
        ("spark", "driver_memory", "4 GB", "key 'spark.driver_memory': found '4 GB' -> expected: "),
        ("kafka", "security_protocol", "TLS", "key 'kafka.security_protocol': found 'TLS' -> "),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found_and_expected(
    tmp_path: Path, section: str, key: str, value: object, said: str
) -> None:
    file = changed(tmp_path, section, key, value)
    assert complaint(file).startswith(f"{file}: {said}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.yaml").startswith(f"{tmp_path / 'none.yaml'}: No such file")


def test_a_file_that_is_not_yaml_is_named_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("base: {}\nprofiles: [")
    said = complaint(file)
    assert said.startswith(f"{file}: not valid YAML")
    assert "line 2" in said


def test_a_file_that_is_no_mapping_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("- base")
    assert complaint(file).startswith(f"{file}: expected a mapping")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    document = yaml.safe_load((CONF_DIR / "pipeline.yaml").read_text())
    del document["base"]["lake"]["root"]
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(document))
    assert complaint(file).startswith(f"{file}: key 'lake.root' is missing")


def test_a_missing_profile_is_named_with_those_there_are() -> None:
    assert complaint(None, "staging").endswith("no profile 'staging' -> use one of: cluster, local")


def test_the_environment_overrides_the_file_and_set_overrides_the_environment() -> None:
    environment = {"PLAYHEAD_FOLD__TRIGGER_S": "7", "PLAYHEAD_INGEST__TRIGGER_S": "8"}
    settings = load_settings(overrides=["ingest.trigger_s=9"], environment=environment)
    assert (settings.fold.trigger_s, settings.ingest.trigger_s) == (7, 9)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("ingest.triger_s=2", "--set ingest.triger_s: unknown key 'triger_s' -> allowed: "),
        (
            "recommend.redis_url=redis://r:6379/0",
            "--set recommend.redis_url: unknown key 'redis_url' -> allowed: model, ",
        ),
        ("ingets.trigger_s=2", "--set ingets.trigger_s: unknown section 'ingets'"),
        ("ingest.trigger_s", "--set ingest.trigger_s -> write it as section.key=value"),
        ("profiles=x", "--set profiles: unknown key 'profiles'"),
        ("ingest.trigger_s=[", "--set ingest.trigger_s: the value is not valid YAML"),
        ("ingest=2", "--set ingest: key 'ingest': found 2 -> "),
    ],
)
def test_a_wrong_override_is_named_as_it_was_written(override: str, said: str) -> None:
    assert complaint(None, "local", override).startswith(said)


def test_a_wrong_value_of_an_override_is_traced_to_the_override() -> None:
    assert complaint(None, "local", "ingest.trigger_s=soon").startswith(
        "--set ingest.trigger_s: key 'ingest.trigger_s': found 'soon'"
    )


def test_an_environment_variable_that_fits_no_key_is_named() -> None:
    with pytest.raises(SettingsError, match="PLAYHEAD_INGEST__TRIGER_S: unknown key"):
        load_settings(environment={"PLAYHEAD_INGEST__TRIGER_S": "2"})


def test_secrets_come_from_the_environment_and_print_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAYHEAD_KAFKA_USERNAME", "ada")
    monkeypatch.setenv("PLAYHEAD_KAFKA_PASSWORD", SECRET)
    settings = load_settings("cluster", environment={})
    assert settings.kafka.password is not None
    assert settings.kafka.password.get_secret_value() == SECRET
    shown = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())]
    assert not any(SECRET in text for text in shown)


@pytest.mark.parametrize("key", ["password", "username"])
def test_a_secret_in_a_file_or_an_override_is_refused_without_repeating_it(
    tmp_path: Path, key: str
) -> None:
    for said in (
        complaint(changed(tmp_path, "kafka", key, SECRET)),
        complaint(None, "local", f"kafka.{key}={SECRET}"),
    ):
        assert "unknown key" in said
        assert SECRET not in said


def test_a_lake_at_a_file_uri_is_a_folder() -> None:
    settings = load_settings(overrides=["lake.root=file:///data/lake"], environment={})
    assert settings.lake.root == "/data/lake"
