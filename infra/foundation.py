"""What every stage stands on: keys, buckets, network and image repositories."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi

from infra.environment import Environment
from infra.keys import Keys
from infra.network import Network
from infra.repositories import Repositories
from infra.storage import Storage


class FoundationArgs(TypedDict):
    """What the foundation is made of."""

    environment: Environment
    """Where it stands."""
    cidr: str
    """IPv4 block of the VPC."""
    zones: Sequence[str]
    """Availability zones, two or three."""
    interface_endpoints: Sequence[str]
    """Services reached through interface endpoints."""
    images: Sequence[str]
    """Names of the images that stages run."""
    retention_days: int
    """Days that logs are kept."""
    noncurrent_days: int
    """Days that replaced or deleted object versions are kept."""
    disposable: bool
    """True lets data go with the stack; False protects it."""


class Foundation(pulumi.ComponentResource):
    """Keys, buckets, network and image repositories, wired to each other."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Foundation", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        environment = args["environment"]
        self._keys = Keys("keys", {"environment": environment, "disposable": args["disposable"]}, child)
        self._storage = Storage(
            "storage",
            {
                "environment": environment,
                "confidential_key_arn": self._keys.confidential_arn,
                "internal_key_arn": self._keys.internal_arn,
                "disposable": args["disposable"],
                "noncurrent_days": args["noncurrent_days"],
                "logs_retention_days": args["retention_days"],
            },
            child,
        )
        self._network = Network(
            "network",
            {
                "environment": environment,
                "cidr": args["cidr"],
                "zones": args["zones"],
                "interface_endpoints": args["interface_endpoints"],
                "logs_key_arn": self._keys.operational_arn,
                "retention_days": args["retention_days"],
            },
            child,
        )
        self._repositories = Repositories(
            "images",
            {
                "environment": environment,
                "images": args["images"],
                "key_arn": self._keys.internal_arn,
                "disposable": args["disposable"],
            },
            child,
        )
        self.register_outputs({})

    @property
    def keys(self) -> Keys:
        """Encryption keys by data class."""
        return self._keys

    @property
    def storage(self) -> Storage:
        """Buckets."""
        return self._storage

    @property
    def network(self) -> Network:
        """VPC, subnets and endpoints."""
        return self._network

    @property
    def repositories(self) -> Repositories:
        """Image repositories."""
        return self._repositories
