"""The archive of Spark's classes: used where there is one, and never in the way."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

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
