"""Earlier digests of code, stored in existing lakes, by the digest that the same code has today.

An entry states that code behaves as it did when lakes stored the digest on its right, although
its source, or the way of making digests, has changed. A change of behaviour is a new digest without
an entry: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "14cde6e6ab": "8194cf3f58",  # the judge
    "e18015fabe": "e21b7368f8",  # silver.playback
    "c9b02ff1ea": "e9192c6ccd",  # silver.engagement
    "11f612e83a": "5d3a0f3df7",  # silver.ratings
    "5814328d08": "4cb70a1b04",  # silver.profiles
    "75a654c938": "7d278081f6",  # silver.catalog
    "2c2ff7e1f8": "61ca2dd39b",  # silver.experiments
    "5b0aaaf52e": "a496c2872e",  # silver.health
    "0932def5d9": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "71e943146a": "e632110551",  # training sets
    "bccc18c387": "",  # attribution: lakes held no digest of its code
    "14df7d148e": "1a27df6c41ee",  # models
}
