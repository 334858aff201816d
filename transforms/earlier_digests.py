"""Earlier digests of code, stored in existing lakes, by the digest that the same code has today.

An entry states that code behaves as it did when lakes stored the digest on its right, although
its source, or the way of making digests, has changed. A change of behaviour is a new digest without
an entry: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "0cc2e7e3da": "e21b7368f8",  # silver.playback
    "718a8c3616": "e9192c6ccd",  # silver.engagement
    "c4dfd5a10f": "5d3a0f3df7",  # silver.ratings
    "9c6e329822": "4cb70a1b04",  # silver.profiles
    "1322bfcfb6": "7d278081f6",  # silver.catalog
    "58b6b75f09": "61ca2dd39b",  # silver.experiments
    "257200413e": "a496c2872e",  # silver.health
    "f45c919cd3": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "71e943146a": "e632110551",  # training sets
    "bccc18c387": "",  # attribution: lakes held no digest of its code
    "48646a422a": "1a27df6c41ee",  # models
}
