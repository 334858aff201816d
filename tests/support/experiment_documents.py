"""Experiment definitions of tests, as YAML parses them, and changes of them."""

from __future__ import annotations

import copy
from typing import Any


def documents() -> dict[str, Any]:
    """A small catalogue, as YAML parses it."""
    return {
        "metrics.yaml": {
            "metrics": {
                "plays": {"kind": "mean", "outcome": {"event": "VideoPlaybackStarted"}},
                "back": {
                    "kind": "retention",
                    "outcome": {"event": "VideoPlaybackStarted"},
                    "day": 7,
                },
            }
        },
        "layers.yaml": {
            "layers": {"home": {"salt": "h1"}},
            "holdouts": {"none": {"salt": "n1", "share": 0.1, "layers": ["home"]}},
        },
        "rows.yaml": {
            "id": "rows",
            "layer": "home",
            "buckets": [0, 5000],
            "variants": [{"name": "control", "weight": 0.5}, {"name": "new", "weight": 0.5}],
            "traffic": [
                {"at": "2026-01-05T00:00:00Z", "share": 0.1},
                {"at": "2026-01-08T00:00:00Z", "share": 0.5},
            ],
            "start": "2026-01-05T00:00:00Z",
            "end": "2026-02-02T00:00:00Z",
            "goals": ["plays"],
            "guardrails": [{"metric": "back", "margin": 0.02}],
        },
    }


def changed(path: str, value: Any, base: dict[str, Any] | None = None) -> dict[str, Any]:
    """The documents with one value put, or with None one key removed, at file:key/key."""
    tree = copy.deepcopy(base or documents())
    file, _, keys = path.partition(":")
    *parents, last = [file, *filter(None, keys.split("/"))]
    node: Any = tree
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    if value is None:
        del node[last]
    else:
        node[int(last) if isinstance(node, list) else last] = value
    return tree
