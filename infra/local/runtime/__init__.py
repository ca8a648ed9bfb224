"""Supervised processes, loopback addresses and image folders: what the embedded AWS computes with."""

from infra.local.runtime.addresses import Addresses
from infra.local.runtime.images import Image, ImageError, prepare
from infra.local.runtime.processes import Exit, Process, Spec
from infra.local.runtime.supervisor import Supervisor
from infra.local.runtime.users import User, unprivileged

__all__ = [
    "Addresses",
    "Exit",
    "Image",
    "ImageError",
    "Process",
    "Spec",
    "Supervisor",
    "User",
    "prepare",
    "unprivileged",
]
