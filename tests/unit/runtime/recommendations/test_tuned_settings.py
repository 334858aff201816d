"""Which settings a training goes by."""

from __future__ import annotations

import json
from typing import Any, cast

from jobs.runtime.recommendations.model_registry import ModelRegistry
from jobs.runtime.recommendations.training import declaration
from jobs.runtime.recommendations.tuned_settings import found_by, settings_in_force
from jobs.runtime.settings import RecommendSettings, load_settings

CONFIGURED = load_settings(environment={}).recommend
FOUND = CONFIGURED.model_copy(update={"l2": 7.5, "half_star": 2})


class Champion:
    """A registry whose champion has these tags; none: no champion."""

    def __init__(self, **tags: str) -> None:
        self.found = tags

    def version_of(self, _: str) -> str | None:
        return "4" if self.found else None

    def tags(self, _: str) -> dict[str, str]:
        return self.found


def in_force(champion: Champion, configured: RecommendSettings = CONFIGURED) -> Any:
    return settings_in_force(cast(ModelRegistry, champion), configured)


def tuned() -> Champion:
    return Champion(declaration=json.dumps(declaration(FOUND)), **found_by(CONFIGURED, "run1"))


def test_without_a_champion_the_configured_settings_are_in_force() -> None:
    assert in_force(Champion()) == (CONFIGURED, {})


def test_a_champion_of_configured_settings_changes_nothing() -> None:
    assert in_force(Champion(declaration=json.dumps(declaration(FOUND)))) == (CONFIGURED, {})


def test_what_was_found_is_in_force_once_it_is_the_champion_and_is_passed_on() -> None:
    assert in_force(tuned()) == (FOUND, found_by(CONFIGURED, "run1"))


def test_a_setting_that_is_changed_is_in_force_at_once() -> None:
    changed = CONFIGURED.model_copy(update={"l2": 1.5})
    assert in_force(tuned(), changed) == (changed, {})


def test_a_setting_that_is_no_part_of_a_model_is_never_taken_from_a_champion() -> None:
    shorter = CONFIGURED.model_copy(update={"list_length": 5})
    settings, _ = in_force(tuned(), shorter)
    assert (settings.list_length, settings.l2) == (5, 7.5)
