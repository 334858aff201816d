"""Provenance: digests of what determines a row, so that a difference can be traced to a change.

A digest of code covers the top-level statements of a module and of all modules that it imports,
directly or not, from its own package. Module paths, import statements, comments, layout and
docstrings do not count: code that only moves keeps its digest, any other change gives a new one.
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

LENGTH = 10  # hexadecimal digits; a lake holds dozens of definitions, not millions
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(*parts: str) -> str:
    """SHA-256 of the parts in their order, cut to LENGTH hexadecimal digits."""
    joined = "\0".join(parts).encode()
    return hashlib.sha256(joined).hexdigest()[:LENGTH]


@cache
def code(*modules: ModuleType) -> str:
    """Digest of the code of modules, in the form that lakes store.

    Args:
        modules: modules to start from; their imports from their own package are included.

    Returns:
        The digest by `earlier_digests`, where the current one has an entry; else the current one.
        An entry may be empty.
    """
    computed = code_digest(*modules)
    return HELD_AS.get(computed, computed)


def code_digest(*modules: ModuleType) -> str:
    """Digest of the current code of modules and their imports, without a look at `earlier_digests`.

    Args:
        modules: modules to start from.

    Returns:
        LENGTH hexadecimal digits.
    """
    trees = (_undocumented(inspect.getsource(module)) for module in reached(*modules))
    return digest(*sorted(part for tree in trees for part in _statements(tree)))


def reached(*modules: ModuleType) -> set[ModuleType]:
    """Collect modules and their transitive imports from their own package.

    Args:
        modules: modules to start from.

    Returns:
        The modules themselves and all that they reach, without this module.
    """
    found: set[ModuleType] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found and module is not sys.modules[__name__]:
            found.add(module)
            waiting += _imported(module)
    return found


def _imported(module: ModuleType) -> Iterator[ModuleType]:
    """Yield the modules of its own package that a module imports by `from ... import`."""
    package = module.__name__.partition(".")[0]
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == package:
            for alias in node.names:
                yield _module_of(str(node.module), alias.name)


def _module_of(parent: str, name: str) -> ModuleType:
    """Resolve what `from parent import name` reads.

    Returns:
        The submodule `name` if there is one, else the module `parent`.
    """
    try:
        return importlib.import_module(f"{parent}.{name}")
    except ModuleNotFoundError:
        return importlib.import_module(parent)


def _undocumented(source: str) -> ast.Module:
    """Parse source code and remove its docstrings.

    Returns:
        The syntax tree.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree


def _statements(tree: ast.Module) -> Iterator[str]:
    """Yield a dump of each top-level statement, imports excepted, and each alias of an import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (f"{a.name} as {a.asname}" for a in node.names if a.asname)
    for statement in _WithoutImports().visit(tree).body:
        yield ast.dump(statement)


class _WithoutImports(ast.NodeTransformer):
    """Transformer of a syntax tree that removes import statements at any depth."""

    def visit_Import(self, node: ast.Import) -> None:
        """Remove an `import` statement."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Remove a `from ... import` statement."""
