"""Events broken, bent or merely rewritten in every way that is known to deceive a parser.

All randomness comes from the generator the caller seeds, so a failure can be repeated.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Event = dict[str, Any]

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2.0, 2.5, 0.5, 5, 1e15, 2**53, 2**63, 2**70, 1e300, 0.1),
    *("", " ", "a", "x y", "a\n", "é", "日本", "😀", "\u0000", '"', "\\", "1", "null", "{}", "[1]"),
    *("x" * 128, "x" * 129, "é" * 128, [], [1], ["a"], [None], [["a"]], {}, {"a": 1}, [{}]),
    *("2024-01-15T10:30:00Z", "2024-01-15", "2024-02-30T00:00:00Z", "2024-01-15 10:30:00Z"),
    *("2024-01-15T10:30:00", "2024-01-15T10:30:00+02:00", "2024-01-15T10:30:00+00:00"),
    *("2024-01-15T10:30:00.1234567899Z", "2024-01-15T10:30:00.123456789Z", 1705314600000),
    *("2023-12-31T23:59:60Z", "2024-01-15t10:30:00z", "2024-02-29", "2023-02-29", "0000-01-01"),
    *("1969-12-31T23:59:59.999999Z", "2262-01-01T00:00:00Z", "2024-01-15T10:30:00+18:30"),
    *("2024-01-15T24:00:00Z", "2024-01-15T10:30:00.Z", "20240115T103000Z", "+2024-01-15T10:30:00Z"),
)
ODD_TOKENS = (
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "01",
        "1.",
        ".5",
        "+1",
        "0x1",
        "1e",
        "--1",
    ),
    *("1.0", "1e0", "1E+2", "-0", "-0.0", "100", "1e-7", "0.50", "4.50", "5.0", "1" * 400),
    *("1" * 40, "9007199254740993", "1e-400", "26400e-1", "4.4999999999999999", "4.5e0"),
    *("7." + "0" * 40, "7." + "0" * 40 + "1", "4.500000000000000000000001", "0.30000000000000004"),
    *("33.33333333333333333", "7.0000000000000000000001e0", "-1e-30", "1e23"),
    *(
        "'a'",
        "tru",
        "True",
        "undefined",
        "a",
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\x41"',
        '"\\u00e"',
    ),
    *(
        '"a\tb"',
        '"a\\tb"',
        '"\\u0041"',
        '"\\/"',
        "/*c*/1",
        "1//c\n",
        "[1,]",
        "[,1]",
        "{,}",
        '{"a":1,}',
    ),
    *(
        '{"a":1,"a":2}',
        '{"a" 1}',
        "{a:1}",
        '["a"',
        '"a',
        "[1 2]",
        "\x00",
        "\ufeff1",
        "1 2",
        '{"b":[{}]}',
    ),
    *("[" * 500 + "]" * 500, "[" * 1200 + "]" * 1200, '{"a":' * 300 + "1" + "}" * 300),
)
TAILS = (
    *(
        " ",
        "\n",
        "\r\n\t",
        "x",
        "}",
        "]",
        "{}",
        "\n{}",
        ",{}",
        "null",
        "\x00",
        "\ufeff",
        "//",
        ",",
        '"',
    ),
    *('] {"a":1', '}{"b":1', "/**/", ";", "\x0b", "\u00a0", "\u2028"),
)


def mutants(events: list[Event], seed: int) -> Iterator[bytes]:
    """Endless values: some still valid, most not, each made from one of the events."""
    rng = random.Random(seed)
    while True:
        event = copy.deepcopy(rng.choice(events))
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2))):
            rng.choice(EVENT_MUTATIONS)(rng, event)
        text = _written(rng, event)
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            text = rng.choice(TEXT_MUTATIONS)(rng, text)
        value = text.encode("utf-8", "surrogatepass")
        yield rng.choice(BYTE_MUTATIONS)(rng, value) if rng.random() < 0.15 else value


def _written(rng: random.Random, event: Event) -> str:
    separators = rng.choice(((",", ":"), (", ", ": "), (", ", ": "), (" , ", " : ")))
    indent = rng.choice((None, None, None, None, 1))
    return json.dumps(
        event,
        ensure_ascii=rng.random() < 0.5,
        sort_keys=rng.random() < 0.1,
        separators=separators,
        indent=indent,
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(o for below in value.values() for o in _objects(below))]
    if isinstance(value, list):
        return [o for below in value for o in _objects(below)]
    return []


def _somewhere(rng: random.Random, event: Event) -> tuple[dict[str, Any], str]:
    target = rng.choice([found for found in _objects(event) if found] or [{"": 0}])
    return target, rng.choice(list(target))


def _drop(rng: random.Random, event: Event) -> None:
    target, key = _somewhere(rng, event)
    del target[key]


def _replace(rng: random.Random, event: Event) -> None:
    target, key = _somewhere(rng, event)
    target[key] = copy.deepcopy(rng.choice(ODD_VALUES))


def _swap_type(rng: random.Random, event: Event) -> None:
    target, key = _somewhere(rng, event)
    value = target[key]
    if isinstance(value, str):
        target[key] = rng.choice(([value], {"value": value}, 7, True))
    elif isinstance(value, int | float):
        target[key] = rng.choice((str(value), [value], float(value), value * 1000, -value))
    else:
        target[key] = json.dumps(value)


def _rename(rng: random.Random, event: Event) -> None:
    target, key = _somewhere(rng, event)
    changed = rng.choice((key.lower(), key.upper(), key.swapcase(), key.capitalize(), key + " "))
    target[changed] = target.pop(key)


def _add(rng: random.Random, event: Event) -> None:
    target = rng.choice(_objects(event))
    name = rng.choice(("extra", "x", "eventId", "duration", "data", "", "é", 'q"', "a.b"))
    target.setdefault(name, copy.deepcopy(rng.choice(ODD_VALUES)))


def _shuffle(rng: random.Random, event: Event) -> None:
    target = rng.choice(_objects(event))
    members = list(target.items())
    rng.shuffle(members)
    target.clear()
    target.update(members)


def _own_id(rng: random.Random, event: Event) -> None:
    event["eventId"] = rng.choice(("id-1", "a:b", "x" * 128, "", "a b", 5, None))


def _put_token(rng: random.Random, text: str) -> str:
    """Replace a number, or a whole string, by a token that JSON may not know."""
    starts = [at for at, character in enumerate(text) if character == ":"]
    if not starts:
        return text
    at = rng.choice(starts) + 1
    end = min((found for found in (text.find(c, at) for c in ",}]") if found >= 0), default=at)
    return text[:at] + rng.choice(ODD_TOKENS) + text[end:]


def _repeat_member(rng: random.Random, text: str) -> str:
    ends = [at for at, character in enumerate(text) if character == ","]
    starts = [at for at in ends if text.find('"', at) >= 0]
    if not starts:
        return text
    at = rng.choice(starts)
    end = text.find(",", at + 1)
    return text[:end] + text[at:end] + text[end:] if end > 0 else text


def _add_tail(rng: random.Random, text: str) -> str:
    return text + rng.choice(TAILS)


def _add_head(rng: random.Random, text: str) -> str:
    return rng.choice((" ", "\ufeff", "\n", "x", "{", "[", "//\n", "\x00", ",")) + text


def _double(_: random.Random, text: str) -> str:
    return text + text


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _change_character(rng: random.Random, text: str) -> str:
    if not text:
        return text
    at = rng.randrange(len(text))
    new = rng.choice(
        ("", " ", '"', "\\", ",", ":", "{", "}", "[", "]", "0", "a", "\n", "\t", "é", "-", ".", "'")
    )
    return text[:at] + new + text[at + rng.randrange(2) :]


def _escape_character(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text)) if text else 0
    return text[:at] + "".join(f"\\u{ord(c):04x}" for c in text[at : at + 1]) + text[at + 1 :]


def _flip_byte(rng: random.Random, value: bytes) -> bytes:
    if not value:
        return value
    at = rng.randrange(len(value))
    return value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]


def _insert_byte(rng: random.Random, value: bytes) -> bytes:
    at = rng.randrange(len(value) + 1)
    odd = rng.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\x00", b"\xf4\x90\x80\x80"))
    return value[:at] + odd + value[at:]


def _random_bytes(rng: random.Random, value: bytes) -> bytes:
    return rng.randbytes(rng.randrange(len(value) + 2))


EVENT_MUTATIONS: tuple[Callable[[random.Random, Event], None], ...] = (
    *(_drop, _replace, _replace, _swap_type, _rename, _add, _shuffle, _own_id),
)
TEXT_MUTATIONS: tuple[Callable[[random.Random, str], str], ...] = (
    *(_put_token, _put_token, _repeat_member, _add_tail, _add_head, _double, _cut),
    *(_change_character, _change_character, _escape_character),
)
BYTE_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_flip_byte, _insert_byte, _random_bytes),
)
