"""Earlier digests of code, stored in existing lakes, by the digest that the same code has today.

An entry states that code behaves as it did when lakes stored the digest on its right, although
its source, or the way of making digests, has changed. A change of behaviour is a new digest without
an entry: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "5d8b680cb1": "e21b7368f8",  # silver.playback
    "c121bc000b": "e9192c6ccd",  # silver.engagement
    "a033cbd3b2": "5d3a0f3df7",  # silver.ratings
    "0ba7c8167d": "4cb70a1b04",  # silver.profiles
    "b47f7dad5b": "7d278081f6",  # silver.catalog
    "14230aab8f": "61ca2dd39b",  # silver.experiments
    "52a0f0be5d": "a496c2872e",  # silver.health
    "6592ce5e52": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "71e943146a": "e632110551",  # training sets
    "3815ec0b66": "",  # attribution: lakes held no digest of its code
}
