"""Java 17 or 21 is found where it usually is, installed where that is possible, or asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs import setup
from jobs.runtime.errors import ServiceError
from jobs.runtime.spark import jars, java
from jobs.runtime.spark.java import java_binary


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No Java anywhere but below the test's folder."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(java, "USUAL_HOMES", (f"{tmp_path}/jvm/*",))
    java_binary.cache_clear()
    yield
    java_binary.cache_clear()


def executable(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def java_of(home: Path, version: str) -> Path:
    return executable(home / "bin" / "java", f"echo 'openjdk version \"{version}\"' >&2")


@pytest.mark.parametrize("version", ["17.0.15", "21", "21.0.2"])
def test_java_home_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    wanted = java_of(tmp_path / "home", version)
    java_of(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert java_binary() == wanted


@pytest.mark.parametrize("version", ["1.8.0_452", "11.0.2", "25"])
def test_a_java_home_of_another_version_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    java_of(tmp_path / "home", version)
    wanted = java_of(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert java_binary() == wanted


def test_a_usual_folder_serves_when_nothing_points_to_it(tmp_path: Path) -> None:
    java_of(tmp_path / "jvm" / "java-11", "11.0.2")
    wanted = java_of(tmp_path / "jvm" / "java-21", "21.0.2")
    assert java_binary() == wanted


def test_without_java_the_error_holds_the_command_for_each_system() -> None:
    with pytest.raises(ServiceError) as raised:
        java_binary()
    for command in (
        "apt-get install openjdk-17-jre-headless",
        "dnf install java-21-openjdk-headless",
        "brew install openjdk@21",
    ):
        assert command in str(raised.value)


def test_root_on_debian_gets_java_from_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "jvm" / "java-17" / "bin" / "java"
    prepared = java_of(tmp_path / "package", "17.0.15")
    executable(
        tmp_path / "bin" / "apt-get",
        f'echo "$@" >> {tmp_path}/calls\n'
        f'case "$*" in *openjdk-17*) /bin/mkdir -p {installed.parent};'
        f" /bin/cp {prepared} {installed};; esac",
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup, "resolve", lambda bundle: [])
    monkeypatch.setattr(setup, "is_wanted", lambda: False)  # an archive of a Java that is a script
    result = CliRunner().invoke(setup.main, [])
    assert (result.exit_code, f"java: {installed}" in result.output) == (0, True)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[-1] for call in calls] == ["update", "openjdk-17-jre-headless"]


def test_who_is_not_root_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bin" / "apt-get", f"touch {tmp_path}/called")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = CliRunner().invoke(setup.main, [])
    assert result.exit_code == 3
    assert "sudo apt-get install openjdk-17-jre-headless" in result.output
    assert not (tmp_path / "called").exists()


def test_jars_that_cannot_be_fetched_are_one_line_that_names_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java_of(tmp_path, "17.0.1")
    with (tmp_path / "bin" / "java").open("a") as script:
        script.write("echo 'Host repo.example not found. url=x'\nexit 1\n")
    monkeypatch.setenv("PLAYHEAD_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ServiceError, match=r"spark jars could not be fetched: Host repo\.example"):
        jars.resolve(jars.SPARK)
    assert not jars.SPARK.folder.exists()


def test_jars_in_the_cache_need_neither_java_nor_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYHEAD_CACHE", str(tmp_path / "cache"))
    jars.BROKER.folder.mkdir(parents=True)
    (jars.BROKER.folder / "kafka.jar").touch()
    assert jars.resolve(jars.BROKER) == [jars.BROKER.folder / "kafka.jar"]
