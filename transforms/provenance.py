"""Provenance: digests of what decides a row, so that a difference can be laid at a change.

A digest of code is that of its syntax tree without docstrings: comments, layout and prose do not
count, every statement does.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from functools import cache
from types import ModuleType

LENGTH = 10  # hexadecimal digits; a lake meets dozens of definitions, not millions
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(*parts: str) -> str:
    """The leading LENGTH hexadecimal digits of the SHA-256 of the parts, in their order."""
    told = "\0".join(parts).encode()
    return hashlib.sha256(told).hexdigest()[:LENGTH]


@cache
def code(*modules: ModuleType) -> str:
    """The digest of what modules do."""
    return digest(*(_statements(inspect.getsource(module)) for module in modules))


def _statements(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
