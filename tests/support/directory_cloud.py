"""A provider whose cloud is a folder: one JSON file per resource, so that it outlives the process that made it.

Package `dir`. Every creation is adopted by name: making a resource whose name exists and whose `urn` is the same
returns the one that is there. Each call is recorded in `calls.log`; `hook` is told before and after each.

Resource `dir:index:Item` has inputs: `name` (made from the URN's name and the seed when left out; a change replaces),
`size` (updated in place), `key` (a change replaces, the old one deleted first), `secret` (kept secret), `fail` (the
text that every creation and update fails with), `links` (anything). `dir:index:Twin` has no generated name, so its
replacement deletes first. Function `dir:index:count` answers `{"count": number of resources}`.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pulumi
from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue, ResourceReference

from infra.local.errors import LocalError

PACKAGE = "dir"
ITEM = "dir:index:Item"
TWIN = "dir:index:Twin"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_REPLACES = ("name", "key")


def plain(value: PropertyValue) -> Any:
    """The value without marks."""
    content: Any = value.value
    if isinstance(content, Mapping):
        return plain_map(cast("Mapping[str, PropertyValue]", content))
    if isinstance(content, tuple):
        return [plain(part) for part in cast("tuple[PropertyValue, ...]", content)]
    if isinstance(content, ResourceReference):
        return {"reference": content.urn}
    return content


def wrap(value: Any) -> PropertyValue:
    """A plain value as a property value."""
    if isinstance(value, dict):
        return PropertyValue({key: wrap(part) for key, part in cast("dict[str, Any]", value).items()})
    if isinstance(value, list):
        return PropertyValue([wrap(part) for part in cast("list[Any]", value)])
    return PropertyValue(float(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """Every value without marks."""
    return {key: plain(value) for key, value in values.items()}


class DirectoryProvider(api.Provider):
    """See the module's text."""

    def __init__(self, folder: Path, hook: Callable[[str], None] = lambda _: None) -> None:
        self._folder = folder
        self._hook = hook
        self.configured: list[dict[str, Any]] = []
        self._gate = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def __copy__(self) -> "DirectoryProvider":
        copied = DirectoryProvider(self._folder, self._hook)
        copied.configured = self.configured
        return copied

    # What tests look at.

    def resources(self) -> dict[str, dict[str, Any]]:
        """Every resource that is there, by id."""
        return {path.stem: json.loads(path.read_text()) for path in sorted(self._folder.glob("*.json"))}

    def calls(self) -> list[str]:
        """Every call so far, as `<operation> <resource name>`."""
        log = self._folder / "calls.log"
        return log.read_text().splitlines() if log.exists() else []

    def _called(self, operation: str, urn: str) -> None:
        with self._gate, (self._folder / "calls.log").open("a") as log:
            log.write(f"{operation} {urn.rsplit('::', maxsplit=1)[-1]}\n")

    def _path(self, identifier: str) -> Path:
        return self._folder / f"{identifier}.json"

    def _write(self, identifier: str, content: dict[str, Any]) -> None:
        partial = self._folder / f".{identifier}.partial"
        partial.write_text(json.dumps(content))
        os.replace(partial, self._path(identifier))  # noqa: PTH105 - plain and atomic

    # The provider interface.

    async def configure(self, request: api.ConfigureRequest) -> api.ConfigureResponse:
        self.configured.append(plain_map(request.args))
        return await super().configure(request)

    async def diff_config(self, request: api.DiffRequest) -> api.DiffResponse:
        old, new = plain_map(request.old_state), plain_map(request.new_inputs)
        keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        return api.DiffResponse(changes=bool(keys), diffs=keys, replaces=[key for key in keys if key == "realm"])

    async def check(self, request: api.CheckRequest) -> api.CheckResponse:
        inputs = dict(request.new_inputs)
        if "size" in inputs and not isinstance(inputs["size"].value, float) and inputs["size"].value != _UNKNOWN:
            reason = f"must be a number, got {inputs['size'].value!r}"
            return api.CheckResponse(failures=[api.CheckFailure("size", reason)])
        if "name" not in inputs:
            if request.type.endswith("Twin"):
                inputs["name"] = PropertyValue(request.name)
            else:
                suffix = hashlib.sha256(request.random_seed).hexdigest()[:7]
                inputs["name"] = request.old_inputs.get("name") or PropertyValue(f"{request.name}-{suffix}")
        return api.CheckResponse(inputs=inputs)

    async def diff(self, request: api.DiffRequest) -> api.DiffResponse:
        old, new = plain_map(request.old_state), plain_map(request.new_inputs)
        old = {key: value for key, value in old.items() if key not in {"arn", "generation"}}
        keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        replaces = [key for key in keys if key in _REPLACES]
        first = "key" in replaces or request.type.endswith("Twin")
        return api.DiffResponse(changes=bool(keys), diffs=keys, replaces=replaces, delete_before_replace=first)

    async def create(self, request: api.CreateRequest) -> api.CreateResponse:
        inputs = plain_map(request.properties)
        if request.preview:
            unknown = {"arn": PropertyValue(_UNKNOWN), "generation": PropertyValue(_UNKNOWN)}
            return api.CreateResponse("", dict(request.properties) | unknown)
        self._hook(f"create {request.name}")
        self._called("create", request.urn)
        self._refuse(inputs)
        identifier = str(inputs["name"])
        if self._path(identifier).exists():
            existing = json.loads(self._path(identifier).read_text())
            if existing["urn"] != request.urn:
                raise LocalError(f"the name {identifier!r} is taken by {existing['urn']}: choose another")
        content = {"urn": request.urn, "inputs": inputs, "generation": 1}
        self._write(identifier, content)
        self._hook(f"created {request.name}")
        return api.CreateResponse(identifier, self._outputs(request.properties, identifier, 1))

    async def read(self, request: api.ReadRequest) -> api.ReadResponse:
        self._hook(f"read {request.name}")
        path = self._path(request.resource_id)
        if not path.exists():
            return api.ReadResponse()
        content = json.loads(path.read_text())
        inputs = {key: wrap(value) for key, value in content["inputs"].items()}
        outputs = self._outputs(inputs, request.resource_id, content["generation"])
        return api.ReadResponse(request.resource_id, outputs, inputs)

    async def update(self, request: api.UpdateRequest) -> api.UpdateResponse:
        inputs = plain_map(request.news)
        if request.preview:
            return api.UpdateResponse(dict(request.news) | {"arn": request.olds["arn"]})
        self._hook(f"update {request.name}")
        self._called("update", request.urn)
        self._refuse(inputs)
        if not self._path(request.resource_id).exists():
            raise LocalError(f"{request.resource_id} is gone: run refresh")
        generation = json.loads(self._path(request.resource_id).read_text())["generation"] + 1
        self._write(request.resource_id, {"urn": request.urn, "inputs": inputs, "generation": generation})
        self._hook(f"updated {request.name}")
        return api.UpdateResponse(self._outputs(request.news, request.resource_id, generation))

    async def delete(self, request: api.DeleteRequest) -> None:
        self._hook(f"delete {request.name}")
        self._called("delete", request.urn)
        self._path(request.resource_id).unlink(missing_ok=True)
        self._hook(f"deleted {request.name}")

    async def invoke(self, request: api.InvokeRequest) -> api.InvokeResponse:
        if request.tok == "dir:index:count":
            return api.InvokeResponse({"count": PropertyValue(float(len(self.resources())))})
        return api.InvokeResponse({}, [api.CheckFailure("tok", f"there is no function {request.tok}")])

    @staticmethod
    def _outputs(inputs: Mapping[str, PropertyValue], identifier: str, generation: int) -> dict[str, PropertyValue]:
        own = {"arn": PropertyValue(f"arn:dir:{identifier}"), "generation": PropertyValue(float(generation))}
        return dict(inputs) | own

    @staticmethod
    def _refuse(inputs: dict[str, Any]) -> None:
        if inputs.get("fail"):
            raise LocalError(str(inputs["fail"]))


class Item(pulumi.CustomResource):
    """A `dir:index:Item`."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    size: pulumi.Output[float]
    secret: pulumi.Output[str]

    def __init__(
        self, resource_name: str, props: dict[str, Any] | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        known = dict.fromkeys(("name", "arn", "generation", "size", "secret", "key", "links", "fail"))
        super().__init__(ITEM, resource_name, known | (props or {}), _versioned(opts))


class Twin(pulumi.CustomResource):
    """A `dir:index:Twin`."""

    arn: pulumi.Output[str]

    def __init__(
        self, resource_name: str, props: dict[str, Any] | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        known = dict.fromkeys(("name", "arn", "generation", "size", "key", "links"))
        super().__init__(TWIN, resource_name, known | (props or {}), _versioned(opts))


class DirProvider(pulumi.ProviderResource):
    """An explicit provider of the package."""

    def __init__(self, resource_name: str, props: dict[str, Any] | None = None) -> None:
        super().__init__(PACKAGE, resource_name, props or {}, pulumi.ResourceOptions(version="1.2.3"))


class Group(pulumi.ComponentResource):
    """A component with one output."""

    total: pulumi.Output[int]

    def __init__(self, name: str, size: int, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dir:index:Group", name, {"size": size}, opts)
        self.items = [
            Item(f"{name}-{index}", {"size": index}, pulumi.ResourceOptions(parent=self)) for index in range(size)
        ]
        self.total = pulumi.Output.from_input(size)
        self.register_outputs({"total": self.total})


def _versioned(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version="1.2.3"), opts)
