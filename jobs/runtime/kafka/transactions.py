"""One Kafka transaction at a time, each step with a limit of its own.

kafka-python 3.0 waits for a commit without a limit, its close waits first for records that an
absent broker never takes, and a call after the transaction has failed does not raise what failed
it. All three are told otherwise here, through the client's own parts, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from jobs.runtime.kafka.clients import PRODUCER, python_options, refusal
from jobs.runtime.settings import KafkaSettings

REQUEST_S = 2.0  # a request without an answer is sent again
RECONNECT_MS = 500  # kafka-python's own backoff grows to 30 s, past most deadlines
ABANDON_S = 1.0


class Transactions:
    """A transactional producer, connected when first needed and anew after a failure.

    Args:
        kafka: where to.
        transactional_id: names this producer to Kafka; a newer producer of the same id fences
            this one, and settles what it left open.
        timeout_s: after this long Kafka itself aborts a transaction whose producer has vanished;
            until then it keeps those who read only committed records waiting.
    """

    def __init__(self, kafka: KafkaSettings, transactional_id: str, timeout_s: float) -> None:
        self._kafka = kafka
        self._transactional_id = transactional_id
        self._timeout_s = timeout_s
        self._client: KafkaProducer | None = None

    def begin(self, topics: Iterable[str], key: bytes, value: bytes, *, within_s: float) -> None:
        """Open a transaction with one record in each topic, all acknowledged; nothing is committed.

        Raises:
            KafkaError: it did not come to that, or not in time; the transaction is abandoned.
        """
        until = time.monotonic() + within_s
        try:
            client = self._connected(until)
            client.begin_transaction()
            client.config["max_block_ms"] = _left_ms(until)
            sent = [client.send(topic, value, key=key) for topic in topics]
            # kafka-python may report a commit as done although a record of it failed
            for record in sent:
                record.get(timeout=_left_ms(until) / 1000)
        except KafkaError as error:
            cause = self._cause(error)
            self.abandon()
            raise cause from None

    def commit(self, *, within_s: float) -> None:
        """Commit the open transaction.

        Raises:
            KafkaError: there was no answer in time, or a bad one; whether the transaction is
                committed is unknown.
        """
        assert self._client is not None
        try:
            answer = self._client._transaction_manager.begin_commit()
            self._client._sender.wakeup()
            if not answer.wait(timeout_ms=within_s * 1000):
                raise KafkaTimeoutError(f"no answer to the commit in {within_s:.1f} s")
        except KafkaError as error:
            cause = self._cause(error)
            self._close()
            raise cause from None

    def abandon(self) -> None:
        """Abort what is open, if Kafka answers, and disconnect."""
        if self._client is None:
            return
        with suppress(KafkaError):
            answer = self._client._transaction_manager.begin_abort()
            self._client._sender.wakeup()
            answer.wait(timeout_ms=ABANDON_S * 1000)
        self._close()

    def _cause(self, error: KafkaError) -> KafkaError:
        """What Kafka refused the transaction for, else what was raised."""
        refused = self._client._transaction_manager.last_error if self._client else None
        return refused if isinstance(refused, KafkaError) else error

    def _connected(self, until: float) -> KafkaProducer:
        if self._client is None:
            self._reach()
            self._client = KafkaProducer(**self._options(), bootstrap_timeout_ms=_left_ms(until))
            self._client.config["max_block_ms"] = _left_ms(until)
            self._client.init_transactions()
        return self._client

    def _reach(self) -> None:
        """Say at once why nobody listens; kafka-python would retry in silence and leak sockets."""
        refused = refusal(self._kafka)
        if refused is not None:
            raise KafkaConnectionError(refused)

    def _options(self) -> dict[str, Any]:
        own = {
            "transactional_id": self._transactional_id,
            "transaction_timeout_ms": int(self._timeout_s * 1000),
            "request_timeout_ms": int(REQUEST_S * 1000),
            "reconnect_backoff_max_ms": RECONNECT_MS,
            "linger_ms": 0,
        }
        return {**python_options(self._kafka), **PRODUCER, **own}

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client._sender.force_close()
            with suppress(KafkaError):
                client.close(timeout=ABANDON_S)


def _left_ms(until: float) -> int:
    return max(int((until - time.monotonic()) * 1000), 0)
