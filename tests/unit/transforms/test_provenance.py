"""Provenance: what only moves keeps its digest, what decides otherwise gets a new one."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from transforms.earlier_digests import HELD_AS
from transforms.provenance import code_digest, reached

numbers = count()
Make = Callable[..., ModuleType]

JUDGE = """
'Judges.'
from math import floor
from {package}.rules import LIMIT, within

def judge(value):
    'Is it sound?'
    return within(floor(value), LIMIT)
"""
RULES = """
from {package}.bounds import least

LIMIT = 5

def within(value, limit):
    return least() <= value <= limit
"""
BOUNDS = """
def least():
    return 1
"""
TREE = {
    "judge": JUDGE,
    "rules": RULES,
    "bounds": BOUNDS,
    "elsewhere": "def unrelated(): return 0",
}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes packages of modules and imports one module of each."""
    monkeypatch.syspath_prepend(str(tmp_path))
    packages = []

    def make(tree: Mapping[str, str], begin: str = "judge") -> ModuleType:
        package = f"decides{next(numbers)}"
        packages.append(package)
        for name, source in tree.items():
            file = tmp_path / package / f"{name.replace('.', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source.replace("{package}", package), encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(f"{package}.{begin}")

    yield make
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        del sys.modules[name]


def test_a_module_that_moves_or_is_split_keeps_the_digest(made: Make) -> None:
    before = code_digest(made(TREE))
    imports = "from {package}.rules import LIMIT, within"
    now = "from {package}.rules.limits import LIMIT\nfrom {package}.rules.span import within"
    moved = {
        "lanes.strict": JUDGE.replace(imports, now),
        "rules.limits": "LIMIT = 5",
        "rules.span": RULES.replace("LIMIT = 5", "").replace(".bounds", ".rules.bounds"),
        "rules.bounds": BOUNDS,
    }
    assert code_digest(made(moved, "lanes.strict")) == before


def test_comments_docstrings_and_layout_do_not_count(made: Make) -> None:
    before = code_digest(made(TREE))
    prose = {
        "judge": JUDGE.replace("Is it sound?", "Whether the value is sound."),
        "rules": RULES.replace("LIMIT = 5", "LIMIT = (  # of the scale\n    5\n)"),
        "bounds": BOUNDS.replace("return 1", "'The least.'\n    return 1"),
    }
    assert code_digest(made(prose)) == before


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("judge", "floor(value), LIMIT", "floor(value), LIMIT + 1"),
        ("rules", "LIMIT = 5", "LIMIT = 6"),
        ("bounds", "return 1", "return 2"),
        ("judge", "from math import floor", "from math import ceil as floor"),
    ],
)
def test_a_change_in_any_module_that_decides_is_noticed(
    made: Make, module: str, old: str, new: str
) -> None:
    before = code_digest(made(TREE))
    assert code_digest(made({**TREE, module: TREE[module].replace(old, new)})) != before


def test_a_module_that_nobody_reaches_does_not_count(made: Make) -> None:
    before = code_digest(made(TREE))
    assert code_digest(made({**TREE, "elsewhere": "def unrelated(): return 1"})) == before


def test_attribution_training_and_training_sets_are_digested_whole() -> None:
    from transforms.features import as_of
    from transforms.gold import experiment_user
    from transforms.recommendations import evaluation, temporal_split

    names = {module.__name__.rpartition(".")[2] for module in reached(experiment_user)}
    assert {"experiment_user", "definitions", "metrics", "variables"} <= names
    names = {module.__name__.rpartition(".")[2] for module in reached(as_of)}
    assert {"as_of", "facts", "fold", "tables"} <= names
    names = {module.__name__.rpartition(".")[2] for module in reached(evaluation, temporal_split)}
    assert {"evaluation", "model", "histories", "validity", "fold"} <= names


def test_every_earlier_digest_stands_for_code_of_today() -> None:
    from transforms.features import as_of
    from transforms.gold import experiment_user, facts, fold
    from transforms.silver.tables import FAMILIES

    rows = [
        {inspect.getmodule(row) for row in family.rows.values()} for family in FAMILIES.values()
    ]
    codes = [*rows, {fold, facts}, {as_of}, {experiment_user}]
    stale = set(HELD_AS) - {code_digest(*filter(None, modules)) for modules in codes}
    assert not stale, (
        f"code behind {sorted(stale)} has changed: every lake rebuilds what depends on it; if it "
        "behaves as before, give the entry the digest that it has now"
    )
