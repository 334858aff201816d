"""The strict lane's two ways through a text say the same, and what the oracle says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from jobs.runtime.contracts.registry import load_registry
from tests.oracles.pipeline import Bounds, Raw, judged
from tests.support.mutator import mutants
from tests.support.strategies import NOON
from transforms.contracts.contract import Contract
from transforms.contracts.example import example
from transforms.events.strict_lane import StrictReader

CONTRACTS = list(load_registry())
READER = StrictReader(CONTRACTS)
AFTERWARDS = {"wrong_key", "extreme_time", "future_time", "old_time", "wrong_topic"}
UNFIT = {"empty_value", "oversize_value", "invalid_utf8"}
PLAY = next(each for each in CONTRACTS if each.name == "VideoPlaybackStarted 2.1")
EVENT: dict[str, Any] = example(PLAY)


@pytest.fixture
def deep() -> Iterator[None]:
    """Room for the oracle, which calls itself a few times for each level of a document."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("deep")
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_what_is_read_of_a_bent_event_is_what_the_oracle_reads(contract: Contract) -> None:
    """By the decoder alone, place by place, and together."""
    for value in islice(mutants([example(contract)], seed=7), 400):
        raw = Raw(contract.topics[0], 0, 0, b"", value, NOON)
        event, reasons = judged(raw, Bounds())
        if reasons & UNFIT:
            continue
        expected = reasons - AFTERWARDS
        checked = READER.checked(value, contract.topics[0])
        decoded = READER.decoded(value, contract.topics[0])
        assert (checked.reason is None) == (not expected), (value, checked, reasons)
        assert checked.reason is None or checked.reason in expected, (value, checked, reasons)
        if decoded is not None:
            assert same(decoded.content) == same(checked.content), value
            assert decoded._replace(content="") == checked._replace(content=""), value
        if checked.content is not None:
            assert agrees(json.loads(checked.content), event), value


def same(content: str | None) -> Any:
    """What a content says, its members in order."""
    return json.loads(content or "null", object_pairs_hook=list)


def agrees(content: Any, event: Any) -> bool:
    """Whether all that a content says is in an event, and no known member was lost."""
    if isinstance(content, dict):
        return all(agrees(below, event[name]) for name, below in content.items())
    if isinstance(content, list):
        return len(content) == len(event) and all(map(agrees, content, event))
    return content == event or float(content) == float(event)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(EVENT, sort_keys=True),
        json.dumps({name: EVENT[name] for name in reversed(EVENT)}),
        json.dumps({"new": {"a": [1, {"b": ":"}]}, **EVENT, "later": None}),
        json.dumps(EVENT).replace('"platform": "', '"platform": "君の名は '),
        json.dumps(EVENT).replace('"platform": "', '"platform": "\\u541b\\n\\"'),
        json.dumps(EVENT).replace('"position": 0', '"position": 0.0'),
        json.dumps(EVENT, indent=4),
    ],
    ids=["sorted", "reversed", "unknown", "UTF-8", "escaped", "fraction", "indented"],
)
def test_what_real_producers_write_never_leaves_the_decoder(value: str) -> None:
    """Place by place would be right too, and five times slower."""
    assert READER.decoded(value.encode(), PLAY.topics[0]) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"userId": "', '"userId": "x", "userId": "'),
        ('"position": 0', '"position": 0, "x": {"y": 1, "y": 2}'),
        ('"platform": "', '"platform": "x", "platform": "\\u003a'),
        ('"position": 0', '"position": 0, "x": {"a": "\\u003a", "a": "\\u003A"}'),
        ('"userId"', '"x": "\\ud800", "userId"'),
        ('"userId"', '"UserId": "x", "userId"'),
        ('"userId"', f'"x": {"[" * 1000}{"]" * 1000}, "userId"'),
        ('"userId"', f'"x": {"1" * 1001}, "userId"'),
        ('"userId"', f'"{"x" * 50_001}": 1, "userId"'),
        ('"position": 0', '"position": 2640.000000000000000000000000001'),
    ],
    ids=lambda text: text[:30],
)
def test_what_a_decoder_drops_or_rounds_in_silence_is_refused(old: str, new: str) -> None:
    text = json.dumps(EVENT)
    assert old in text
    assert READER.read(text.encode(), PLAY.topics[0]).reason is None
    assert READER.read(text.replace(old, new, 1).encode(), PLAY.topics[0]).reason is not None
