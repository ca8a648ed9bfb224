"""The server process: `python -m infra.local.server CLOUD_FOLDER ENDPOINT`."""

import gc
import os
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from infra.local import server as api


def main(folder: Path, endpoint: str) -> None:
    """Serve until SIGTERM or SIGINT, then stop everything that was started."""
    os.environ.setdefault("MOTO_ALLOW_NONEXISTENT_REGION", "false")
    parts = urlsplit(endpoint)
    os.environ["MOTO_PORT"] = str(parts.port)
    # What moto and botocore ask of their surroundings must not depend on who started the server.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)

    from infra.local.backends import machine  # noqa: PLC0415 - settings above are read at import
    from infra.local.server.application import Application, data_plane, warm  # noqa: PLC0415 - same
    from infra.local.server.http import Server  # noqa: PLC0415 - same

    cloud = api.Cloud(endpoint, os.getpid(), uuid.uuid4().hex, time.time())
    server = Server(str(parts.hostname), int(parts.port or 0), Application(cloud.cloud_id), data_plane)
    here = machine.open_machine(folder, endpoint)
    finish = threading.Event()

    def ask_to_finish(_number: int, _frame: FrameType | None) -> None:
        finish.set()

    signal.signal(signal.SIGTERM, ask_to_finish)
    signal.signal(signal.SIGINT, ask_to_finish)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True).start()
    api.write(folder, cloud)
    threading.Thread(target=warm, name="warm", daemon=True).start()
    gc.freeze()
    finish.wait()
    server.shutdown()
    server.server_close()
    here.close()
    (folder / "server.json").unlink(missing_ok=True)
    # Threads that still talk to ended processes must not hold up the exit.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
