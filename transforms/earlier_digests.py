"""Digests of code that lakes hold from before, by the digest that the same code has now.

A line says that code decides as it did when lakes wrote the digest on its right, though it is
written otherwise now (or digests were made otherwise then). A change of what code does is a new
digest, which no line names: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {}
