"""A door refuses options that it would ignore: in one line, before it starts anything."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs import recompute

PARTS = [
    ["--from", "2026-11-01"],
    ["--to", "2026-11-01"],
    ["--event-type", "ContentRated"],
    ["--user", "ada"],
    ["--table", "silver.ratings"],
]
BUILDS = [*PARTS, ["--switch"], ["--as-of", "2026-11-01T00:00:00Z"], ["--report", "page.html"]]
STARTERS = (
    *("spark_session", "kafka_of", "open_model_registry", "load", "load_definitions"),
    *("open_lake", "open_live_lake", "check", "generations"),
)


def refusal(door: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a door says that must start nothing."""
    module = import_module(f"jobs.{door}")
    for name in STARTERS:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("something was started"))
    done = CliRunner().invoke(module.main, arguments)
    assert done.exit_code == 2, done.output
    [line] = done.output.splitlines()
    assert " -> " in line
    return line


@pytest.mark.parametrize("mode", ["--plan", "--check"])
@pytest.mark.parametrize("option", BUILDS, ids=lambda option: option[0])
def test_recompute_refuses_what_makes_sense_of_a_build_alone(
    mode: str, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refusal("recompute", [mode, *option], monkeypatch)
    assert said == (
        f"error: {option[0]} does not go with {mode} -> leave out one of them; "
        f"with {mode} goes: --bronze-version"
    )


@pytest.mark.parametrize(
    ("door", "arguments", "said"),
    [
        ("recompute", ["--plan", "--check"], "--check does not go with --plan"),
        (
            *("recompute", ["--as-of", "2026-11-01T00:00:00Z", "--bronze-version", "3"]),
            "--bronze-version does not go with --as-of",
        ),
        ("promote", ["3", "--list"], "VERSION does not go with --list"),
        ("promote", ["--back", "--list"], "--back does not go with --list"),
        ("promote", ["3", "--back"], "VERSION does not go with --back"),
        ("promote", ["--if-better", "--back"], "--if-better does not go with --back"),
        ("quality", ["--version", "3"], "--version without --table"),
        ("release", ["--finish", "--dry-run"], "--dry-run does not go with --finish"),
        ("release", ["--finish", "--topic", "t"], "--topic does not go with --finish"),
        ("release", ["--partition", "1"], "--partition without --topic"),
        ("release", ["--offsets", "1-2"], "--offsets without --partition"),
        ("erase", ["ada", "--dry-run", "--mentions"], "--mentions does not go with --dry-run"),
        ("erase", ["ada", "--pending"], "USER does not go with --pending"),
        ("simulate", ["--rate", "5", "--days", "3"], "--days does not go with --rate"),
        ("simulate", ["--rate", "5", "--until", "now"], "--until does not go with --rate"),
        ("replay", ["--seed", "3"], "--seed without --faults"),
        ("replay", ["--times", "kept", "--until", "now"], "--until with --times kept"),
    ],
)
def test_a_door_refuses_what_it_would_ignore(
    door: str, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(door, arguments, monkeypatch).startswith(f"error: {said}")


def test_settings_go_with_every_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recompute, "open_live_lake", lambda *_: None)
    monkeypatch.setattr(recompute, "plan", lambda _, version: version)
    monkeypatch.setattr(recompute, "plan_text", lambda version: f"of {version}")
    settings = ["--env", "local", "--set", f"lake.root={tmp_path}"]
    done = CliRunner().invoke(recompute.main, ["--plan", "--bronze-version", "3", *settings])
    assert (done.exit_code, done.output) == (0, "of 3\n")
