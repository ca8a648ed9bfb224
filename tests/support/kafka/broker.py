"""One Kafka broker, which is its own controller, on the loopback interface."""

import contextlib
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.support.kafka.install import Runtime, install

START_SECONDS, STOP_SECONDS = 90.0, 30.0
CLUSTER = "a2Fma2Egb2YgYSB0ZXN0IQ"
"""Sixteen bytes in base64, as Kafka names clusters."""
# A small heap, and a compiler that is quick to start: the broker carries some thousand messages.
JAVA_OPTIONS = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Broker:
    """A broker whose messages lie in `folder` and outlive its process. Leaving its context kills it.

    Topics are never made by themselves. Its log is `broker.log` in the folder.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder, self.port = folder, port or _free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._log, self._properties = folder / "broker.log", folder / "server.properties"
        self._runtime: Runtime = install()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, the first time on an empty log, and return once it serves every topic it has.

        Raises RuntimeError with the end of its log when it exits, or does not serve within START_SECONDS.
        """
        if not self._properties.exists():
            self._prepare()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._java("kafka.Kafka", str(self._properties)), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the broker does not serve {self.address}:\n{self._log.read_text()[-3000:]}")

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end, and wait; its exit status. One that does not end within STOP_SECONDS is killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _prepare(self) -> None:
        controller = _free_port()
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "1",
            # What Kafka keeps three copies of has one here.
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
        }
        written = self._properties.with_suffix(".partial")
        written.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        tool = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(written))
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Kafka cannot format {self._folder}:\n{done.stdout}{done.stderr}")
        written.rename(self._properties)

    def _java(self, *arguments: str) -> list[str]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [str(self._runtime.java), *JAVA_OPTIONS, quiet, "-cp", self._runtime.classpath, *arguments]

    def _serves(self) -> bool:
        with contextlib.suppress(KafkaException):
            admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
            found = admin.list_topics(timeout=1)
            leaders = [part.leader for topic in found.topics.values() for part in topic.partitions.values()]
            return bool(found.brokers) and -1 not in leaders
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
