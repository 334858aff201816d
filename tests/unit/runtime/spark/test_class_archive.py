"""The archive of Spark's classes: used where there is one, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from filelock import FileLock

from jobs import setup
from jobs.runtime.spark import class_archive
from jobs.runtime.spark.java import java_binary


def test_without_an_archive_nothing_is_asked_of_the_jvm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_archive, "archive_file", lambda: tmp_path / "none.jsa")
    assert class_archive.sharing() == ""


def test_a_jvm_starts_without_a_word_though_the_archive_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "of-another-java.jsa"
    archive.write_bytes(b"not an archive")
    monkeypatch.setattr(class_archive, "archive_file", lambda: archive)
    options = class_archive.sharing().split()
    assert f"-XX:SharedArchiveFile={archive}" in options
    plain, sharing = (
        subprocess.run([java_binary(), *with_, "-version"], capture_output=True, text=True)
        for with_ in ([], options)
    )
    assert sharing.returncode == 0
    assert sharing.stdout == plain.stdout == ""
    assert sharing.stderr == plain.stderr.replace("mixed mode, sharing", "mixed mode")


def test_another_class_path_has_another_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = class_archive.archive_file()
    monkeypatch.setattr(class_archive, "resolve", lambda bundle: [Path("of-another-release.jar")])
    assert class_archive.archive_file() != mine


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of a Python of its own, in which no archive is yet."""
    monkeypatch.setattr(class_archive, "_FOLDER", tmp_path)
    monkeypatch.setattr(class_archive, "_LOCK", tmp_path / "spark-classes.lock")
    monkeypatch.setattr(sys, "prefix", f"{sys.base_prefix}-of-its-own")
    return tmp_path


def gateway_of(wait: object) -> SimpleNamespace:
    process = SimpleNamespace(stdin=SimpleNamespace(close=lambda: None), wait=wait)
    return SimpleNamespace(shutdown=lambda: None, proc=process)


def test_an_archive_is_made_once_and_without_what_others_left(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for left in ("spark-classes-of-another-java.jsa", "spark-classes-killed.4711"):
        (environment / left).touch()
    begun: list[str] = []

    def start(java_options: str) -> SimpleNamespace:
        begun.append(java_options)
        assert not class_archive.is_wanted(), "somebody is making it"
        unfinished = Path(java_options.split()[0].partition("=")[2])

        def write(timeout: float) -> None:
            unfinished.write_text("classes")
            assert class_archive.sharing() == "", "no job meets a part of an archive"

        monkeypatch.setattr(class_archive.SparkContext, "_gateway", gateway_of(write))
        return SimpleNamespace(stop=lambda: None)

    assert class_archive.is_wanted()
    for _ in range(2):
        class_archive.archive(start)
    assert len(begun) == 1
    assert not class_archive.is_wanted()
    file = class_archive.archive_file()
    assert file.read_text() == "classes"
    assert {*environment.iterdir()} <= {file, environment / "spark-classes.lock"}


def test_a_python_that_others_share_gets_no_archive(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert not class_archive.is_wanted()


def test_set_up_makes_it_in_the_background_unless_somebody_does(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def start(command: list[str], **options: object) -> SimpleNamespace:
        assert options["start_new_session"]
        started.append(command[1:])
        return SimpleNamespace(pid=4711)

    ranks: list[tuple[int, int]] = []
    class_archive.archive_file()  # needs Java and the jars, before no process can be started
    monkeypatch.setattr(setup, "resolve", lambda bundle: [])
    monkeypatch.setattr(setup, "ARCHIVE_LOG", environment / "log")
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(os, "setpriority", lambda _, pid, rank: ranks.append((pid, rank)))
    assert "in the background" in CliRunner().invoke(setup.main, []).output
    assert started == [["-m", "jobs.setup", "--class-archive"]]
    assert ranks == [(4711, 19)]
    with FileLock(environment / "spark-classes.lock"):
        assert "in the background" not in CliRunner().invoke(setup.main, []).output
    assert len(started) == 1
