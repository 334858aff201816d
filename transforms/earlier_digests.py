"""Earlier digests of code, stored in existing lakes, by the digest that the same code has today.

An entry states that code behaves as it did when lakes stored the digest on its right, although
its source, or the way of making digests, has changed. A change of behaviour is a new digest without
an entry: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "fcf58fbdba": "e21b7368f8",  # silver.playback
    "b659e8f5c6": "e9192c6ccd",  # silver.engagement
    "85681072d5": "5d3a0f3df7",  # silver.ratings
    "a531a279fe": "4cb70a1b04",  # silver.profiles
    "18ce7f7f72": "7d278081f6",  # silver.catalog
    "ca87ba79e9": "61ca2dd39b",  # silver.experiments
    "b7dc822a9c": "a496c2872e",  # silver.health
    "759cf19c11": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "71e943146a": "e632110551",  # training sets
    "bccc18c387": "",  # attribution: lakes held no digest of its code
    "48ea98b04c": "1a27df6c41ee",  # models
}
