"""Which settings a training goes by: those configured, or those that a tuning found from them.

A version that was trained by found settings names the configured ones from which they were found.
While such a version is the champion and the configured settings are still those, trainings go by
what was found; whoever changes a configured setting has it in force at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jobs.runtime.recommendations.model_registry import CHAMPION, ModelRegistry
from jobs.runtime.recommendations.training import declaration
from jobs.runtime.settings import RecommendSettings
from transforms.recommendations.declaration import DECLARED

FOUND_FROM, FOUND_BY = "found_from", "found_by"


def found_by(configured: RecommendSettings, run_id: str) -> dict[str, str]:
    """The tags of a version by settings that were found.

    Args:
        configured: settings that the tuning began with.
        run_id: MLflow run of the tuning.
    """
    return {FOUND_FROM: _text(configured), FOUND_BY: run_id}


def settings_in_force(
    registry: ModelRegistry, configured: RecommendSettings
) -> tuple[RecommendSettings, dict[str, str]]:
    """The settings to train by, and the tags of the version if they were found.

    Args:
        registry: versions of the model.
        configured: settings of conf and command line.
    """
    champion = registry.version_of(CHAMPION)
    tags = {} if champion is None else registry.tags(champion)
    if tags.get(FOUND_FROM) != _text(configured):
        return configured, {}
    found = with_declared(configured, json.loads(tags["declaration"]))
    return found, {name: tags[name] for name in (FOUND_FROM, FOUND_BY)}


def with_declared(settings: RecommendSettings, declared: Mapping[str, Any]) -> RecommendSettings:
    """The settings with a declaration's in place of their own."""
    return settings.model_copy(update={name: declared[name] for name in DECLARED})


def _text(settings: RecommendSettings) -> str:
    return json.dumps(declaration(settings), sort_keys=True)
