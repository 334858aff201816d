"""Canonical texts: a contract's patterns take exactly the numbers and gaps that they may."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.contracts.contract import Contract
from transforms.contracts.numbers import MAX_SAFE_INTEGER
from transforms.events.fast_lane import GAPS, canonical_pattern, opening

WHOLE = st.one_of(
    st.integers(0, MAX_SAFE_INTEGER),
    st.integers(0, 1_200),
    st.integers(0, 15).map(lambda digits: 10**digits),
    st.integers(1, 15).map(lambda digits: 10**digits - 1),
)


@given(bounds=st.tuples(WHOLE, WHOLE), value=WHOLE)
@pytest.mark.parametrize("near", [-1, 0, 1])
def test_a_whole_number_is_taken_if_it_is_within_its_bounds(
    bounds: tuple[int, int], value: int, near: int
) -> None:
    least, most = sorted(bounds)
    pattern = _pattern(_contract(least, most), "")
    for number in {value, max(least + near, 0), most + near}:
        assert _takes(pattern, number) == (least <= number <= most), f"{number} in {bounds}"


def test_a_whole_number_has_no_leading_zero() -> None:
    pattern = _pattern(_contract(0, 31_536_000), "")
    assert not any(_takes(pattern, number) for number in ("00", "01", "007", "-1", "1.0", ""))


def test_a_fraction_has_as_many_digits_as_a_double_tells_apart() -> None:
    pattern = _pattern(_contract(0, 100, "number"), "")
    taken = ("33.333333333333336", "0.30000000000000004", "7", "99.5", "100", "100.0", "0.0")
    refused = ("99.1234567890123456", "9.12345678901234567", "0.123456789012345678", "100.5", "1.")
    assert [number for number in taken if not _takes(pattern, number)] == []
    assert [number for number in refused if _takes(pattern, number)] == []


@pytest.mark.parametrize("gap", GAPS)
def test_a_pattern_takes_one_way_to_write_gaps(gap: str) -> None:
    contract = _contract(0, 9)
    event = {
        "eventType": "Counted",
        "version": "1.0",
        "timestamp": "2026-11-26T00:00:00Z",
        "count": 7,
        "userId": "u",
    }
    text = json.dumps(event, separators=(f",{gap}", f":{gap}"))
    other = json.dumps(event, separators=(",", ": "))
    assert text.startswith(opening(contract, gap))
    assert re.match(_pattern(contract, gap), text)
    assert not re.match(_pattern(contract, gap), other)


def _takes(pattern: str, number: int | str) -> bool:
    text = '{"eventType":"Counted","version":"1.0","timestamp":"2026-11-26T00:00:00Z","count":%s'
    return re.match(pattern, text % number + ',"userId":"u"}') is not None


def _pattern(contract: Contract, gap: str) -> str:
    """The pattern for Java as Python writes it."""
    return canonical_pattern(contract, gap).replace(r"\z", r"\Z")


def _contract(least: int, most: int, kind: str = "integer") -> Contract:
    properties = {
        "eventType": {"const": "Counted"},
        "version": {"const": "1.0"},
        "timestamp": {"type": "string", "format": "date-time"},
        "count": {"type": kind, "minimum": least, "maximum": most},
        "userId": {"type": "string", "minLength": 1},
    }
    schema = {
        "x-topics": ["user-interactions"],
        "x-key": "userId",
        "x-family": "playback",
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }
    return Contract("Counted", "1.0", schema)
