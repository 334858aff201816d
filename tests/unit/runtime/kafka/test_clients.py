"""One KafkaSettings, spelt for two clients; secrets reach the client and nobody else."""

from __future__ import annotations

import pytest

from jobs.runtime.errors import SettingsError
from jobs.runtime.kafka.clients import python_options, spark_options
from jobs.runtime.settings import KafkaSettings, load_settings

PASSWORD = 'sec"ret\\of-the-test'


@pytest.fixture
def secured(monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    monkeypatch.setenv("PLAYHEAD_KAFKA_USERNAME", "ada")
    monkeypatch.setenv("PLAYHEAD_KAFKA_PASSWORD", PASSWORD)
    overrides = ["kafka.bootstrap_servers=a:1,b:2", "kafka.ca_file=/ca.pem"]
    return load_settings("cluster", overrides, environment={}).kafka


def test_kafka_python_is_told_everything(secured: KafkaSettings) -> None:
    assert python_options(secured) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "ssl_cafile": "/ca.pem",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ada",
        "sasl_plain_password": PASSWORD,
    }


def test_spark_is_told_the_same_with_the_password_escaped_for_jaas(secured: KafkaSettings) -> None:
    assert spark_options(secured) == {
        "kafka.bootstrap.servers": "a:1,b:2",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.truststore.location": "/ca.pem",
        "kafka.sasl.mechanism": "SCRAM-SHA-512",
        "kafka.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            'username="ada" password="sec\\"ret\\\\of-the-test";'
        ),
    }


def test_printed_options_hold_no_secret(secured: KafkaSettings) -> None:
    for options in (python_options(secured), spark_options(secured)):
        assert "of-the-test" not in repr(options)


def test_missing_credentials_are_named_by_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLAYHEAD_KAFKA_USERNAME", raising=False)
    kafka = load_settings("cluster", environment={}).kafka
    with pytest.raises(SettingsError, match="PLAYHEAD_KAFKA_USERNAME and PLAYHEAD_KAFKA_PASSWORD"):
        python_options(kafka)
