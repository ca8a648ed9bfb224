"""Registry: where runs are logged and models are registered."""

from components.registry.component import Registry, RegistryArgs
from components.registry.database import DatabaseArgs

__all__ = ["DatabaseArgs", "Registry", "RegistryArgs"]
