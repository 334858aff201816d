"""Clients of Kafka: one KafkaSettings for kafka-python and Spark alike.

Spark's client is Java's and kafka-python is not, so every security option has two spellings.
Secrets are wrapped in `Secret`, whose text clients can read and whose repr hides it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from jobs.runtime.errors import ServiceError, SettingsError
from jobs.runtime.settings import KafkaSettings

JAAS_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
# fewer, larger requests: 100,000 events of 600 bytes cost 4.9 s of CPU at 256 KiB a batch, 8.1 s
# at kafka-python's own 16 KiB, and no less at 1 MiB; a linger of 20 or 100 ms makes no difference
PRODUCER = {
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "snappy",
    "linger_ms": 20,
    "batch_size": 256 * 1024,
    "allow_auto_create_topics": False,
    "max_block_ms": 15_000,
}


class Secret(str):
    """A text that a client can read and a log, a traceback or an assertion cannot."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def python_options(kafka: KafkaSettings) -> dict[str, Any]:
    """The options with which every kafka-python client is constructed.

    Raises:
        SettingsError: the address or the credentials are not set.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": _bootstrap_servers(kafka).split(","),
        "security_protocol": kafka.security_protocol,
    }
    if kafka.ca_file:
        options["ssl_cafile"] = kafka.ca_file
    if kafka.client_file:
        options["ssl_certfile"] = kafka.client_file
    if kafka.key_password:
        options["ssl_password"] = Secret(kafka.key_password.get_secret_value())
    if kafka.sasl_mechanism:
        username, password = _credentials(kafka)
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": username,
            "sasl_plain_password": password,
        }
    return options


def spark_options(kafka: KafkaSettings) -> dict[str, str]:
    """The options of Spark's Kafka source and sink: `reader.options(**spark_options(kafka))`.

    Raises:
        SettingsError: the address or the credentials are not set.
    """
    options = {
        "kafka.bootstrap.servers": _bootstrap_servers(kafka),
        "kafka.security.protocol": kafka.security_protocol,
    }
    if kafka.ca_file:
        options |= {
            "kafka.ssl.truststore.type": "PEM",
            "kafka.ssl.truststore.location": kafka.ca_file,
        }
    if kafka.client_file:
        options |= {
            "kafka.ssl.keystore.type": "PEM",
            "kafka.ssl.keystore.location": kafka.client_file,
        }
    if kafka.key_password:
        options["kafka.ssl.key.password"] = Secret(kafka.key_password.get_secret_value())
    if kafka.sasl_mechanism:
        username, password = map(_quoted, _credentials(kafka))
        options |= {
            "kafka.sasl.mechanism": kafka.sasl_mechanism,
            "kafka.sasl.jaas.config": Secret(
                f"{JAAS_LOGIN_MODULES[kafka.sasl_mechanism]} required "
                f"username={username} password={password};"
            ),
        }
    return options


def reach(kafka: KafkaSettings) -> None:
    """Return once a broker answers.

    Raises:
        ServiceError: none did within `kafka.reach_timeout_s` seconds, or it refused the
            credentials.
    """
    with admin(kafka):
        return


@contextmanager
def admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """Connect an administration client for the time of the block.

    Yields:
        The client.

    Raises:
        ServiceError: no broker answered within `kafka.reach_timeout_s` seconds, it refused the
            credentials, or it refused a request made in the block.
    """
    timeout_ms = kafka.reach_timeout_s * 1000
    try:
        client = KafkaAdminClient(**python_options(kafka), bootstrap_timeout_ms=timeout_ms)
    except KafkaError:
        raise _unreachable(kafka) from None
    try:
        yield client
    except KafkaError as error:
        raise ServiceError(
            f"Kafka at {kafka.bootstrap_servers} refused: {type(error).__name__}",
            "see the broker's log and the user's rights",
        ) from error
    finally:
        client.close()


def describe_topics(kafka: KafkaSettings, topics: Sequence[str]) -> list[Mapping[str, Any]]:
    """Describe topics, as Kafka has them.

    Args:
        kafka: connection to the cluster.
        topics: names of the topics.

    Returns:
        A mapping for each topic: `name`, `topic_id` and `partitions`, each with `partition_index`.

    Raises:
        ServiceError: no broker answers, or a topic does not exist.
    """
    with admin(kafka) as client:
        described: list[Mapping[str, Any]] = client.describe_topics(list(topics))
    missing = [topic["name"] for topic in described if topic["error_code"]]
    if missing:
        raise ServiceError(
            f"Kafka at {kafka.bootstrap_servers} has no topic {', '.join(missing)}",
            "create the topics with python -m jobs.topics",
        )
    return described


def topic_ids(described: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Kafka's own id of each topic, by name.

    A topic that is made anew has another id.

    Args:
        described: topics, as `describe_topics` returns them.
    """
    return {topic["name"]: str(topic["topic_id"]) for topic in described}


def partitions_of(described: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """The topic and number of every partition.

    Args:
        described: topics, as `describe_topics` returns them.
    """
    return [
        (topic["name"], partition["partition_index"])
        for topic in described
        for partition in topic["partitions"]
    ]


class Producer:
    """Sends records, and raises at the next call if one was not delivered."""

    def __init__(self, client: KafkaProducer) -> None:
        self._client = client
        self._failure: Exception | None = None

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Any:
        """Queue one record.

        Args:
            topic: name of the topic.
            value: bytes of the value; None: a tombstone.
            key: bytes of the key, if any.
            partition: number of the partition; None: by the key's murmur2 hash, as in Java.
            headers: names and values of headers.

        Returns:
            kafka-python's future of the record.

        Raises:
            ServiceError: Kafka has no such topic, does not answer, or did not take an earlier
                record.
        """
        self._answer_for_failure()
        try:
            sent = self._client.send(
                topic, value, key=key, partition=partition, headers=list(headers)
            )
        except KafkaTimeoutError:
            raise ServiceError(
                f"Kafka has no topic {topic}, or stopped answering", "run: python -m jobs.topics"
            ) from None
        sent.add_errback(self._remember)
        return sent

    def flush(self) -> None:
        """Return once every record sent so far is on all in-sync replicas.

        Raises:
            ServiceError: a record was not delivered; names the first failure.
        """
        self._client.flush()
        self._answer_for_failure()

    def _answer_for_failure(self) -> None:
        """Raise ServiceError if a record was not delivered."""
        if self._failure is not None:
            raise ServiceError(
                f"Kafka did not take every record: {type(self._failure).__name__}",
                "see that the broker is well and its disk not full; sending again is safe, "
                "repeats are recognised",
            )

    def _remember(self, failure: Exception) -> None:
        """Store the first failure."""
        self._failure = self._failure or failure


@contextmanager
def producer(kafka: KafkaSettings, **options: Any) -> Iterator[Producer]:
    """Connect a producer that loses and repeats nothing: snappy, acks=all, idempotent.

    It is flushed when the block ends without an error, and closed in any case.

    Args:
        kafka: connection to the cluster that the records are sent to.
        options: further kafka-python options, over the defaults in PRODUCER.

    Yields:
        The producer.

    Raises:
        ServiceError: Kafka cannot be reached, or did not take a record.
    """
    reach(kafka)
    client = KafkaProducer(**python_options(kafka), **{**PRODUCER, **options})
    try:
        sender = Producer(client)
        yield sender
        sender.flush()
    finally:
        client.close()


def refusal(kafka: KafkaSettings) -> str | None:
    """Why no bootstrap server takes a connection.

    Returns:
        The reason of the first server; None if any server takes a connection.
    """
    refusals = [_refusal(server) for server in _bootstrap_servers(kafka).split(",")]
    return refusals[0] if all(refusals) else None


def _unreachable(kafka: KafkaSettings) -> ServiceError:
    """The error when no broker answered, with its cause.

    kafka-python retries until the timeout and does not report the cause.
    """
    problem = f"Kafka at {kafka.bootstrap_servers} gave no answer in {kafka.reach_timeout_s} s"
    refused = refusal(kafka)
    if refused:
        return ServiceError(
            f"{problem}: {refused}",
            "start it, or correct kafka.bootstrap_servers; null means the embedded broker",
        )
    login = f"{kafka.security_protocol} {kafka.sasl_mechanism or ''}".strip()
    return ServiceError(
        f"{problem}, though something listens there: it does not let this client in by {login}",
        "correct kafka.security_protocol, kafka.sasl_mechanism, kafka.ca_file or the credentials",
    )


def _refusal(server: str) -> str:
    """Why a server `host:port` takes no connection, empty if it takes one."""
    host, _, port = server.strip().rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError as error:
        return f"{server}: {error.strerror or error}"
    except ValueError:
        return f"{server}: not host:port"
    return ""


def _bootstrap_servers(kafka: KafkaSettings) -> str:
    """The configured addresses.

    Raises:
        SettingsError: they are not set.
    """
    if kafka.bootstrap_servers is None:
        raise SettingsError("kafka.bootstrap_servers is not set", "set it, or use kafka_of()")
    return kafka.bootstrap_servers


def _credentials(kafka: KafkaSettings) -> tuple[Secret, Secret]:
    """The SASL user name and password.

    Raises:
        SettingsError: they are not in the environment.
    """
    if kafka.username is None or kafka.password is None:
        raise SettingsError(
            f"kafka.sasl_mechanism is {kafka.sasl_mechanism}, but there are no credentials",
            "set PLAYHEAD_KAFKA_USERNAME and PLAYHEAD_KAFKA_PASSWORD in the environment",
        )
    return Secret(kafka.username.get_secret_value()), Secret(kafka.password.get_secret_value())


def _quoted(text: str) -> str:
    """A text in double quotes for JAAS, with quotes and backslashes escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
