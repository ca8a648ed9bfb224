"""Runs Pulumi programs against mocks and records what they register."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import rpc
from pulumi.runtime.settings import get_root_resource, reset_options, set_root_resource
from pulumi.runtime.stack import run_pulumi_func
from pulumi.runtime.sync_await import (  # pyright: ignore[reportPrivateUsage] - what pulumi's own test uses
    _ensure_event_loop,  # pyright: ignore[reportPrivateUsage] - as above
    _sync_await,  # pyright: ignore[reportPrivateUsage] - as above
)

ACCOUNT = "123456789012"
REGION = "eu-west-1"


@dataclass(frozen=True)
class Registered:
    """One registration as the engine would see it."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: Mapping[str, Any]
    protect: bool
    ignore_changes: Sequence[str]
    dependencies: Sequence[str]
    custom: bool


@dataclass
class Graph:
    """What a program registered and exported."""

    resources: list[Registered] = field(default_factory=list[Registered])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])

    def named(self, name: str) -> Registered:
        """The one resource with that logical name."""
        (found,) = [each for each in self.resources if each.name == name]
        return found

    def of_type(self, token: str) -> list[Registered]:
        """Resources of a type, as `aws:s3/bucket:Bucket`."""
        return [each for each in self.resources if each.type == token]

    def children(self) -> set[tuple[str, str]]:
        """Type and logical name of every custom resource but the provider."""
        return {(each.type, each.name) for each in self.resources if each.custom and "providers" not in each.type}


class Cloud(pulumi_mocks.Mocks):
    """Answers as AWS would, as far as a program can see: ids, ARNs and the few attributes that others are made of."""

    def __init__(self, invokes: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._invokes = invokes or {}

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The resource's inputs with the attributes that AWS adds."""
        inputs = cast("dict[str, Any]", cast("Any", args).inputs)
        service = args.typ.split(":")[1].split("/")[0]
        state: dict[str, Any] = {
            "arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{args.name}",
            "name": args.name,
            "id": f"{args.name}-id",
            **inputs,
        }
        if args.typ == "aws:s3/bucket:Bucket":
            state["arn"] = f"arn:aws:s3:::{inputs['bucket']}"
            return inputs["bucket"], state
        if args.typ == "aws:ecr/repository:Repository":
            state["repositoryUrl"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{inputs['name']}"
        if args.typ == "aws:ec2/vpcEndpoint:VpcEndpoint":
            state["prefixListId"] = "pl-1234"
        if args.typ == "aws:rds/instance:Instance":
            secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-1234"
            state |= {"address": "registry.example", "masterUserSecrets": [{"secretArn": secret}]}
        if args.typ == "aws:lb/loadBalancer:LoadBalancer":
            state |= {"dnsName": "registry.elb.example", "arnSuffix": "app/registry/1234"}
        return f"{args.name}-id", state

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The answer prepared for the function; a function nobody prepared is a KeyError."""
        return dict(self._invokes[args.token]), []


class _Recorder(pulumi_mocks.MockMonitor):
    def __init__(self, mocks: pulumi_mocks.Mocks, graph: Graph) -> None:
        super().__init__(mocks)
        self._graph = graph

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the monitor's own spelling
        response = cast("Any", super()).RegisterResource(request)
        self._graph.resources.append(
            Registered(
                urn=response.urn,
                type=request.type,
                name=request.name,
                parent=request.parent,
                inputs=rpc.deserialize_properties(request.object),
                protect=request.protect,
                ignore_changes=tuple(request.ignoreChanges),
                dependencies=tuple(sorted(request.dependencies)),
                custom=request.custom,
            )
        )
        return response


def record(
    program: Callable[[], object], *, stack: str = "test", invokes: Mapping[str, Mapping[str, Any]] | None = None
) -> Graph:
    """Run `program` and return what it registered and exported.

    `invokes` are the answers of provider functions by token. Whatever the program raises is raised here.
    """
    graph = Graph()
    _ensure_event_loop()  # a test before this one may have left the thread without one
    reset_options()
    set_root_resource(None)  # pyright: ignore[reportArgumentType] - forgets the stack of the program run before
    mocks = Cloud(invokes)
    pulumi_mocks.set_mocks(mocks, project="mlp", stack=stack, preview=False, monitor=_Recorder(mocks, graph))

    async def run() -> None:
        program()

    _sync_await(run_pulumi_func(run))
    exported = cast("dict[str, Any]", cast("Any", get_root_resource()).outputs)
    graph.outputs = {name: _sync_await(pulumi.Output.from_input(value).future()) for name, value in exported.items()}
    graph.resources = [each for each in graph.resources if each.type != "pulumi:pulumi:Stack"]
    return graph


def texts(value: Any) -> Iterator[str]:
    """Every text in nested inputs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():  # pyright: ignore[reportUnknownVariableType] - inputs are untyped
            yield from texts(each)
    elif isinstance(value, Sequence):
        for each in value:  # pyright: ignore[reportUnknownVariableType] - inputs are untyped
            yield from texts(each)


def placeholders(value: Any) -> Any:
    """Inputs as a golden file holds them: image tags replaced, JSON documents opened."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        return placeholders(json.loads(value))
    if isinstance(value, str):
        return re.sub(r"(/(?:training|registry-server)):[0-9a-f]{16}\b", r"\1:<content-hash>", value)
    if isinstance(value, Mapping):
        return {key: placeholders(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType] - inputs are untyped
    if isinstance(value, Sequence):
        return [placeholders(each) for each in value]  # pyright: ignore[reportUnknownVariableType] - inputs are untyped
    return value
