"""The tracking server's container, as ECS wants it described, and the sizes Fargate offers. Pure."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypedDict

PORT = 5000
"""Where the server listens in its container."""
USER = "10001"
"""The image's user: not root, without a shell."""
CONTAINER = "server"
"""Name of the container in its task."""
TMP_VOLUME = "tmp"
"""Volume mounted at `/tmp`, the only place the container may write."""


class Server(TypedDict):
    """What the container is started with."""

    image: str
    log_group: str
    region: str
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    database_tls: bool
    secret_arn: str
    artifacts_uri: str
    hostname: str | None
    """Name clients call the server by; None leaves any."""


def container_definitions(server: Server) -> str:
    """The task's containers as JSON: read-only, without privileges, its password never in the environment given."""
    environment = {
        "ARTIFACTS_URI": server["artifacts_uri"],
        "DATABASE_HOST": server["database_host"],
        "DATABASE_NAME": server["database_name"],
        "DATABASE_PORT": str(int(server["database_port"])),
        "DATABASE_USER": server["database_user"],
        "PORT": str(PORT),
        **({"PGSSLMODE": "require"} if server["database_tls"] else {}),
        **({"ALLOWED_HOSTS": server["hostname"]} if server["hostname"] else {}),
    }
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": server["image"],
        "essential": True,
        "user": USER,
        "privileged": False,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "portMappings": [{"containerPort": PORT, "hostPort": PORT, "protocol": "tcp"}],
        "environment": [{"name": name, "value": environment[name]} for name in sorted(environment)],
        "secrets": [{"name": "DATABASE_PASSWORD", "valueFrom": f"{server['secret_arn']}:password::"}],
        "mountPoints": [{"sourceVolume": TMP_VOLUME, "containerPath": "/tmp", "readOnly": False}],  # noqa: S108 - the volume's path in the container
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": server["log_group"],
                "awslogs-region": server["region"],
                "awslogs-stream-prefix": CONTAINER,
            },
        },
        "stopTimeout": 30,
    }
    return json.dumps([container], sort_keys=True)


FARGATE_MEMORY: Mapping[int, Sequence[int]] = MappingProxyType(
    {
        256: (512, 1024, 2048),
        512: range(1024, 4096 + 1, 1024),
        1024: range(2048, 8192 + 1, 1024),
        2048: range(4096, 16384 + 1, 1024),
        4096: range(8192, 30720 + 1, 1024),
        8192: range(16384, 61440 + 1, 4096),
        16384: range(32768, 122880 + 1, 8192),
    }
)
"""MiB of memory by CPU units. Source: Amazon ECS developer guide, task size on Fargate."""


def size_problem(cpu: int, memory_mib: int) -> tuple[str, str] | None:
    """What is wrong with a task of that size, as property path and reason; None when Fargate offers it."""
    if cpu not in FARGATE_MEMORY:
        return "cpu", f"must be one of {', '.join(map(str, FARGATE_MEMORY))} units, got {cpu}; leave it out for 1024"
    offered = FARGATE_MEMORY[cpu]
    if memory_mib not in offered:
        return (
            "memory_mib",
            f"must be one of {', '.join(map(str, offered))} with {cpu} units of CPU, got {memory_mib}",
        )
    return None
