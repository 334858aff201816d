"""The embedded broker: one Kafka (KRaft, combined mode) in a JVM and a folder of its own.

For use without a Kafka: the demo, the tests, a first look. It listens on 127.0.0.1 only, at ports
that the operating system chose, and ends with the process that started it.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from jobs.runtime.errors import ServiceError, SettingsError
from jobs.runtime.kafka import broker_guard
from jobs.runtime.kafka.clients import reach
from jobs.runtime.settings import KafkaSettings, LakeSettings, Settings
from jobs.runtime.spark.jars import BROKER, resolve
from jobs.runtime.spark.java import java_binary

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
DATA = "broker"  # folder of the broker's data, below the root of the lake
GUARD = Path(broker_guard.__file__).resolve()
START_TIMEOUT_S = 60  # measured: 2 to 3 s; a loaded machine takes longer
STOP_TIMEOUT_S = 20  # Kafka's own controlled shutdown takes about 1 s


@dataclass(frozen=True)
class Broker:
    """A running broker.

    Attributes:
        bootstrap_servers: address, `host:port`.
        pid: process id of its guard.
        log_file: log of the broker.
    """

    bootstrap_servers: str
    pid: int
    log_file: Path


@contextmanager
def embedded_broker(folder: Path, *, keep: bool) -> Iterator[Broker]:
    """Run a broker for the life of the block.

    Args:
        folder: folder of its data, properties and broker.log. The data of an earlier broker in the
            folder is used again, at the same port if that is still free.
        keep: whether to keep the folder after the block.

    Yields:
        The broker, once it answers.

    Raises:
        ServiceError: the broker did not start; names its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    port, controller_port = _ports(folder)
    properties = folder / "server.properties"
    properties.write_text(_server_properties(folder, port, controller_port), encoding="utf-8")
    log_file = folder / "broker.log"
    with log_file.open("a", encoding="utf-8") as output:
        if not (folder / "data" / "meta.properties").exists():
            _format(properties, log_file)
        command = kafka_command("kafka.Kafka", str(properties))
        process = _start(folder / "lock", command, output.fileno())
        try:
            broker = Broker(f"{LOOPBACK}:{port}", process.pid, log_file)
            _await_ready(broker, process)
            log.info("embedded broker at %s, data in %s", broker.bootstrap_servers, folder)
            yield broker
        finally:
            _stop(process)
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)


def _ports(folder: Path) -> tuple[int, int]:
    """Choose the ports of broker and controller, and write them to the folder.

    Returns:
        The ports that the folder's last broker had, where they are free, else any free ones.
    """
    file = folder / "ports"
    wanted = [0, 0]
    with suppress(FileNotFoundError):
        wanted = [int(port) for port in file.read_text(encoding="utf-8").split()]
    with socket.socket() as first, socket.socket() as second:
        ports = _bind(first, wanted[0]), _bind(second, wanted[1])
    file.write_text("{} {}".format(*ports), encoding="utf-8")
    return ports


def _bind(listener: socket.socket, wanted: int) -> int:
    """Bind a socket to a port of the loopback address, or to any free port.

    Returns:
        The port.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, wanted))
    except OSError:
        listener.bind((LOOPBACK, 0))
    port: int = listener.getsockname()[1]
    return port


def _server_properties(folder: Path, port: int, controller_port: int) -> str:
    """The text of Kafka's server.properties.

    Args:
        folder: folder of the broker.
        port: port for clients.
        controller_port: port of the KRaft controller.
    """
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
        "log.dirs": folder / "data",
        "auto.create.topics.enable": "false",
        "log.message.timestamp.type": "LogAppendTime",
        # one node keeps one copy, and few threads suit a small machine
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def kafka_command(main_class: str, *arguments: str) -> list[str]:
    """The command line that runs a main class of Kafka's jars in a small JVM."""
    class_path = os.pathsep.join(str(jar) for jar in resolve(BROKER))
    options = [
        "-Xmx512m",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    ]
    return [str(java_binary()), *options, "-cp", class_path, main_class, *arguments]


def _format(properties: Path, log_file: Path) -> None:
    """Format the broker's data folder.

    Raises:
        ServiceError: Kafka's tool failed; names the log.
    """
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    arguments = ["format", "--standalone", "-c", str(properties), f"--cluster-id={cluster_id}"]
    command = kafka_command("kafka.tools.StorageTool", *arguments)
    with log_file.open("a", encoding="utf-8") as output:
        done = subprocess.run(command, stdout=output, stderr=output, check=False)
    if done.returncode != 0:
        raise ServiceError(
            f"the embedded broker could not format its folder {properties.parent}",
            f"read {log_file}; the disk may be full or the folder not writable",
        )


def _start(lock: Path, command: list[str], output: int) -> subprocess.Popen[bytes]:
    """Start a command under the guard.

    Args:
        lock: path of the guard's lock file.
        command: words of the command line.
        output: file descriptor of the log.

    Returns:
        The process of the guard.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", str(GUARD), str(lock), *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    # a forked child must not hold the pipe open past this process's death
    if process.stdin is not None:
        os.register_at_fork(after_in_child=process.stdin.close)
    return process


def _await_ready(broker: Broker, process: subprocess.Popen[bytes]) -> None:
    """Return once the broker answers.

    Raises:
        ServiceError: it ended, or did not answer in START_TIMEOUT_S seconds.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if _is_ready(broker.bootstrap_servers):
            return
    raise ServiceError(
        f"the embedded broker did not start in {broker.log_file.parent}",
        f"read {broker.log_file}; if it says nothing, another broker runs in that folder",
    )


def _is_ready(bootstrap_servers: str) -> bool:
    """Whether a broker answers at an address."""
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=500)
    except KafkaError:
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the broker, and kill it if it still runs after STOP_TIMEOUT_S seconds."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        log.warning("the embedded broker did not stop by itself and is killed")
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


@contextmanager
def kafka_of(settings: Settings, *, must_answer: bool = True) -> Iterator[KafkaSettings]:
    """The Kafka that a job works with, reachable for the life of the block.

    With kafka.bootstrap_servers it is that one. Without, it is the broker of the lake: the one
    that `<lake root>/broker.json` names while it runs, else one started for the life of this
    block, its data kept in `<lake root>/broker`.

    Args:
        settings: settings of Kafka and of the lake.
        must_answer: whether a configured Kafka must answer before the block begins.

    Yields:
        settings.kafka with the address filled in; for the embedded broker without security.

    Raises:
        ServiceError: the configured Kafka cannot be reached, or the embedded one not started.
        SettingsError: no Kafka is configured and the lake is not on this machine's disk.
    """
    if settings.kafka.bootstrap_servers is not None:
        if must_answer:
            reach(settings.kafka)
        yield settings.kafka
        return
    with _broker_of_lake(_local_root(settings.lake)) as bootstrap_servers:
        unsecured = {
            "security_protocol": "PLAINTEXT",
            "sasl_mechanism": None,
            "ca_file": None,
            "client_file": None,
        }
        yield settings.kafka.model_copy(
            update={"bootstrap_servers": bootstrap_servers, **unsecured}
        )


def has_kafka(settings: Settings) -> bool:
    """Whether `kafka_of` would use an existing Kafka, rather than create a broker for the lake.

    Raises:
        SettingsError: no Kafka is configured and the lake is not on this machine's disk.
    """
    if settings.kafka.bootstrap_servers is not None:
        return True
    return (_local_root(settings.lake) / DATA).is_dir()


@contextmanager
def _broker_of_lake(root: Path) -> Iterator[str]:
    """Use the running broker of a lake, or run one for the time of the block.

    Args:
        root: folder of the lake.

    Yields:
        The address of the broker, `host:port`.
    """
    root.mkdir(parents=True, exist_ok=True)
    notice = root / "broker.json"
    with ExitStack() as stack:
        with FileLock(root / "broker.lock"):
            running = _running_address(notice)
            if running is None:
                broker = stack.enter_context(embedded_broker(root / DATA, keep=True))
                running = broker.bootstrap_servers
                stack.callback(notice.unlink, missing_ok=True)
                notice.write_text(json.dumps(_owner_notice(running)), encoding="utf-8")
        yield running


def _owner_notice(bootstrap_servers: str) -> dict[str, Any]:
    """The contents of broker.json: the address, and the process that owns the broker."""
    owner = psutil.Process()
    return {
        "bootstrap_servers": bootstrap_servers,
        "pid": owner.pid,
        "started": owner.create_time(),  # a pid is used again, a pid and its start are not
    }


def _running_address(notice: Path) -> str | None:
    """The address in a notice while the owner of that broker lives.

    The owner and not the broker decides: a broker whose owner was killed answers a moment longer.

    Args:
        notice: path of broker.json.

    Returns:
        The address `host:port`; None without a notice or if the owner has ended.
    """
    try:
        written = json.loads(notice.read_text(encoding="utf-8"))
        owner = psutil.Process(written["pid"])
        lives = owner.create_time() == written["started"]
        lives = lives and owner.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, psutil.Error):
        return None
    address: str = written["bootstrap_servers"]
    return address if lives else None


def _local_root(lake: LakeSettings) -> Path:
    """The folder of a local lake.

    Raises:
        SettingsError: the lake is in an object store.
    """
    if "://" in lake.root:
        raise SettingsError(
            "kafka.bootstrap_servers is not set, and the embedded broker needs a local lake, "
            f"not {lake.root}",
            "set kafka.bootstrap_servers",
        )
    return Path(lake.root)
