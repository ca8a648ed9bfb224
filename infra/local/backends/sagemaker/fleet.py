"""Model servers: one process per production variant, kept alive, reached over kept-open connections."""

import shutil
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

from infra.local.backends.ecr import ImageMissingError, image_folder
from infra.local.backends.machine import machine
from infra.local.backends.members import Document, section
from infra.local.backends.sagemaker.documents import Model
from infra.local.backends.sagemaker.layout import unpack
from infra.local.backends.stores import Location, LogStream, MissingBucketError, Objects
from infra.local.runtime import Exit, Image, ImageError, Process, Spec, prepare, unprivileged

PORT = 8080
_INVOCATION_SECONDS = 60.0
"""Seconds a container has for one invocation on a real-time endpoint."""
_STARTUP_SECONDS = 480.0
"""Seconds a container has until `/ping` succeeds, unless the variant says otherwise."""
_EXITS_TO_GIVE_UP = 2
"""Ends before the first healthy ping after which a model is taken for one that cannot load."""
_LONGEST_PAUSE = 5.0


class FleetError(Exception):
    """A variant cannot be served; the text is the endpoint's failure reason."""


@dataclass
class Answer:
    """A container's answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class ModelServer:
    """The process of one variant."""

    endpoint: str
    variant: Document
    model: Model
    account: str
    region: str
    root: Path
    healthy: threading.Event = field(default_factory=threading.Event)
    _connections: deque[HTTPConnection] = field(default_factory=deque[HTTPConnection])
    _process: Process | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _exits: int = 0
    _address: str = ""

    @property
    def name(self) -> str:
        """Name of the variant."""
        return self.variant["VariantName"]

    def start(self) -> None:
        """Load the artifact, start the program and wait until it is healthy.

        Raises:
            FleetError: it cannot be.
        """
        container = self.model.container
        try:
            folder = image_folder(container["Image"])
            prepare(folder)
            image = Image.read(folder)
        except (ImageMissingError, ImageError) as error:
            raise FleetError(
                f"The primary container for production variant {self.name} could not be started: {error}"
            ) from error
        self._extract(container.get("ModelDataUrl"))
        self._log = LogStream(
            self.account,
            self.region,
            f"/aws/sagemaker/Endpoints/{self.endpoint}",
            f"{self.name}/i-{uuid.uuid4().hex[:17]}",
        )
        self._address = machine().supervisor.addresses.take()
        self._spec = self._make_spec(image, container)
        self._launch()
        self._await_health()
        threading.Thread(target=self._keep_alive, name=f"health {self._spec.name}", daemon=True).start()

    def invoke(self, body: bytes, headers: dict[str, str]) -> Answer:
        """`POST /invocations`.

        Raises:
            OSError, HTTPException: the container is gone or broke the connection; TimeoutError after 60 s.
        """
        while True:
            try:
                connection, reused = self._connections.pop(), True
            except IndexError:
                connection, reused = self._connect(), False
            try:
                connection.request("POST", "/invocations", body, headers)
                response = connection.getresponse()
                content = response.read()
            except TimeoutError:
                connection.close()
                raise
            except (OSError, HTTPException):
                connection.close()
                # A connection that the container closed while it lay idle says nothing about the container.
                if reused:
                    continue
                raise
            self._keep(connection, response)
            return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, content)

    def stop(self) -> None:
        """End the process and remove its files."""
        self._stopped.set()
        self.healthy.clear()
        if self._process is not None:
            self._process.stop(5.0)
        while self._connections:
            self._connections.pop().close()
        if self._address:
            machine().supervisor.addresses.give_back(self._address)
            self._address = ""
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.running else None

    def _connect(self) -> HTTPConnection:
        connection = HTTPConnection(self._address, PORT, timeout=_INVOCATION_SECONDS)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _keep(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        if response.will_close or self._stopped.is_set():
            connection.close()
        else:
            self._connections.append(connection)

    def _extract(self, url: str | None) -> None:
        folder = self.root / "model"
        folder.mkdir(parents=True, exist_ok=True)
        if url is None:
            return
        where = Location.parse(url)
        try:
            content = Objects(self.account).read(where.bucket, where.prefix)
        except MissingBucketError:
            content = None
        if content is None:
            raise FleetError(
                f'Failed to download model data for container "container_1" from URL "{url}". '
                "Please ensure that there is an object located at the URL and that the role passed to CreateModel "
                "has permissions to download the object."
            )
        unpack(
            content, folder, lambda why: FleetError(f'Failed to extract model data archive from URL "{url}": {why}.')
        )

    def _make_spec(self, image: Image, container: Document) -> Spec:
        here = machine()
        user = image.user_among(unprivileged())
        scratch = self.root / "tmp"
        scratch.mkdir(exist_ok=True)
        if user is not None:
            for path in (self.root, *self.root.rglob("*")):
                shutil.chown(path, user.uid, user.gid)
        isolated = self.model.request.get("EnableNetworkIsolation")
        settings = {
            **({} if isolated else here.container_environment(self.region)),
            "AWS_REGION": self.region,
            **section(container, "Environment"),
            "SAGEMAKER_BASE_DIR": str(self.root),
            "SAGEMAKER_BIND_TO_PORT": str(PORT),
            "BIND_ADDRESS": self._address,
            "TMPDIR": str(scratch),
            "HOME": str(scratch),
        }
        name = f"endpoint-{self.endpoint}-{self.name}"
        return Spec(
            name=f"{name}-{uuid.uuid4().hex[:8]}",
            command=image.arguments(["serve"]),
            folder=image.folder,
            environment=image.settings(settings),
            log=here.supervisor.logs / f"{name}.log",
            user=user,
            on_line=self._log.write,
            grace=5.0,
            address=f"{self._address}:{PORT}",
        )

    def _launch(self) -> None:
        try:
            self._process = machine().supervisor.start(self._spec, self._ended)
        except (OSError, RuntimeError) as error:
            raise FleetError(
                f"The primary container for production variant {self.name} could not be started: {error}"
            ) from error

    def _ended(self, _: Exit) -> None:
        self.healthy.clear()
        self._exits += 1

    def _await_health(self) -> None:
        seconds = self.variant.get("ContainerStartupHealthCheckTimeoutInSeconds") or _STARTUP_SECONDS
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopped.is_set():
            if self._ping():
                self.healthy.set()
                return
            if self._process is not None and not self._process.running:
                if self._exits >= _EXITS_TO_GIVE_UP:
                    break
                self._launch()
            self._stopped.wait(0.05)
        raise FleetError(
            f"The primary container for production variant {self.name} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )

    def _keep_alive(self) -> None:
        pause = 0.1
        last_start = time.monotonic()
        while not self._stopped.wait(0.1):
            process = self._process
            if process is not None and process.running:
                if not self.healthy.is_set() and self._ping():
                    self.healthy.set()
                continue
            # A server that ran for a while starts again at once; one that keeps dying waits longer each time.
            pause = 0.1 if time.monotonic() - last_start > 30.0 else min(pause * 2, _LONGEST_PAUSE)
            self._log.write(f"container ended; starting it again in {pause:.1f} s")
            if self._stopped.wait(pause):
                return
            last_start = time.monotonic()
            try:
                self._launch()
            except FleetError as error:
                self._log.write(str(error))

    def _ping(self) -> bool:
        connection = HTTPConnection(self._address, PORT, timeout=2.0)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


class Fleet:
    """The model servers of one endpoint configuration."""

    def __init__(self, servers: Sequence[ModelServer]) -> None:
        self.servers = {server.name: server for server in servers}

    def start(self) -> None:
        """Start all at once and wait until each is healthy.

        Raises:
            FleetError: one cannot be served; the others are stopped again.
            Exception: a fault of ours kept one from starting; likewise.
        """
        problems: list[Exception] = []

        def one(server: ModelServer) -> None:
            try:
                server.start()
            except Exception as error:  # noqa: BLE001 - raised below, in the caller's thread
                problems.append(error)

        _all([lambda server=server: one(server) for server in self.servers.values()])
        if problems:
            self.stop()
            raise problems[0]

    def stop(self) -> None:
        """Stop all."""
        _all([server.stop for server in self.servers.values()])


def _all(acts: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=act, daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
