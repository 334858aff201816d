"""Clients of Kafka: one KafkaSettings, told to kafka-python and to Spark alike.

Spark's client is Java's and kafka-python is not, so every security option has two spellings.
A secret is wrapped in `Secret`, which shows itself to the client and to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from jobs.runtime.errors import ServiceError, SettingsError
from jobs.runtime.settings import KafkaSettings

JAAS_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
# fewer, larger requests: at 700 bytes an event a batch is about 350 events before compression
PRODUCER = {
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "snappy",
    "linger_ms": 20,
    "batch_size": 256 * 1024,
}


class Secret(str):
    """A text that a client can read and a log, a traceback or an assertion cannot."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def python_options(kafka: KafkaSettings) -> dict[str, Any]:
    """What every kafka-python client is constructed with."""
    options: dict[str, Any] = {
        "bootstrap_servers": _bootstrap_servers(kafka).split(","),
        "security_protocol": kafka.security_protocol,
    }
    if kafka.ca_file:
        options["ssl_cafile"] = kafka.ca_file
    if kafka.sasl_mechanism:
        username, password = _credentials(kafka)
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": username,
            "sasl_plain_password": password,
        }
    return options


def spark_options(kafka: KafkaSettings) -> dict[str, str]:
    """What Spark's Kafka source and sink are given: `reader.options(**spark_options(kafka))`."""
    options = {
        "kafka.bootstrap.servers": _bootstrap_servers(kafka),
        "kafka.security.protocol": kafka.security_protocol,
    }
    if kafka.ca_file:
        options |= {
            "kafka.ssl.truststore.type": "PEM",
            "kafka.ssl.truststore.location": kafka.ca_file,
        }
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
        ServiceError: none did within `kafka.reach_timeout_s`, or it refused the credentials.
    """
    with admin(kafka):
        return


@contextmanager
def admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """An administration client, connected.

    Raises:
        ServiceError: no broker answered within `kafka.reach_timeout_s`, or it refused.
    """
    timeout_ms = kafka.reach_timeout_s * 1000
    try:
        client = KafkaAdminClient(**python_options(kafka), bootstrap_timeout_ms=timeout_ms)
    except KafkaError as error:
        raise ServiceError(
            f"Kafka at {kafka.bootstrap_servers} ({kafka.security_protocol}) could not be reached "
            f"within {kafka.reach_timeout_s} s: {type(error).__name__}",
            "start it, or correct kafka.bootstrap_servers, kafka.security_protocol and the "
            "credentials in the environment; null means the embedded broker",
        ) from None
    try:
        yield client
    finally:
        client.close()


def partitions(kafka: KafkaSettings, topics: Sequence[str]) -> list[tuple[str, int]]:
    """Every (topic, partition) of the topics.

    Raises:
        ServiceError: no broker answers, or a topic does not exist.
    """
    with admin(kafka) as client:
        described = client.describe_topics(list(topics))
    missing = [topic["name"] for topic in described if topic["error_code"]]
    if missing:
        raise ServiceError(
            f"Kafka at {kafka.bootstrap_servers} has no topic {', '.join(missing)}",
            "create the topics with python -m jobs.topics",
        )
    return [
        (topic["name"], partition["partition_index"])
        for topic in described
        for partition in topic["partitions"]
    ]


@contextmanager
def producer(kafka: KafkaSettings, **options: Any) -> Iterator[KafkaProducer]:
    """A producer that loses and repeats nothing: snappy, acks=all, idempotent.

    It is flushed when the block ends well, and closed in any case.

    Args:
        kafka: where to.
        options: further kafka-python options, over the defaults in PRODUCER.
    """
    reach(kafka)
    client = KafkaProducer(**python_options(kafka), **{**PRODUCER, **options})
    try:
        yield client
        client.flush()
    finally:
        client.close()


def _bootstrap_servers(kafka: KafkaSettings) -> str:
    if kafka.bootstrap_servers is None:
        raise SettingsError("kafka.bootstrap_servers is not set", "set it, or use kafka_of()")
    return kafka.bootstrap_servers


def _credentials(kafka: KafkaSettings) -> tuple[Secret, Secret]:
    if kafka.username is None or kafka.password is None:
        raise SettingsError(
            f"kafka.sasl_mechanism is {kafka.sasl_mechanism}, but there are no credentials",
            "set PLAYHEAD_KAFKA_USERNAME and PLAYHEAD_KAFKA_PASSWORD in the environment",
        )
    return Secret(kafka.username.get_secret_value()), Secret(kafka.password.get_secret_value())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
