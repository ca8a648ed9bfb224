"""Policy packs: each is a process that serves Pulumi's analyzer protocol, started as the CLI starts it.

A mandatory violation fails the run before the resource is made; in a preview all of them are collected first. An
advisory one is reported. Packs start while the program is being imported and are waited for when first needed.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import grpc

from infra.local.engine import sdk, urns
from infra.local.engine.config import StackConfiguration
from infra.local.engine.events import Operation, Status
from infra.local.engine.resources import Resource
from infra.local.engine.values import Properties
from infra.local.errors import LocalError

_START_SECONDS = 60.0
_CALL_SECONDS = 120.0
# The pack ends with the thread that started it, even if that is killed: prctl(PR_SET_PDEATHSIG, SIGKILL).
_BOOT = (
    "import ctypes, runpy, sys; ctypes.CDLL(None).prctl(1, 9); sys.argv[0] = 'pulumi.policy'; "
    "runpy.run_module('pulumi.policy', run_name='__main__', alter_sys=True)"
)
# `python -m pulumi.policy` takes the address of an engine to log to; packs of this SDK do not call it.
_NO_ENGINE = "127.0.0.1:0"

Note = Callable[[str, Status, str, Operation], None]


class Pack:
    """One running policy pack."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        if not (folder / "PulumiPolicy.yaml").exists():
            raise LocalError(f"{folder} is no policy pack: PulumiPolicy.yaml is missing")
        self.folder = folder
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on the user's own pack
            [sys.executable, "-u", "-c", _BOOT, _NO_ENGINE, str(folder)],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._channel: grpc.Channel | None = None
        self._stub: Any = None
        self._lock = threading.Lock()

    def call(self, method: str, request: Any) -> Any:
        """Call a method of the analyzer; raises LocalError where the pack fails."""
        with self._lock:
            if self._stub is None:
                self._connect()
        try:
            return getattr(self._stub, method)(request, timeout=_CALL_SECONDS)
        except grpc.RpcError as problem:
            details = problem.details() if isinstance(problem, grpc.Call) else problem
            raise LocalError(f"the policy pack {self.folder} failed in {method}: {details}") from None

    def close(self) -> None:
        """Stop the process."""
        if self._channel is not None:
            self._channel.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _connect(self) -> None:
        timer = threading.Timer(_START_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else b""
        finally:
            timer.cancel()
        if not line.strip().isdigit():
            self._errors.seek(0)
            tail = self._errors.read().decode(errors="replace").strip().splitlines()[-8:]
            raise LocalError(
                "\n  ".join([f"the policy pack {self.folder} did not start:", *tail, line.decode().strip()])
            )
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{int(line)}", options=[("grpc.max_receive_message_length", -1)]
        )
        self._stub = sdk.analyzer_pb2_grpc.AnalyzerStub(self._channel)
        info = self._stub.GetAnalyzerInfo(sdk.empty(), timeout=_CALL_SECONDS)
        if info.initialConfig:
            self._stub.Configure(
                sdk.analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=info.initialConfig), timeout=_CALL_SECONDS
            )


class Policies:
    """The packs of a run; `note` reports advisory violations. Safe for threads; close it after use."""

    def __init__(self, packs: Sequence[Pack], note: Note, *, dry_run: bool) -> None:
        self._packs = packs
        self._note = note
        self._dry_run = dry_run
        self._violations: list[str] = []

    def close(self) -> None:
        """Stop every pack."""
        for pack in self._packs:
            pack.close()

    def resource(self, resource: Resource, provider: Resource | None = None) -> None:
        """Check the inputs of one resource before it is made."""
        if not self._packs:
            return
        request = sdk.analyzer_pb2.AnalyzeRequest(
            type=resource.type,
            urn=resource.urn,
            name=urns.name_of(resource.urn),
            properties=_properties(resource.inputs),
            options=_options(resource),
            provider=_provider(provider),
        )
        for pack in self._packs:
            self._judge(pack.call("Analyze", request).diagnostics, resource.urn)

    def stack(self, resources: Iterable[Resource]) -> None:
        """Check the outputs of all resources together; raises LocalError with every mandatory violation so far."""
        if self._packs:
            request = sdk.analyzer_pb2.AnalyzeStackRequest(resources=map(_resource, resources))
            for pack in self._packs:
                self._judge(pack.call("AnalyzeStack", request).diagnostics, "", collect=True)
        if self._violations:
            raise LocalError("\n".join(self._violations))

    def _judge(self, diagnostics: Iterable[Any], urn: str, *, collect: bool = False) -> None:
        for found in diagnostics:
            about = found.urn or urn
            what = f"{urns.type_of(about)} {urns.name_of(about)}: " if about else ""
            message = f"policy {found.policyName} of pack {found.policyPackName}: {found.message}"
            if found.enforcementLevel == sdk.analyzer_pb2.ADVISORY:
                self._note(message, Status.WARNING, about, Operation.POLICY)
            elif found.enforcementLevel != sdk.analyzer_pb2.DISABLED:
                self._note(message, Status.FAILED, about, Operation.POLICY)
                self._violations.append(what + message)
        if self._violations and not self._dry_run and not collect:
            raise LocalError("\n".join(self._violations))


def start(
    folders: Sequence[Path], project: str, stack: str, config: StackConfiguration, note: Note, *, dry_run: bool
) -> Policies:
    """Start the packs of these folders; configured secrets are not handed to them."""
    plain = {key: value for key, value in config.values.items() if key not in config.secret_keys}
    environment = {
        "PULUMI_ORGANIZATION": "organization",
        "PULUMI_PROJECT": project,
        "PULUMI_STACK": stack,
        "PULUMI_DRY_RUN": "true" if dry_run else "false",
        "PULUMI_CONFIG": json.dumps(plain),
    }
    return Policies([Pack(folder.resolve(), environment) for folder in folders], note, dry_run=dry_run)


def _properties(properties: Properties) -> Any:
    return sdk.to_struct({key: value for key, value in properties.items() if not key.startswith("__")})


def _options(resource: Resource) -> Any:
    return sdk.analyzer_pb2.AnalyzerResourceOptions(
        protect=resource.protect,
        ignoreChanges=resource.ignore_changes,
        additionalSecretOutputs=resource.additional_secret_outputs,
        aliases=resource.aliases,
        parent=resource.parent,
    )


def _provider(provider: Resource | None) -> Any:
    if provider is None:
        return None
    return sdk.analyzer_pb2.AnalyzerProviderResource(
        type=provider.type,
        urn=provider.urn,
        name=urns.name_of(provider.urn),
        properties=_properties(provider.inputs),
    )


def _resource(resource: Resource) -> Any:
    dependencies = {
        key: sdk.analyzer_pb2.AnalyzerPropertyDependencies(urns=found)
        for key, found in resource.property_dependencies.items()
    }
    return sdk.analyzer_pb2.AnalyzerResource(
        type=resource.type,
        urn=resource.urn,
        name=urns.name_of(resource.urn),
        properties=_properties(resource.outputs),
        options=_options(resource),
        parent=resource.parent,
        dependencies=resource.dependencies,
        propertyDependencies=dependencies,
    )
