"""The one place that touches private parts of Pulumi's Python SDK.

The SDK talks to an engine through an object with the methods of the gRPC service `ResourceMonitor`; given one of our
own it runs a program in this process. Here requests become `registration` objects and answers become messages again.
The analyzer protocol's generated modules are handed on from here too.
"""

import asyncio
import contextvars
import re
import runpy
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import config as sdk_config
from pulumi.runtime import settings
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, engine_pb2, provider_pb2, resource_pb2
from pulumi.runtime.stack import run_in_stack

from infra.local.engine import lazy_packages
from infra.local.engine.registration import Alias, Invocation, ReadRequest, Registrar, Registration
from infra.local.engine.values import OUTPUT, SIGNATURE, UNKNOWN, Properties, Value, secret
from infra.local.errors import LocalError

__all__ = [
    "Run",
    "analyzer_pb2",
    "analyzer_pb2_grpc",
    "empty",
    "from_struct",
    "main_of",
    "run_program",
    "to_struct",
    "user_error",
]

_FEATURES = [
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    # The following are announced so that the refusal is ours and says what to do instead.
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
]

_SEVERITIES = {
    engine_pb2.DEBUG: "debug",
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


@dataclass(frozen=True, slots=True)
class Run:
    """How a program is to be run: its stack, its configuration, whether for real, and how many threads may wait."""

    project: str
    stack: str
    root: Path
    config: Mapping[str, str]
    secret_keys: frozenset[str]
    dry_run: bool
    threads: int


def run_program(run: Run, program: Callable[[], Any], registrar: Registrar) -> None:
    """Run a program to its end, every resource registered with `registrar`; its exception is raised as it is.

    The SDK keeps its settings in context variables, so they end with this call.
    """
    contextvars.copy_context().run(_run, run, program, registrar)


def main_of(root: Path) -> Callable[[], None]:
    """The program of a folder: its `__main__.py`, run as Python would, with the folder importable."""

    def program() -> None:
        path = root / "__main__.py"
        if not path.exists():
            raise LocalError(f"{root} has no program: {path.name} is missing")
        inserted = str(root)
        sys.path.insert(0, inserted)
        try:
            with lazy_packages.installed():
                runpy.run_path(str(path), run_name="__main__")
        finally:
            sys.path.remove(inserted)

    return program


def user_error(problem: BaseException) -> str | None:
    """The text of an exception that speaks to the program's author and needs no traceback, else None."""
    if isinstance(problem, LocalError | pulumi.RunError):
        return str(problem)
    return None


def _run(run: Run, program: Callable[[], Any], registrar: Registrar) -> None:
    settings.ROOT.set(None)
    settings.configure(
        settings.Settings(
            project=run.project,
            stack=run.stack,
            monitor=_Monitor(registrar, run),
            engine=_Log(registrar),
            parallel=run.threads,
            dry_run=run.dry_run,
            organization="organization",
            root_directory=str(run.root),
        )
    )
    sdk_config.set_all_config(dict(run.config), sorted(run.secret_keys))
    loop = asyncio.new_event_loop()
    # Futures of a program that fails are never awaited; asyncio would report each of them when it is collected.
    loop.set_exception_handler(lambda _loop, _context: None)
    executor = ThreadPoolExecutor(run.threads, thread_name_prefix="registration")
    loop.set_default_executor(executor)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(run_in_stack(program))
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        _cancel_tasks(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


class _Monitor:
    """`ResourceMonitor` without gRPC. The SDK calls it from its worker threads."""

    def __init__(self, registrar: Registrar, run: Run) -> None:
        self._registrar = registrar
        self._run = run

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802, ARG002 - the gRPC service's method
        return resource_pb2.DeploymentInfo(
            project=self._run.project,
            stack=self._run.stack,
            organization="organization",
            dryRun=self._run.dry_run,
            parallel=self._run.threads,
            supportedFeatures=_FEATURES,
        )

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        answer = self._registrar.register(_registration(request))
        # A program's resource must not lose what it passed in where a provider answers less.
        return resource_pb2.RegisterResourceResponse(
            urn=answer.urn, id=answer.id, object=to_struct(answer.outputs), result=resource_pb2.SUCCESS
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        self._registrar.register_outputs(request.urn, from_struct(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        _refuse(bool(request.packageRef), f"{request.name}: a parameterized provider")
        answer = self._registrar.read(
            ReadRequest(
                type=request.type,
                name=request.name,
                id=request.id,
                parent=request.parent,
                inputs=from_struct(request.properties),
                provider=request.provider,
                version=request.version,
                dependencies=tuple(request.dependencies),
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
            )
        )
        return resource_pb2.ReadResourceResponse(urn=answer.urn, id=answer.id, properties=to_struct(answer.outputs))

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        _refuse(bool(request.packageRef), f"{request.tok}: a parameterized provider")
        result, failures = self._registrar.invoke(
            Invocation(request.tok, from_struct(request.args), request.provider, request.version)
        )
        fields: dict[str, Any] = {
            "return": None if result is None else to_struct(result),
            "failures": [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures],
            "unknown": result is None and not failures,
        }
        return resource_pb2.ResourceInvokeResponse(**fields)

    def Call(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        raise _unsupported(f"calling the method {request.tok} of a resource")

    def ExistsResource(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        raise _unsupported(f"asking whether {request.type} {request.id} exists")

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: N802, ARG002 - the gRPC service's method
        raise _unsupported("a stack transform (transformations, the older form, work)")

    def RegisterStackInvokeTransform(self, request: Any) -> Any:  # noqa: N802, ARG002 - the gRPC service's method
        raise _unsupported("a stack invoke transform")

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        raise _unsupported(f"the resource hook {request.name}")

    def RegisterErrorHook(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        raise _unsupported(f"the error hook {request.name}")

    def RegisterPackage(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        raise _unsupported(f"the parameterized provider {request.name}")

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802, ARG002 - the gRPC service's method
        return empty_pb2.Empty()


class _Log:
    """The `Engine` service without gRPC."""

    def __init__(self, registrar: Registrar) -> None:
        self._registrar = registrar

    def Log(self, request: Any) -> Any:  # noqa: N802 - the gRPC service's method
        self._registrar.log(request.urn, _SEVERITIES.get(request.severity, "info"), request.message)
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, request: Any) -> Any:  # noqa: N802, ARG002 - the gRPC service's method
        return engine_pb2.RequirePulumiVersionResponse()


def _registration(request: Any) -> Registration:
    label = f"{request.type} {request.name}"
    _refuse(request.remote, f"{label}: a component of another package (remote)")
    _refuse(bool(request.packageRef), f"{label}: a parameterized provider")
    _refuse(bool(request.replace_with), f"{label}: the option replace_with")
    _refuse(request.HasField("replacement_trigger"), f"{label}: the option replacement_trigger")
    _refuse(bool(request.envVarMappings), f"{label}: the option env_var_mappings")
    _refuse(bool(request.pluginDownloadURL), f"{label}: the option plugin_download_url")
    return Registration(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=from_struct(request.object),
        provider=request.provider,
        version=request.version,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            key: sorted(dependencies.urns) for key, dependencies in sorted(request.propertyDependencies.items())
        },
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=(*(Alias(urn=urn) for urn in request.aliasURNs), *map(_alias, request.aliases)),
        import_id=request.importId,
        deleted_with=request.deletedWith,
        custom_timeouts=_timeouts(label, request.customTimeouts),
    )


def _alias(message: Any) -> Alias:
    if message.WhichOneof("alias") == "urn":
        return Alias(urn=message.urn)
    spec = message.spec
    return Alias("", spec.name, spec.type, spec.stack, spec.project, spec.parentUrn, spec.noParent)


_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[hms]))+")


def _timeouts(label: str, message: Any) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for name in ("create", "update", "delete"):
        text = getattr(message, name)
        if text:
            if not _DURATION.fullmatch(text):
                raise LocalError(f"{label}: custom timeout {name} is {text!r}: write it like '90s', '30m' or '1h30m'")
            parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[hms])", text)
            found[name] = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    return found or None


def _refuse(condition: bool, what: str) -> None:  # noqa: FBT001 - a condition, read as "refuse if"
    if condition:
        raise _unsupported(what)


def _unsupported(what: str) -> LocalError:
    return LocalError(f"{what} is not supported by the embedded engine: deploy with --engine pulumi, or do without it")


def from_struct(message: Any) -> Properties:
    """A protobuf struct as plain values; whole numbers become ints."""
    return {key: _from_value(value) for key, value in message.fields.items()}


def _from_value(message: Any) -> Value:  # noqa: PLR0911 - one return per kind of value
    kind = message.WhichOneof("kind")
    if kind == "string_value":
        return message.string_value
    if kind == "number_value":
        number: float = message.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return message.bool_value
    if kind == "list_value":
        return [_from_value(part) for part in message.list_value.values]
    if kind == "struct_value":
        fields = from_struct(message.struct_value)
        if fields.get(SIGNATURE) == OUTPUT:
            value = fields.get("value", UNKNOWN)
            return secret(value) if fields.get("secret") else value
        return fields
    return None


def empty() -> Any:
    """The message of a call without arguments."""
    return empty_pb2.Empty()


def to_struct(properties: Mapping[str, Value]) -> struct_pb2.Struct:
    """Plain values as a protobuf struct."""
    return struct_pb2.Struct(fields={key: _to_value(value) for key, value in properties.items()})


def _to_value(value: Value) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, list):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_to_value(part) for part in value]))
    return struct_pb2.Value(struct_value=to_struct(value))
