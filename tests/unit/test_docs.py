"""The documents: what they name is there, what they tell to run exists, the index is complete."""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from jobs.runtime.lake.tables import TABLES
from transforms.gold.fold import Fold
from transforms.gold.tables import FOLDS

HOME = Path(__file__).resolve().parents[2]
README = HOME / "README.md"
INDEX = HOME / "docs" / "tables.md"
DOCUMENTS = (*sorted(HOME.glob("*.md")), *sorted((HOME / "docs").glob("*.md")))
FIRST_SCREEN = 40

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    r"(?<![\w/.$#<>-])(?:\.ci|conf|docs|jobs|notebooks|tests|transforms)/[\w./<>*-]*[\w/>*]"
)
DECLARATION = re.compile(r"\]\(([^)\s]+\.py)\)\s+`(\w+)`")
MODULE = re.compile(r"\bjobs\.([a-z_]+)\b(?!\()")
COMMAND = re.compile(r"(?:`|^ {4})(?:\$ )?playhead ([a-z][\w-]*)", re.MULTILINE)
SCENARIO = re.compile(r"\bSCENARIO=([a-z][\w-]*)")
TARGET = re.compile(r"(?:`|^ {4}|&& )make ([a-z]+)", re.MULTILINE)
ROW = re.compile(r"^\| ((?:bronze|silver|gold|ops)\.\w+) \| ([^|]+) \|.*$", re.MULTILINE)
NOT_DOORS = ("runtime", "producers", "dags")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)


@cache
def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def anchors_of(file: Path) -> frozenset[str]:
    """The anchors that a page's headings have where Markdown is shown."""
    headings = re.findall(r"^#+ (.+)$", text_of(file), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings)


def declares(file: Path, symbol: str) -> bool:
    """Does a module declare a function, method, class or constant of this name?"""
    declared = rf"^(?: *(?:def|class) {symbol}\b|{symbol}\b *[:=])"
    return re.search(declared, text_of(file), re.MULTILINE) is not None


def is_door(name: str) -> bool:
    """Is there a job of this name?"""
    module = name.replace("-", "_")
    package = HOME / "jobs" / module / "__main__.py"
    return (HOME / "jobs" / f"{module}.py").is_file() or package.is_file()


def is_there(path: str) -> bool:
    """Does a path of the tree exist, `<name>` standing for any name?"""
    pattern = re.sub(r"<[^<>]*>", "*", path)
    return any(HOME.glob(pattern)) if "*" in pattern else (HOME / pattern).exists()


def rows_of(document: Path) -> dict[str, str]:
    """The lines of a document's tables that begin with the name of a table of the lake."""
    return {found[1]: found[0] for found in ROW.finditer(text_of(document))}


def broken_link(document: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (document.parent / path).resolve() if path else document
    if not file.exists():
        return True
    return bool(anchor) and anchor not in anchors_of(file)


def test_every_table_is_a_row_of_the_index() -> None:
    listed = [found[1] for found in ROW.finditer(text_of(INDEX))]
    assert sorted(listed) == sorted(TABLES), "docs/tables.md and TABLES differ"


@pytest.mark.parametrize("table", TABLES)
def test_the_index_names_the_file_and_symbol_that_declare_a_table(table: str) -> None:
    row = rows_of(INDEX)[table]
    declared = DECLARATION.search(row)
    assert declared, f"the row of {table} links no file with a `symbol` behind it"
    file = INDEX.parent / declared[1]
    assert file.is_file(), f"{table}: {declared[1]} is not there"
    assert declares(file, declared[2]), f"{table}: {declared[1]} declares no {declared[2]}"


@pytest.mark.parametrize("fold", FOLDS.values(), ids=FOLDS)
def test_the_index_tells_the_key_of_a_fold(fold: Fold) -> None:
    keys = {found[1]: found[2] for found in ROW.finditer(text_of(INDEX))}
    assert keys[f"gold.{fold.name}"] == ", ".join(fold.key)


def test_readme_has_each_gold_table_with_its_definition() -> None:
    rows, index = rows_of(README), rows_of(INDEX)
    gold = {table for table in TABLES if table.startswith("gold.")}
    assert rows.keys() == gold, "the gold tables of README and TABLES differ"
    for table, row in rows.items():
        declared = [(f"../{file}", symbol) for file, symbol in DECLARATION.findall(row)]
        assert declared == DECLARATION.findall(index[table]), f"README on {table}"


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(text_of(document))
    broken = [target for target in targets if broken_link(document, target)]
    assert not broken, f"{document.name} links what is not there: {broken}"


@every_document
def test_paths_are_there(document: Path) -> None:
    text = LINK.sub("", text_of(document))
    broken = sorted({path for path in PATH.findall(text) if not is_there(path)})
    assert not broken, f"{document.name} names what is not there: {broken}"


@every_document
def test_what_is_said_to_be_declared_in_a_file_is(document: Path) -> None:
    broken = [
        f"{symbol} in {target}"
        for target, symbol in DECLARATION.findall(text_of(document))
        if not declares((document.parent / target).resolve(), symbol)
    ]
    assert not broken, f"{document.name} names what is not declared: {broken}"


@every_document
def test_commands_name_jobs(document: Path) -> None:
    text = text_of(document)
    modules = {name for name in MODULE.findall(text) if name not in NOT_DOORS}
    broken = sorted(n for n in chain(modules, COMMAND.findall(text)) if not is_door(n))
    assert not broken, f"{document.name} runs jobs that are not there: {broken}"


@every_document
def test_make_targets_and_scenarios_exist(document: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", text_of(HOME / "Makefile"), re.MULTILINE))
    benchmarks = HOME / "tests" / "benchmarks"
    text = text_of(document)
    broken = [f"make {target}" for target in TARGET.findall(text) if target not in known]
    broken += [
        f"SCENARIO={name}"
        for name in SCENARIO.findall(text)
        if not (benchmarks / f"{name.replace('-', '_')}.py").is_file()
    ]
    assert not broken, f"{document.name} runs what make does not know: {broken}"


def test_the_first_screen_of_readme_has_both_commands_and_the_picture() -> None:
    screen = "\n".join(text_of(README).splitlines()[:FIRST_SCREEN])
    for needed in ("    make demo ", "    make test ", "conserved", "](docs/report.png)"):
        assert needed in screen, f"{needed!r} is not in the first {FIRST_SCREEN} lines"
    assert (HOME / "docs" / "report.png").is_file()
