"""The door as a process: where it listens, what it refuses, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from jobs.runtime.errors import ServiceError, SettingsError
from jobs.runtime.online.store import StoreError
from jobs.runtime.service.admission import Tokens
from jobs.runtime.service.opening import open_application, open_tokens
from jobs.runtime.service.server import serve
from jobs.runtime.settings import Settings, load_settings
from tests.support.online_stores import free_port
from tests.support.processes import Process
from transforms.experiments.definitions import Catalogue

SERVING = re.compile(r"http://127\.0\.0\.1:(\d+) answers from this machine|stopped by Ctrl-C")


def settings_of(root: Path, *overrides: str) -> Settings:
    return load_settings(overrides=[f"lake.root={root}", *overrides], environment={})


def test_it_answers_until_ctrl_c_and_nobody_else_can_have_its_port(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jobs.serve", "--set", f"lake.root={tmp_path}"]
    process = Process([*command, "--set", "serve.port=0"], SERVING)
    process.await_line(0)
    port = int(process.found[0][1])
    with urlopen(f"http://127.0.0.1:{port}/health", timeout=20) as answer:
        assert json.load(answer) == {"is_alive": True}
    with pytest.raises(ServiceError, match=rf"port {port} of 127.0.0.1 is in use -> .*serve.port"):
        serve(None, settings_of(tmp_path, f"serve.port={port}").serve, has_tokens=False)  # type: ignore[arg-type]
    process._process.send_signal(signal.SIGINT)
    process.await_line(1)
    assert process.found[1][0] == "stopped by Ctrl-C"
    assert process._process.wait(20) == 130
    assert "Traceback" not in process.last_lines


def test_without_tokens_other_machines_are_not_answered(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "example.org"):
        settings = settings_of(tmp_path, f"serve.host='{host}'").serve
        with pytest.raises(SettingsError, match=r"no bearer token -> set PLAYHEAD_SERVE_TOKENS"):
            serve(None, settings, has_tokens=False)  # type: ignore[arg-type]


def test_an_address_of_another_machine_is_one_line(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "serve.host=192.0.2.1", f"serve.port={free_port()}").serve
    with pytest.raises(ServiceError, match=r"cannot listen at 192.0.2.1:\d+: .* -> set serve.host"):
        serve(None, settings, has_tokens=True)  # type: ignore[arg-type]


def test_tokens_come_from_the_environment_with_commas_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path).serve
    assert not open_tokens(settings)
    monkeypatch.setenv("PLAYHEAD_SERVE_TOKENS", "one-token-of-ours, another-token-of-ours,")
    assert open_tokens(settings).client_of("Bearer another-token-of-ours") == "token-1"
    monkeypatch.setenv("PLAYHEAD_SERVE_TOKENS", "guess-me")
    with pytest.raises(SettingsError, match="shorter than 16"):
        open_tokens(settings)


def test_a_missing_lake_or_store_is_one_line_with_the_remedy(
    tmp_path: Path, definitions: Catalogue
) -> None:
    nowhere = settings_of(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"there is no lake at .*nowhere -> set lake.root"):
        open_application(nowhere, definitions, None, Tokens([]))
    away = settings_of(tmp_path, "online.redis_url=redis://127.0.0.1:1/0")
    with pytest.raises(StoreError, match=r"Redis at 127.0.0.1:1/0 does not serve: .* -> start it"):
        open_application(away, definitions, None, Tokens([]))
    in_a_bucket = settings_of(tmp_path, "lake.root=s3a://bucket/lake")
    with pytest.raises(SettingsError, match=r"SQLite cannot live at s3a.* -> set online.redis_url"):
        open_application(in_a_bucket, definitions, None, Tokens([]))
    assert list(tmp_path.iterdir()) == []
