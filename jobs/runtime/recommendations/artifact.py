"""A trained model as files, and back; the same model gives the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs.runtime.errors import DataError
from transforms.recommendations.factors import FactorModel
from transforms.recommendations.fixed_point import Integers
from transforms.recommendations.model import Model, Recommender

DECLARATION = "declaration.json"
KINDS: Mapping[type, tuple[str, ...]] = {
    Model: ("titles", "weights"),
    FactorModel: ("titles", "factors"),
}


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model with what is needed to score by it.

    Attributes:
        model: item-item weights or factors.
        prior: prior of each title, as of training.
        declaration: settings it was trained by and the instant it was trained for.
    """

    model: Recommender
    prior: Integers
    declaration: Mapping[str, Any]

    def save(self, folder: Path) -> str:
        """Write the files into an empty folder.

        Returns:
            The SHA-256 over them all, see `digest`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*KINDS[type(self.model)], "prior"):
            values = self.prior if name == "prior" else getattr(self.model, name)
            np.save(folder / f"{name}.npy", values, allow_pickle=False)
        kind = {"kind": type(self.model).__name__}
        text = json.dumps({**kind, **self.declaration}, indent=2, sort_keys=True)
        (folder / DECLARATION).write_text(text, encoding="utf-8")
        return digest(folder)


def load(folder: Path) -> TrainedModel:
    """Read a model that `TrainedModel.save` wrote.

    Raises:
        DataError: files are missing or damaged.
    """
    try:
        declaration = json.loads((folder / DECLARATION).read_text(encoding="utf-8"))
        name = declaration.pop("kind")
        [kind] = [each for each in KINDS if each.__name__ == name]
        arrays = {name: np.load(folder / f"{name}.npy") for name in (*KINDS[kind], "prior")}
        prior = arrays.pop("prior")
        scales = {"confidence": declaration["confidence"], "l2": declaration["factor_l2"]}
        extra = scales if kind is FactorModel else {}
        return TrainedModel(kind(**arrays, **extra), prior, declaration)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the model in {folder} cannot be read: {error}",
            "train anew with python -m jobs.train, or go back with python -m jobs.promote --back",
        ) from None


def digest(folder: Path) -> str:
    """The SHA-256 over the names and contents of a folder's files."""
    total = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        total.update(f"{file.name}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
