"""Earlier digests of code, stored in existing lakes, by the digest that the same code has today.

An entry states that code behaves as it did when lakes stored the digest on its right, although
its source, or the way of making digests, has changed. A change of behaviour is a new digest without
an entry: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "e735f195d9": "e21b7368f8",  # silver.playback
    "4de2c0ed06": "e9192c6ccd",  # silver.engagement
    "f77d347bbc": "5d3a0f3df7",  # silver.ratings
    "cb6982a655": "4cb70a1b04",  # silver.profiles
    "546389c135": "7d278081f6",  # silver.catalog
    "0eabba9364": "61ca2dd39b",  # silver.experiments
    "06a8d214fc": "a496c2872e",  # silver.health
    "6564d09e01": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "71e943146a": "e632110551",  # training sets
    "bccc18c387": "",  # attribution: lakes held no digest of its code
    "fc64e3d046": "1a27df6c41ee",  # models
}
