"""Numbers as they are written: read without rounding, held by a type or not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.contracts.numbers import MAX_SAFE_INTEGER, is_held, is_multiple, read_number


@pytest.mark.parametrize("token", ["2640", "2640.0", "2.64e3", "264000E-2", "2640.00000000"])
def test_a_whole_number_is_an_integer_in_any_form(token: str) -> None:
    assert read_number(token) == 2640
    assert isinstance(read_number(token), int)


@given(st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER), st.integers(0, 9))
def test_every_safe_integer_is_held_exactly(number: int, zeros: int) -> None:
    for token in (f"{number}.{'0' * zeros}0", f"{number}{'0' * zeros}e-{zeros}", str(number)):
        assert read_number(token) == number
        assert is_held(read_number(token), "integer")
    if number:
        assert not is_held(read_number(f"{number}.{'0' * 30}1"), "integer")


@given(st.floats(-(2.0**53) + 1, 2.0**53 - 1))
def test_every_double_is_held_as_any_serializer_writes_it(number: float) -> None:
    for token in (repr(number), f"{number:.17g}", f"{number:.16e}"):
        written = read_number(token)
        assert float(written) == number
        assert is_held(written, "number")


def test_a_number_of_an_endless_exponent_is_held_by_no_type() -> None:
    for token in (f"1e{'9' * 30}", f"1e-{'9' * 30}", "1e999999999"):
        assert not is_held(read_number(token), "number")
        assert not is_held(read_number(token), "integer")


@pytest.mark.parametrize(
    ("number", "step", "expected"),
    [
        (4.5, 0.5, True),
        (Decimal("4.4999999999999999"), 0.5, False),
        (MAX_SAFE_INTEGER, 0.0009765625, True),
        (9, 3.0, True),
        (10, 3, False),
    ],
)
def test_multiples_are_of_what_is_written(number: float, step: float, expected: bool) -> None:
    assert is_multiple(number, step) is expected
