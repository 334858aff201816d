"""The architecture: doors, rooms and packages import one way, as the imports themselves say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from sys import path as search_path
from sys import stdlib_module_names

import pytest

HOME = Path(__file__).resolve().parents[2]
ROOMS = (  # from the ground up: each may import those before it; two are to come
    *("errors", "conf_files", "settings", "pages", "spark", "cli"),
    *("contracts", "kafka", "outbox", "lake"),
    *("telemetry", "streams", "pipeline", "hot_path", "online", "maintenance", "quality"),
    *("profiles", "features", "experiments", "recommendations", "recompute", "erasure"),
    *("service", "reader", "notebooks", "operations"),
)
PACKAGES = {  # of transforms: what each may import besides itself
    "contracts": (),
    "commands": ("contracts",),
    "events": ("contracts",),
    "silver": ("contracts", "events"),
    "experiments": (),
    "gold": ("events", "silver", "experiments"),
    "features": ("events", "silver", "gold"),
    "quality": (),
    "recommendations": ("events", "silver", "gold"),
}
EVERYWHERE = ("provenance", "instants", "ids", "earlier_digests")  # of transforms itself


@cache
def imports() -> dict[str, frozenset[str]]:
    """The modules that each of our modules imports, by name."""
    files = {_name(file): file for top in ("jobs", "transforms", "tests")
             for file in (HOME / top).rglob("*.py")}  # fmt: skip
    return {name: frozenset(_imported(file, files.keys())) for name, file in files.items()}


def _name(file: Path) -> str:
    return ".".join(file.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")


def _imported(file: Path, known: object) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else str(node.module)  # type: ignore[operator]


def arrows(below: str) -> Iterator[tuple[str, str]]:
    """Each import of one of our modules by a module whose name begins so."""
    for name, targets in imports().items():
        if name.startswith(below):
            yield from ((name, target) for target in sorted(targets))


def is_door(module: str) -> bool:
    parts = module.removesuffix(".__main__").split(".")
    return parts[0] == "jobs" and len(parts) == 2 and parts[1] not in ("runtime", "producers")


def room_of(module: str) -> str:
    return module.split(".")[2]


def test_nobody_imports_a_door() -> None:
    broken = [f"{name} imports {target}" for name, target in arrows("jobs.")
              if is_door(target)]  # fmt: skip
    assert not broken, f"rule 1: a door is imported by nobody: {broken}"


def test_a_room_imports_only_rooms_below_it() -> None:
    broken = [
        f"{name} imports {target}"
        for name, target in arrows("jobs.runtime.")
        if target.startswith("jobs.runtime.")
        and ROOMS.index(room_of(target)) > ROOMS.index(room_of(name))
    ]
    assert not broken, f"rule 2: a room imports only rooms below it in the list: {broken}"


def test_nothing_in_runtime_imports_a_producer() -> None:
    broken = [f"{name} imports {target}" for name, target in arrows("jobs.runtime.")
              if target.startswith("jobs.producers")]  # fmt: skip
    assert not broken, f"rule 2: producers are imported by replay, simulate and demo: {broken}"


def test_who_judges_records_is_given_a_judge_and_loads_no_contracts() -> None:
    """Contracts and time bounds are loaded once a job, by `load_judge`, and passed down."""
    judging = ("pipeline", "profiles", "recompute", "erasure")
    broken = []
    for room in judging:
        for file in (HOME / "jobs" / "runtime" / room).glob("*.py"):
            text = file.read_text(encoding="utf-8")
            if file.stem != "judging" and ("load_registry(" in text or "TimeBounds(" in text):
                broken.append(f"{room}/{file.name}")
    broken.remove("profiles/commands.py")  # an example of its use, in its docstring
    assert not broken, f"one fact, one place: these load contracts or make bounds anew: {broken}"


def test_transforms_import_one_way_and_nothing_of_jobs() -> None:
    broken = []
    for name, target in arrows("transforms."):
        package, of = name.split(".")[1], target.split(".")
        if of[0] == "jobs" or (
            of[0] == "transforms"
            and len(of) > 1
            and of[1] not in (package, *EVERYWHERE, *PACKAGES.get(package, ()))
        ):
            broken.append(f"{name} imports {target}")
    assert not broken, f"rule 3: transforms is pure, its packages import one way: {broken}"


def test_no_file_below_jobs_takes_the_place_of_a_module() -> None:
    names = {path.stem for path in (HOME / "jobs").iterdir() if path.suffix == ".py"}
    ours = (HOME, HOME / "jobs")
    elsewhere = [place for place in search_path if Path(place).resolve() not in ours]
    broken = sorted(
        name
        for name in names - {"__init__", "__main__"}
        if name in stdlib_module_names or PathFinder.find_spec(name, elsewhere) is not None
    )
    assert not broken, f"rule 4: spark-submit puts jobs/ first on sys.path: {broken} hide modules"


def test_imports_have_no_circle() -> None:
    graph = {name: {t for t in targets if t in imports()} for name, targets in imports().items()
             if not name.startswith("tests")}  # fmt: skip
    while leaves := [name for name, targets in graph.items() if not targets & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f"these modules import each other in a circle: {sorted(graph)}"


@pytest.mark.parametrize("door", sorted(p.stem for p in (HOME / "jobs").glob("[a-z]*.py")))
def test_a_door_is_thin(door: str) -> None:
    lines = len((HOME / "jobs" / f"{door}.py").read_text(encoding="utf-8").splitlines())
    assert lines <= 330, f"rule 1: a door parses, opens, calls and prints; {door} has {lines} lines"


def test_no_test_imports_another_test() -> None:
    broken = [f"{name} imports {target}" for name, target in arrows("tests.")
              if target.rpartition(".")[2].startswith("test_")]  # fmt: skip
    assert not broken, f"what tests share lies in tests/support: {broken}"
