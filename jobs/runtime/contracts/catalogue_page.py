"""The catalogue of events: one self-contained page for their producers and consumers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from transforms.contracts.contract import Contract
from transforms.contracts.description import changes, field_rows
from transforms.contracts.example import example
from transforms.contracts.registry import Registry


def write_catalogue(registry: Registry, file: Path) -> None:
    """Write the catalogue of events as an HTML page.

    Args:
        registry: contracts to show, every version of each.
        file: path of the page.

    Raises:
        ContractError: a contract has no example that it accepts.
    """
    pages = Environment(
        loader=PackageLoader("jobs.runtime", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
    )
    events = [_event(registry.versions(name)) for name in registry.event_types]
    page = pages.get_template("contracts.html").render(events=events, topics=registry.topics)
    file.write_text(page, encoding="utf-8")


def _event(versions: tuple[Contract, ...]) -> Mapping[str, Any]:
    """The template's values for one event type.

    Args:
        versions: contracts of the event type, oldest first.

    Returns:
        name, description, topics, key and family of the newest version; `versions`, newest first,
        and `changes` between neighbours.
    """
    newest = versions[-1]
    return {
        "name": newest.event_type,
        "description": newest.schema.get("description", ""),
        "topics": newest.topics,
        "key": newest.key,
        "family": newest.family,
        "versions": [_version(contract) for contract in reversed(versions)],
        "changes": [
            {"old": old.version, "new": new.version, "said": changes(old, new)}
            for old, new in reversed(list(pairwise(versions)))
        ],
    }


def _version(contract: Contract) -> Mapping[str, Any]:
    """The template's values for one version: its number, field rows, and example as JSON text."""
    return {
        "version": contract.version,
        "rows": field_rows(contract),
        "example": json.dumps(example(contract), indent=2, ensure_ascii=False),
    }
