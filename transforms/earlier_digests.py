"""Earlier digests of code, stored in existing lakes, by the digest that the same code has today.

An entry states that code behaves as it did when lakes stored the digest on its right, although
its source, or the way of making digests, has changed. A change of behaviour is a new digest without
an entry: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "4c3742d0e9": "e21b7368f8",  # silver.playback
    "b6d25f8ea8": "e9192c6ccd",  # silver.engagement
    "e8cf279a12": "5d3a0f3df7",  # silver.ratings
    "16f4715d3f": "4cb70a1b04",  # silver.profiles
    "6b107197c1": "7d278081f6",  # silver.catalog
    "e72c4b23ff": "61ca2dd39b",  # silver.experiments
    "5dd8ad9d87": "a496c2872e",  # silver.health
    "a424e0a72f": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "71e943146a": "e632110551",  # training sets
    "bccc18c387": "",  # attribution: lakes held no digest of its code
    "c98393e99f": "1a27df6c41ee",  # models
}
