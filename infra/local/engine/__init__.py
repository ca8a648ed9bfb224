"""The embedded deployment engine: runs a Pulumi program in this process, on Pulumi's own state format."""

from infra.local.engine.clouds import bind_to_cloud
from infra.local.engine.engine import Engine
from infra.local.engine.events import Event, Operation, ResourceChange, Result, Status, no_changes

__all__ = ["Engine", "Event", "Operation", "ResourceChange", "Result", "Status", "bind_to_cloud", "no_changes"]
