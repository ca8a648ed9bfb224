"""For tools beside this engine that deploy to a cloud that can be made anew."""

from pathlib import Path

from infra.local.engine import checkpoint
from infra.local.engine.lock import locked


def bind_to_cloud(backend: Path, project: str, stack: str, cloud_id: str) -> Path | None:
    """Make a stack's state one of the cloud `cloud_id`, as `Engine` does at the start of a run.

    The state of another cloud is put aside; returns where it is kept, None when there was nothing to do. Raises
    LocalError naming the holder while another run has the stack.
    """
    with locked(backend.resolve(), project, stack):
        return checkpoint.bind(checkpoint.Files(backend.resolve(), project, stack), cloud_id)
