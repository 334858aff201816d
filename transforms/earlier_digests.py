"""Digests of code that lakes hold from before, by the digest that the same code has now.

A line says that code decides as it did when lakes wrote the digest on its right, though it is
written otherwise now (or digests were made otherwise then). A change of what code does is a new
digest, which no line names: it shows in signatures and parity, and rebuilds what depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_AS: Mapping[str, str] = {
    "e75552d528": "8194cf3f58",  # the judge
    "db25ebb707": "e21b7368f8",  # silver.playback
    "6b030d9c1c": "e9192c6ccd",  # silver.engagement
    "c7b1b2c126": "5d3a0f3df7",  # silver.ratings
    "e0907b8414": "4cb70a1b04",  # silver.profiles
    "af60f7ecaa": "7d278081f6",  # silver.catalog
    "6f2f824a04": "61ca2dd39b",  # silver.experiments
    "a66813b94e": "a496c2872e",  # silver.health
    "70b24ec825": "aecabc3d60",  # silver.models
    "92b2211d5d": "f64b778663",  # folds
    "eec11c7241": "e632110551",  # training sets
    "0f2c1dac70": "",  # attribution: lakes held no digest of its code
    "dc48d1c3ff": "1a27df6c41ee",  # models
}
