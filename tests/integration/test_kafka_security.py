"""SASL and TLS: one KafkaSettings lets kafka-python and Spark into the same secured broker."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pyspark.sql import SparkSession

from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import producer, reach, spark_options
from jobs.runtime.kafka.embedded_broker import kafka_command
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.settings import KafkaSettings, load_settings

USER = "ada"
PASSWORD = "pass;word-of-the-test"


class Authority:
    """A certificate authority of the test, which issues keys for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(_pem(self._signed(self.name, self.key, is_authority=True)))

    def issue(self, name: str) -> Path:
        """A PEM file with a new private key and its certificate."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        file = self.folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_bytes(private + _pem(self._signed(subject, key, is_authority=False)))
        return file

    def _signed(
        self, subject: x509.Name, key: rsa.RSAPrivateKey, *, is_authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(address, critical=False)
            .sign(self.key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secured(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A broker with a SASL_SSL and an SSL listener, the latter asking for a certificate."""
    folder = tmp_path_factory.mktemp("secured")
    inner, control, sasl, mutual = free_ports(4)
    properties = folder / "server.properties"
    properties.write_text(
        f"""
process.roles=broker,controller
node.id=1
log.dirs={folder}/data
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{control}
inter.broker.listener.name=INNER
listeners=INNER://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{control},\
SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=INNER:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.mutual.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={authority.issue("broker")}
ssl.truststore.type=PEM
ssl.truststore.location={authority.ca_file}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.cleaner.dedupe.buffer.size=16777216
"""
    )
    user = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    storage = ["format", "--standalone", "-c", str(properties), "-t", "AAAAAAAAAAAAAAAAAAAAAA"]
    tool = kafka_command("kafka.tools.StorageTool", *storage, "--add-scram", user)
    subprocess.run(tool, check=True, capture_output=True)
    with (folder / "broker.log").open("w") as log:
        process = subprocess.Popen(
            kafka_command("kafka.Kafka", str(properties)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        inside = settings("PLAINTEXT", f"127.0.0.1:{inner}", authority)
        reach(inside.model_copy(update={"reach_timeout_s": 60}))
        yield {"SASL_SSL": f"127.0.0.1:{sasl}", "SSL": f"127.0.0.1:{mutual}"}
    finally:
        process.kill()
        process.wait()


def settings(protocol: str, address: str, authority: Authority) -> KafkaSettings:
    overrides = [
        f"kafka.bootstrap_servers={address}",
        f"kafka.security_protocol={protocol}",
        f"kafka.ca_file={authority.ca_file}",
    ]
    return load_settings(overrides=overrides, environment={}).kafka


@pytest.fixture
def with_password(
    secured: dict[str, str], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> KafkaSettings:
    monkeypatch.setenv("PLAYHEAD_KAFKA_USERNAME", USER)
    monkeypatch.setenv("PLAYHEAD_KAFKA_PASSWORD", PASSWORD)
    kafka = settings("SASL_SSL", secured["SASL_SSL"], authority)
    return kafka.model_copy(update={"sasl_mechanism": "SCRAM-SHA-512"})


@pytest.fixture
def with_certificate(secured: dict[str, str], authority: Authority) -> KafkaSettings:
    kafka = settings("SSL", secured["SSL"], authority)
    return kafka.model_copy(update={"client_file": str(authority.issue("client"))})


@pytest.mark.parametrize("who", ["with_password", "with_certificate"])
def test_what_kafka_python_sends_spark_reads_and_what_spark_sends_too(
    spark: SparkSession, request: pytest.FixtureRequest, who: str
) -> None:
    kafka: KafkaSettings = request.getfixturevalue(who)
    topic = who.replace("_", "-")
    apply_topics(kafka, {topic: load_topics("local")["system-health"]})
    with producer(kafka) as sender:
        sender.send(topic, b"from python")
    options = spark_options(kafka)
    sent = spark.createDataFrame([("from spark",)], "value string")
    sent.write.format("kafka").options(**options).option("topic", topic).save()
    read = spark.read.format("kafka").options(**options).option("subscribe", topic).load()
    assert {bytes(row.value) for row in read.collect()} == {b"from python", b"from spark"}


def test_spark_shows_the_password_in_no_plan(
    spark: SparkSession, with_password: KafkaSettings
) -> None:
    options = spark_options(with_password)
    topic = "shown"
    apply_topics(with_password, {topic: load_topics("local")["system-health"]})
    read = spark.read.format("kafka").options(**options).option("subscribe", topic).load()
    assert "word-of-the-test" not in read._jdf.queryExecution().toString()


def test_a_wrong_password_is_one_error_that_does_not_repeat_it(
    with_password: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYHEAD_KAFKA_PASSWORD", "wrong-of-the-test")
    with pytest.raises(ServiceError) as raised:
        reach(with_password.model_copy(update={"reach_timeout_s": 3}))
    said = str(raised.value)
    assert "does not let this client in by SASL_SSL SCRAM-SHA-512" in said
    assert "of-the-test" not in said


def test_an_authority_that_is_not_trusted_is_one_error(
    with_password: KafkaSettings, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    kafka = with_password.model_copy(
        update={"ca_file": str(stranger.ca_file), "reach_timeout_s": 3}
    )
    with pytest.raises(ServiceError, match=r"no answer in 3 s.* kafka\.ca_file"):
        reach(kafka)
