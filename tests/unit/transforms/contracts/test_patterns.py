"""Patterns: what a contract may use is found by Java and Python alike, in ECMA's sense."""

from __future__ import annotations

import re

import pytest
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.support.strategies import examples
from transforms.contracts.patterns import PatternError, portable

CLASSES = ("[a-c]", "[^a]", "[a&&b]", "[[]", "[a|~b]", "[.$]", r"[\]\-]", "[-a]", "[ #]", "[é-ü]")
ATOMS = st.sampled_from(
    [*"ab c-]}#&\n", r"\.", r"\[", r"\-", r"\&", ".", "$", "^", "é", "😀", *CLASSES]
)
REPEATS = st.sampled_from(
    ["", "", "", "*", "+", "?", "*?", "{2}", "{1,}", "{0,2}?", "++", "{", "{3,2}"]
)
PATTERNS = st.recursive(
    st.builds(str.__add__, ATOMS, REPEATS),
    lambda inner: st.one_of(
        st.builds(str.__add__, inner, inner),
        st.builds("{}|{}".format, inner, inner),
        st.builds("({}){}".format, inner, REPEATS),
        st.builds("(?:{}){}".format, inner, REPEATS),
    ),
    max_leaves=6,
)
TEXTS = (
    "",
    *"abc]&[|.$-\n\r\u0085\u2028é😀",
    "a\n",
    "ab",
    "aa",
    "a&&b",
    "b a",
    "c#c",
    "😀😀",
    "\r\n",
)


def test_java_and_python_find_the_same(spark: SparkSession) -> None:
    taken = [(pattern, text) for pattern in _portable(examples(PATTERNS, 300)) for text in TEXTS]
    rows = spark.createDataFrame([(text, p) for p, text in taken], "text STRING, pattern STRING")
    java = [row.found for row in rows.selectExpr("rlike(text, pattern) AS found").collect()]
    python = [re.search(pattern, text) is not None for pattern, text in taken]
    assert [
        pair for pair, *found in zip(taken, java, python, strict=True) if len({*found}) > 1
    ] == []
    assert len(taken) > 100 * len(TEXTS), "too few patterns were portable to show anything"


def _portable(patterns: list[str]) -> list[str]:
    found = []
    for pattern in patterns:
        try:
            found.append(portable(pattern))
        except PatternError:
            continue
    return found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        *((pattern, "is not portable") for pattern in ("[", "a{", "(?=a)", r"\d", "(?i)a", "[]")),
        *((pattern, "is not portable") for pattern in (r"(a)\1", "(?<n>a)", r"\é", "{", "a{,2}")),
        *((pattern, "repeats nothing") for pattern in ("*", "^*", "a++", "a|*", "a{1}{2}", "$+")),
        *((pattern, "no regular expression") for pattern in ("[z-a]", "(a", "a)", "a{3,2}")),
    ],
)
def test_what_engines_read_differently_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=reason):
        portable(pattern)


@pytest.mark.parametrize(
    ("pattern", "found", "not_found"),
    [
        ("^a$", ["a"], ["a\n", "\na"]),
        ("^.$", ["a", "\u0085", "😀"], ["\n", "\r", "\u2028", "\u2029", ""]),
        ("^[a&&b[]$", ["a", "b", "&", "["], ["c", "]"]),
    ],
)
def test_patterns_mean_what_ecma_means(
    pattern: str, found: list[str], not_found: list[str]
) -> None:
    assert [text for text in found if not re.search(portable(pattern), text)] == []
    assert [text for text in not_found if re.search(portable(pattern), text)] == []
