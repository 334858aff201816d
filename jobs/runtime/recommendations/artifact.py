"""A trained model as files, and back; the same model gives the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from jobs.runtime.errors import DataError
from transforms.recommendations.factors import FactorModel
from transforms.recommendations.fixed_point import Integers
from transforms.recommendations.model import Model, Recommender

DECLARATION = "declaration.json"
FOLLOWING = ("data", "indices", "indptr")
"""Parts of `Model.following`, a file each; a model without it has none of them."""
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
        for name, values in self._arrays().items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)
        kind = {"kind": type(self.model).__name__}
        text = json.dumps({**kind, **self.declaration}, indent=2, sort_keys=True)
        (folder / DECLARATION).write_text(text, encoding="utf-8")
        return digest(folder)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {name: getattr(self.model, name) for name in KINDS[type(self.model)]}
        following = getattr(self.model, "following", None)
        if following is not None:
            arrays |= {f"following_{part}": getattr(following, part) for part in FOLLOWING}
        return {**arrays, "prior": self.prior}


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
        return TrainedModel(kind(**arrays, **_extra(kind, folder, declaration)), prior, declaration)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the model in {folder} cannot be read: {error}",
            "train anew with python -m jobs.train, or go back with python -m jobs.promote --back",
        ) from None


def _extra(kind: type, folder: Path, declaration: Mapping[str, Any]) -> dict[str, Any]:
    """What a kind of model is made of besides the arrays that each one has."""
    if kind is FactorModel:
        return {"confidence": declaration["confidence"], "l2": declaration["factor_l2"]}
    if not (folder / f"following_{FOLLOWING[0]}.npy").exists():
        return {}
    parts = tuple(np.load(folder / f"following_{part}.npy") for part in FOLLOWING)
    titles = len(parts[-1]) - 1
    return {"following": csr_array(parts, shape=(titles, titles))}


def digest(folder: Path) -> str:
    """The SHA-256 over the names and contents of a folder's files."""
    total = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        total.update(f"{file.name}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
