"""Provenance: digests of what decides a row, so that a difference can be laid at a change.

A digest of code is of the top-level statements of a module and of all modules that it reaches by
imports inside its own package. Neither where a statement lives nor how it is imported counts, nor
do comments, layout and docstrings: code that only moves keeps its digest, any other change gives
a new one.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from transforms.earlier_digests import HELD_AS

LENGTH = 10  # hexadecimal digits; a lake meets dozens of definitions, not millions
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(*parts: str) -> str:
    """The leading LENGTH hexadecimal digits of the SHA-256 of the parts, in their order."""
    joined = "\0".join(parts).encode()
    return hashlib.sha256(joined).hexdigest()[:LENGTH]


@cache
def code(*modules: ModuleType) -> str:
    """The digest of what modules do, as lakes hold it.

    Args:
        modules: where to begin; what they import of their own package is part of it.

    Returns:
        The digest of the code, or what `earlier_digests` says that lakes hold in its place.
    """
    computed = code_digest(*modules)
    return HELD_AS.get(computed, computed)


def code_digest(*modules: ModuleType) -> str:
    """The digest of the statements that modules reach, of whatever earlier digest."""
    trees = (_undocumented(inspect.getsource(module)) for module in reached(*modules))
    return digest(*sorted(part for tree in trees for part in _statements(tree)))


def reached(*modules: ModuleType) -> set[ModuleType]:
    """The modules and, step by step, all that they import of their own package, but this one."""
    found: set[ModuleType] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found and module is not sys.modules[__name__]:
            found.add(module)
            waiting += _imported(module)
    return found


def _imported(module: ModuleType) -> Iterator[ModuleType]:
    package = module.__name__.partition(".")[0]
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == package:
            for alias in node.names:
                yield _module_of(str(node.module), alias.name)


def _module_of(parent: str, name: str) -> ModuleType:
    """The module that `from parent import name` reads: `name` if it is one, else `parent`."""
    try:
        return importlib.import_module(f"{parent}.{name}")
    except ModuleNotFoundError:
        return importlib.import_module(parent)


def _undocumented(source: str) -> ast.Module:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree


def _statements(tree: ast.Module) -> Iterator[str]:
    """Each top-level statement without imports, and each other name that an import gives."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (f"{a.name} as {a.asname}" for a in node.names if a.asname)
    for statement in _WithoutImports().visit(tree).body:
        yield ast.dump(statement)


class _WithoutImports(ast.NodeTransformer):
    def visit_Import(self, node: ast.Import) -> None:
        """Leave it out."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Leave it out."""
