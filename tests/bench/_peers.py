"""Throw-away environments for the peers that benchmarks measure beside ours, and for the data they ship."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_PEERS = Path(__file__).parent / "peers"


def environment(lock: str, *, dependencies: bool = True) -> Path:
    """A virtual environment with the packages of `peers/<lock>.lock`, made once per content of the lock."""
    file = _PEERS / f"{lock}.lock"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    folder = Path(os.environ.get("MLP_HOME", _ROOT / ".mlp")) / "bench" / f"{lock}-{digest}"
    ready = folder / ".ready"
    if not ready.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        install = [*uv, "pip", "install", "-q", "--python", str(folder), "--require-hashes", "-r", str(file)]
        subprocess.run([*install, *([] if dependencies else ["--no-deps"])], check=True)
        ready.touch()
    return folder


def data_file(package: str, path: str) -> Path:
    """A data file that a package ships, read by path: the package itself is never imported."""
    (found,) = environment("data", dependencies=False).glob(f"lib/python*/site-packages/{package}/{path}")
    return found


def run_peer(lock: str, script: str, task: dict[str, Any]) -> Any:
    """Run `peers/<script>` in the peer's environment with a JSON task on its input."""
    python = environment(lock) / "bin" / "python"
    done = subprocess.run(
        [str(python), str(_PEERS / script)], input=json.dumps(task), stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)
