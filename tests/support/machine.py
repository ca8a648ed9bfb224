"""A machine of its own for the real `mlp` command: home, port and temporary folder that nothing else uses."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Machine:
    """A home, a port and a temporary folder that nothing else uses."""

    home: Path
    temporary: Path
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        added = {"MLP_HOME": str(self.home), "TMPDIR": str(self.temporary), "AWS_ENDPOINT_URL": self.endpoint}
        return {**os.environ, **added}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The command, begun."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "mlp"), *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def mlp(self, *arguments: str) -> Any:
        """The document that the command prints; fails with its standard error."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err[-3000:]
        return json.loads(out)

    def killed(self, line: re.Pattern[str], count: int, *arguments: str) -> bool:
        """Run the command and kill it at the `count`-th line of progress of that form; whether it came so far."""
        process = self.start(*arguments)
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr:
            for written in process.stderr:
                count -= bool(line.match(written))
                if count == 0:
                    process.kill()
                    break
            return process.wait(60) < 0

    def state(self) -> dict[str, Any]:
        """The deployment that the state file records."""
        path = self.home / "state" / ".pulumi" / "stacks" / "mlp" / "local.json"
        return json.loads(path.read_text())["checkpoint"]["latest"]

    def processes(self) -> list[str]:
        """Every living process that was started for this home."""
        found: list[str] = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("MLP_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


@contextmanager
def new_machine() -> Generator[Machine]:
    """A machine where nothing runs; whatever runs there in the end is stopped."""
    # Not below pytest's folder: the database's user may not enter it.
    with tempfile.TemporaryDirectory(prefix="mlp-test-") as folder, socket.socket() as probe:
        Path(folder).chmod(0o755)
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        made = Machine(Path(folder) / "home", Path(folder) / "tmp", endpoint)
        made.temporary.mkdir(mode=0o755)
        try:
            yield made
        finally:
            made.start("local", "stop").communicate(timeout=60)
