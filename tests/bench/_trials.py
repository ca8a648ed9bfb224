"""Throw-away environments for the peers of assignment and analysis."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_PEERS = Path(__file__).parent / "peers" / "trials"
_HOME = Path(os.environ.get("MLP_HOME", Path(__file__).parents[2] / ".mlp"))


def run_peer(lock: str, script: str, task: dict[str, Any]) -> Any:
    """What `peers/trials/<script>` answers to `task`, run with the packages of `peers/trials/<lock>.lock`.

    The environment is made once per content of the lock.
    """
    file = _PEERS / f"{lock}.lock"
    folder = _HOME / "bench" / f"trials-{lock}-{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    ready, python = folder / ".ready", folder / "bin" / "python"
    if not ready.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run(
            [*uv, "pip", "install", "-q", "--python", str(python), "--require-hashes", "-r", str(file)], check=True
        )
        ready.touch()
    done = subprocess.run(
        [str(python), str(_PEERS / script)], input=json.dumps(task), stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)
