from __future__ import annotations

import pytest

from jobs.runtime.errors import SettingsError
from jobs.runtime.service.admission import LOCAL, RateLimit, Tokens
from tests.support.online_stores import Clock

FIRST, SECOND = "first-token-of-one", "second-token-of-another"


def test_a_token_names_its_client_without_giving_itself_away() -> None:
    tokens = Tokens([FIRST, SECOND])
    assert tokens.client_of(f"Bearer {SECOND}") == "token-1"
    assert tokens.client_of(f"Bearer {FIRST}") == "token-0"
    assert tokens.client_of("Bearer nothing") is None
    assert FIRST not in repr(vars(tokens))


def test_without_tokens_everybody_is_one_client() -> None:
    assert Tokens([]).client_of("") == LOCAL
    assert not Tokens([])


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"shorter than 16 -> make one: .*token_urlsafe") as no:
        Tokens([FIRST, "guess-me"])
    assert "guess-me" not in str(no.value)


def test_a_rate_is_a_rate_for_each_client(clock: Clock) -> None:
    limit = RateLimit(2, clock)
    assert [limit.admits("a") for _ in range(3)] == [True, True, False]
    assert limit.admits("b")
    clock.now += 0.5
    assert [limit.admits("a") for _ in range(2)] == [True, False]
    clock.now += 3_600
    assert [limit.admits("a") for _ in range(3)] == [True, True, False]
