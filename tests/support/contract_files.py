"""Files of a contract made for a test, and what `jobs.contracts` says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from jobs.contracts import main


def run(*arguments: str | Path) -> Result:
    """What `jobs.contracts` says to a command line."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def contract_document(version: str = "1.0", **fields: Any) -> dict[str, Any]:
    """A sound contract of ThingSeen, with further fields."""
    return {
        "x-topics": ["things"],
        "x-key": "thingId",
        "x-family": "engagement",
        "type": "object",
        "required": ["eventType", "version", "timestamp", "thingId"],
        "properties": {
            "eventType": {"const": "ThingSeen"},
            "version": {"const": version},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "examples": ["2024-01-15T10:30:00Z"],
            },
            "thingId": {"type": "string"},
            **fields,
        },
    }


def write(folder: Path, document: dict[str, Any]) -> Path:
    """Write a contract of ThingSeen to its place in a folder; its path."""
    version = document["properties"]["version"]["const"]
    file = folder / "ThingSeen" / f"{version}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document))
    return file
