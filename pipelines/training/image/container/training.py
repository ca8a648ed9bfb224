"""`train`: run the workload's script and report as SageMaker expects."""

import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections import deque
from pathlib import Path
from types import FrameType
from typing import IO

from .layout import Layout, arguments, decode_hyperparameters, variables

ARCHIVE = "sourcedir.tar.gz"
"""Name of a packed code channel, as AWS's toolkit calls it; a channel of plain files works as well."""

TRACEBACK_LINES = 20
FAILURE_CHARACTERS = 1024
"""SageMaker keeps this much of the failure file."""


class RefusalError(Exception):
    """The job was put together wrongly; its text becomes the FailureReason."""


def train(layout: Layout) -> int:
    """Exit status 0 and a filled model folder, or 1 and a failure file with the last lines of the traceback."""
    for folder in (layout.model, layout.failure.parent / "data", layout.base / "checkpoints"):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="code-") as scratch:
            reason = _run(layout, Path(scratch))
    except RefusalError as refusal:
        reason = str(refusal)
        sys.stderr.write(reason + "\n")
    if reason is None:
        return 0
    # The end of a traceback says what happened; SageMaker cuts from the front.
    layout.failure.write_text(reason[-FAILURE_CHARACTERS:])
    return 1


def _run(layout: Layout, scratch: Path) -> str | None:
    hyperparameters = decode_hyperparameters(layout.read("hyperparameters"))
    program = hyperparameters.get("sagemaker_program")
    if not isinstance(program, str):
        raise RefusalError(
            "no hyperparameter sagemaker_program: set it to the script's file name in the channel `code`"
        )
    code = _code(layout, scratch)
    script = code / program
    if not script.is_file():
        held = ", ".join(sorted(path.name for path in code.iterdir())) or "nothing"
        raise RefusalError(f"sagemaker_program is {program}, but the channel `code` holds {held}")
    environment = {**os.environ, **variables(layout, hyperparameters), "SM_MODULE_DIR": str(code)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, str(script), *arguments(hyperparameters)]
    with subprocess.Popen(  # noqa: S603 - the job's own script and arguments, no shell
        command, env=environment, cwd=code, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        _forward_signals(process)
        tail = _relay(process.stderr)
    if process.returncode == 0:
        return None
    return "".join(tail).strip() or f"{program} ended with status {process.returncode} and wrote no error"


def _code(layout: Layout, scratch: Path) -> Path:
    channel = layout.channel("code")
    if not channel.is_dir():
        raise RefusalError("no channel `code`: add one to InputDataConfig with the training script")
    archive = channel / ARCHIVE
    if not archive.exists():
        return channel
    with tarfile.open(archive) as packed:
        # Python before 3.11.4 knows no filters and ignores the attribute.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(scratch)  # noqa: S202 - filtered where Python can
    return scratch


def _relay(stream: IO[str] | None) -> deque[str]:
    """Pass the script's errors on to the log, line by line, and keep the last of them."""
    tail: deque[str] = deque(maxlen=TRACEBACK_LINES)
    for line in stream or ():
        sys.stderr.write(line)
        sys.stderr.flush()
        tail.append(line)
    return tail


def _forward_signals(process: "subprocess.Popen[str]") -> None:
    """Stopping a job, or losing a spot instance, is a SIGTERM two minutes ahead: the script may checkpoint."""

    def forward(signum: int, _frame: FrameType | None) -> None:
        process.send_signal(signum)

    signal.signal(signal.SIGTERM, forward)
