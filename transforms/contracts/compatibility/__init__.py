"""Compatibility of JSON Schema 2020-12 documents: whether one can replace another."""

from transforms.contracts.compatibility.comparison import Comparison, Mode, accepts
from transforms.contracts.compatibility.documents import Schema, SchemaDocumentError
from transforms.contracts.compatibility.levels import Direction, Level, Step, check
from transforms.contracts.compatibility.outcomes import Finding, Verdict

__all__ = [
    "Comparison",
    "Direction",
    "Finding",
    "Level",
    "Mode",
    "Schema",
    "SchemaDocumentError",
    "Step",
    "Verdict",
    "accepts",
    "check",
]
