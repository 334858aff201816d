"""The digest of training's code: all that decides about a model is in it."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

import pytest

from jobs.runtime.recommendations import (
    als,
    challenger,
    gram_state,
    neighbour_counts,
    training,
)
from transforms.provenance import reached

IN_DIGEST = {module.__name__ for module in reached(*challenger.MODEL_CODE)}


@pytest.mark.parametrize("room", [als, challenger, gram_state, neighbour_counts, training])
def test_what_training_and_judging_import_is_in_the_digest(room: ModuleType) -> None:
    imports = [n for n in ast.walk(ast.parse(inspect.getsource(room)))
               if isinstance(n, ast.ImportFrom)]  # fmt: skip
    modules = {str(node.module) for node in imports}
    used = {name for name in modules if name.startswith("transforms.recommendations.")}
    assert used <= IN_DIGEST


def test_making_lists_is_not_in_the_digest() -> None:
    assert not IN_DIGEST & {f"transforms.recommendations.{n}" for n in ("lists", "reasons")}
