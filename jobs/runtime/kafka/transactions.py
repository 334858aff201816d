"""One Kafka transaction at a time, with a time limit for each step.

kafka-python 3.0 waits for a commit without a limit, its close waits first for records that an
absent broker never takes, and a call after the transaction has failed does not raise the cause.
All three are corrected here, through the client's own parts, and nowhere else.
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
        kafka: connection to the cluster that the records are sent to.
        transactional_id: name of this producer in Kafka; a newer producer of the same id fences
            this one, and settles what it left open.
        timeout_s: seconds after which Kafka itself aborts a transaction whose producer has
            vanished; until then it holds back readers of committed records.
    """

    def __init__(self, kafka: KafkaSettings, transactional_id: str, timeout_s: float) -> None:
        self._kafka = kafka
        self._transactional_id = transactional_id
        self._timeout_s = timeout_s
        self._client: KafkaProducer | None = None

    def begin(self, topics: Iterable[str], key: bytes, value: bytes, *, within_s: float) -> None:
        """Open a transaction with one acknowledged record in each topic, without committing it.

        Args:
            topics: names of the topics.
            key: key of the record in each topic.
            value: value of the record in each topic.
            within_s: longest time in seconds.

        Raises:
            KafkaError: a step failed or time ran out; the transaction is abandoned.
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

        Args:
            within_s: longest wait in seconds.

        Raises:
            KafkaError: there was no answer in time, or an error; whether the transaction is
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
        """Abort an open transaction, if Kafka answers, and disconnect."""
        if self._client is None:
            return
        with suppress(KafkaError):
            answer = self._client._transaction_manager.begin_abort()
            self._client._sender.wakeup()
            answer.wait(timeout_ms=ABANDON_S * 1000)
        self._close()

    def _cause(self, error: KafkaError) -> KafkaError:
        """The error for which Kafka refused the transaction, else the error raised."""
        refused = self._client._transaction_manager.last_error if self._client else None
        return refused if isinstance(refused, KafkaError) else error

    def _connected(self, until: float) -> KafkaProducer:
        """The producer, connected first if needed.

        Args:
            until: deadline in monotonic seconds.

        Raises:
            KafkaError: the connection fails.
        """
        if self._client is None:
            self._reach()
            self._client = KafkaProducer(**self._options(), bootstrap_timeout_ms=_left_ms(until))
            self._client.config["max_block_ms"] = _left_ms(until)
            self._client.init_transactions()
        return self._client

    def _reach(self) -> None:
        """Raise KafkaConnectionError at once if no server takes a connection.

        kafka-python would retry silently and leak sockets.
        """
        refused = refusal(self._kafka)
        if refused is not None:
            raise KafkaConnectionError(refused)

    def _options(self) -> dict[str, Any]:
        """The kafka-python options of the producer."""
        own = {
            "transactional_id": self._transactional_id,
            "transaction_timeout_ms": int(self._timeout_s * 1000),
            "request_timeout_ms": int(REQUEST_S * 1000),
            "reconnect_backoff_max_ms": RECONNECT_MS,
            "linger_ms": 0,
        }
        return {**python_options(self._kafka), **PRODUCER, **own}

    def _close(self) -> None:
        """Disconnect without waiting for unsent records."""
        client, self._client = self._client, None
        if client is not None:
            client._sender.force_close()
            with suppress(KafkaError):
                client.close(timeout=ABANDON_S)


def _left_ms(until: float) -> int:
    """Whole milliseconds until a deadline in monotonic seconds, at least 0."""
    return max(int((until - time.monotonic()) * 1000), 0)
