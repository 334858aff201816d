"""An event type more: one contract file, one row mapping, and no other edit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.runtime.lake.lake import Lake
from tests.support.lakes import MakeLake, deliver
from tests.support.strategies import Delivery, arrived

ROOT = Path(__file__).parents[2]
FAMILY = Path("transforms/silver/families/engagement.py")
KNOWN_ROW = '"UserEngagement": _engaged'
NEW_ROW = '"TitleShared": lambda event: {"user_id": event.userId, "title_id": event.contentId}'
CONTRACT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:playhead:event:TitleShared:1.0",
    "description": "A user told somebody of a title.",
    "x-topics": ["user-interactions"],
    "x-key": "userId",
    "x-family": "engagement",
    "type": "object",
    "required": ["eventType", "version", "timestamp", "userId", "contentId"],
    "properties": {
        "eventType": {"const": "TitleShared"},
        "version": {"const": "1.0"},
        "timestamp": {
            "type": "string",
            "format": "date-time",
            "examples": ["2026-09-21T14:00:00Z"],
        },
        "userId": {"type": "string", "examples": ["ada"]},
        "contentId": {"type": "string", "examples": ["title_7"]},
    },
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of playhead with the two edits."""
    for folder in ("conf", "jobs", "transforms"):
        shutil.copytree(ROOT / folder, tmp_path / "playhead" / folder)
    copy = tmp_path / "playhead"
    contract = copy / "conf" / "schemas" / "TitleShared" / "1.0.json"
    contract.parent.mkdir()
    contract.write_text(json.dumps(CONTRACT), encoding="utf-8")
    text = (copy / FAMILY).read_text(encoding="utf-8")
    assert text.count(KNOWN_ROW) == 1
    (copy / FAMILY).write_text(text.replace(KNOWN_ROW, f"{KNOWN_ROW}, {NEW_ROW}"), encoding="utf-8")
    return copy


def run(copy: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_one_contract_and_one_row_mapping_take_a_new_event_to_its_silver_table(
    lakes: MakeLake, copy: Path
) -> None:
    lake = lakes(Lake)
    assert "not published yet: TitleShared 1.0" in run(copy, "jobs.contracts", "check")
    event = json.loads(run(copy, "jobs.contracts", "example", "TitleShared"))
    broken = {name: value for name, value in event.items() if name != "contentId"}
    sent = [Delivery("user-interactions", b"ada", json.dumps(e).encode()) for e in (event, broken)]
    deliver(lake, [arrived(sent)])
    small = ["--set", f"lake.root={lake.root}", "--set", "spark.driver_memory=1g"]
    run(copy, "jobs.refine", "--available-now", *small)
    (row,) = lake.read("silver.engagement").collect()
    assert (row.event_type, row.contract_version) == ("TitleShared", "1.0")
    assert (row.user_id, row.title_id, row.kind) == ("ada", "title_7", None)
    (refused,) = lake.read("silver.quarantine").collect()
    assert (refused.event_type, refused.reason, refused.path) == (
        *("TitleShared", "missing_field", "$.contentId"),
    )
