"""Earlier digests of code, stored in existing lakes, by the digest that the same code has today.

An entry states that code behaves as it did when lakes stored the digest on its right, although
its source, or the way of making digests, has changed. A change of behaviour is a new digest without
an entry: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "86b6bd3ca6": "e21b7368f8",  # silver.playback
    "86242e45b6": "e9192c6ccd",  # silver.engagement
    "db5718fb8a": "5d3a0f3df7",  # silver.ratings
    "11cf5cfb98": "4cb70a1b04",  # silver.profiles
    "c27b45a051": "7d278081f6",  # silver.catalog
    "37e24b2726": "61ca2dd39b",  # silver.experiments
    "e66121a32b": "a496c2872e",  # silver.health
    "d32cbb03e8": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "71e943146a": "e632110551",  # training sets
    "bccc18c387": "",  # attribution: lakes held no digest of its code
    "dc05378a24": "1a27df6c41ee",  # models
}
