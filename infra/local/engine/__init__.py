"""The embedded deployment engine: runs a Pulumi program in this process, on Pulumi's own state format."""

from infra.local.engine.engine import Engine
from infra.local.engine.events import Event, Operation, ResourceChange, Result, Status

__all__ = ["Engine", "Event", "Operation", "ResourceChange", "Result", "Status"]
