"""Packages are installed with uv; where that cannot be, with pip, and a line says why."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pytest

import install

WANTED = ["-c", "constraints.txt", "-e", ".[dev]"]
BY_PIP = "-> installing with pip, which takes longer\n"
Commands = list[tuple[str, Mapping[str, str]]]


def kind(command: Collection[str]) -> str:
    text = " ".join(command)
    kinds = {
        " -m venv": "venv",
        "config list": "settings",
        "-m uv pip install": "uv",
        "constraints.txt uv": "pip install uv",
        "pip --disable-pip-version-check install": "pip",
    }
    return next(name for part, name in kinds.items() if text.endswith(part) or part in text)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Commands]:
    """What is run, by kind, with its environment, if some kinds of command fail."""

    def start(settings: str = "", failing: Collection[str] = ()) -> Commands:
        commands: Commands = []

        def record(
            command: list[str], env: Mapping[str, str] | None = None, **_: object
        ) -> subprocess.CompletedProcess[str]:
            commands.append((kind(command), env or {}))
            if kind(command) == "venv":
                Path(command[-1]).mkdir(exist_ok=True)
            failed = kind(command) in failing
            return subprocess.CompletedProcess(
                command, int(failed), settings, "WARNING: slow\nERROR: no\nERROR: help"
            )

        monkeypatch.setattr(subprocess, "run", record)
        return commands

    return start


def kinds(commands: Commands) -> list[str]:
    return [kind for kind, _ in commands]


def test_uv_installs(run, tmp_path, capsys):
    commands = run()
    assert install.main(tmp_path / "env", WANTED) == 0
    assert kinds(commands) == ["venv", "settings", "pip install uv", "uv"]
    assert [file.name for file in (tmp_path / "env").iterdir()] == ["installed"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("settings", "failing", "reason"),
    [
        ("", {"pip install uv"}, "uv cannot be fetched: no"),
        ("", {"uv"}, "uv could not install the packages"),
        (
            ":env:.extra-index-url='https://packages.example'\n",
            {},
            "uv does not follow pip's setting extra-index-url",
        ),
    ],
)
def test_pip_installs_what_uv_cannot_and_a_line_says_why(
    run, tmp_path, capsys, settings, failing, reason
):
    commands = run(settings, failing)
    assert install.main(tmp_path / "env", WANTED) == 0
    assert kinds(commands)[-1] == "pip"
    assert (tmp_path / "env" / "installed").exists()
    assert capsys.readouterr().err == f"{reason} {BY_PIP}"


def test_an_environment_without_its_packages_is_not_installed(run, tmp_path):
    run(failing={"uv", "pip"})
    assert install.main(tmp_path / "env", WANTED) == 1
    assert list((tmp_path / "env").iterdir()) == []


def test_uv_takes_packages_from_where_pip_takes_them(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "of-the-user.pem")
    commands = run(
        "global.index-url='https://packages.example/simple'\n"
        "global.cert='of-pip.pem'\n"
        ":env:.find-links='/wheels\\n/more-wheels'\n"
        "install.timeout='60'\n"
    )
    install.main(tmp_path / "env", WANTED)
    told = dict(commands)["uv"]
    assert told["UV_DEFAULT_INDEX"] == "https://packages.example/simple"
    assert told["UV_FIND_LINKS"] == "/wheels,/more-wheels"
    assert told["SSL_CERT_FILE"] == "of-the-user.pem"


def test_after_a_kill_the_environment_begins_anew(tmp_path, monkeypatch):
    venvs = []

    def killed(command: list[str], **_: object) -> None:
        if "venv" not in command:
            raise KeyboardInterrupt
        venvs.append("--clear" in command)
        Path(command[-1]).mkdir(exist_ok=True)

    monkeypatch.setattr(subprocess, "run", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            install.main(tmp_path / "env", WANTED)
    assert venvs == [False, True]


def test_who_waited_for_another_installation_does_not_repeat_it(run, tmp_path, monkeypatch):
    commands = run()

    def wait(*_: object) -> None:
        (tmp_path / "env").mkdir()
        (tmp_path / "env" / "installed").touch()

    monkeypatch.setattr(fcntl, "flock", wait)
    monkeypatch.setattr(install, "time", type("Clock", (), {"time": lambda: 0.0}))
    assert install.main(tmp_path / "env", WANTED) == 0
    assert commands == []
