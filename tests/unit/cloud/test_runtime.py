import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from infra.local.runtime import Addresses, Image, ImageError, Spec, Supervisor, User, marks
from infra.local.runtime.processes import Exit

DOCKERFILE = """
FROM python:3.11 AS build
ENTRYPOINT ["ignored"]
FROM python:3.11-slim
ENV ROOT=/opt/image LEVEL=2
WORKDIR /opt/image
COPY . .
USER 1000
ENTRYPOINT ["python", "/opt/image/main.py"]
CMD ["serve", "--level"]
"""


def image(folder: Path, text: str = DOCKERFILE) -> Image:
    (folder / "Dockerfile").write_text(text)
    return Image.read(folder)


def test_the_last_stage_says_what_runs_and_its_workdir_is_the_folder(tmp_path: Path) -> None:
    found = image(tmp_path)

    assert found.arguments() == ["python", f"{tmp_path}/main.py", "serve", "--level"]
    assert found.arguments(["train"]) == ["python", f"{tmp_path}/main.py", "train"]
    assert found.user == "1000"
    settings = found.settings({"EXTRA": "1"})
    assert (settings["ROOT"], settings["LEVEL"], settings["EXTRA"]) == (str(tmp_path), "2", "1")
    assert settings["PATH"].startswith(f"{tmp_path}/.venv/bin:")


def test_the_shell_form_is_split_or_given_to_a_shell(tmp_path: Path) -> None:
    assert image(tmp_path, "FROM x\nCMD python main.py").arguments() == ["python", "main.py"]
    assert image(tmp_path, "FROM x\nCMD exec python $MAIN").arguments() == ["/bin/sh", "-c", "exec python $MAIN"]


def test_a_folder_without_a_dockerfile_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no Dockerfile"):
        Image.read(tmp_path)


def test_addresses_are_loopback_unique_over_servers_and_come_back_last() -> None:
    first, second = Addresses(), Addresses()
    try:
        taken = [first.take() for _ in range(300)]
        others = [second.take() for _ in range(300)]
        assert len({*taken, *others}) == 600
        assert all(address.startswith("127.") for address in taken)
        first.give_back(taken[0])
        assert first.take() != taken[0]
    finally:
        first.close()
        second.close()


def test_a_user_reaches_what_every_folder_on_the_way_lets_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    (secret / "file").touch()
    assert User(os.getuid(), os.getgid()).reaches(secret / "file")
    assert not User(12345, 12345).reaches(secret / "file")


def spec(folder: Path, name: str, program: str, on_line: Callable[[str], None] | None = None) -> Spec:
    return Spec(name, [sys.executable, "-c", program], folder, {}, folder / f"{name}.log", on_line=on_line)


def gone(pid: int, seconds: float = 10.0) -> bool:
    try:
        process = psutil.Process(pid)
        psutil.wait_procs([process], seconds)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.local
def test_a_supervised_process_logs_ends_and_takes_its_children_along(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "cloud")
    try:
        lines: list[str] = []
        exits: list[Exit] = []
        child = (
            "import subprocess, sys\n"
            "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
            "print(p.pid, flush=True)\n"
            "sys.exit(3)"
        )
        process = supervisor.start(spec(tmp_path, "parent", child, on_line=lines.append), exits.append)

        assert process.wait(20) == Exit(3, asked=False)
        assert exits == [Exit(3, asked=False)]
        assert (tmp_path / "parent.log").read_text().split() == lines
        assert gone(int(lines[0]))
        assert supervisor.running() == []
    finally:
        supervisor.close()


@pytest.mark.local
def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "cloud")
    try:
        ready: list[str] = []
        deaf = "import signal,time;signal.signal(signal.SIGTERM,signal.SIG_IGN);print('up',flush=True);time.sleep(60)"
        process = supervisor.start(spec(tmp_path, "deaf", deaf, on_line=ready.append))
        while not ready and process.running:
            process.wait(0.05)
        assert process.stop(0.2) == Exit(137, asked=True)
    finally:
        supervisor.close()


@pytest.mark.local
def test_a_process_that_is_not_ours_is_never_swept(tmp_path: Path) -> None:
    cloud = tmp_path / "cloud"
    (cloud / "processes").mkdir(parents=True)
    me = psutil.Process()
    record = json.dumps({"pid": me.ppid(), "started": psutil.Process(me.ppid()).create_time() - 100})
    (cloud / "processes" / "stale.json").write_text(record)
    assert marks.ours(cloud) == []
    assert marks.sweep(cloud) == 0
