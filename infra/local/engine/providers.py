"""Calls to providers: which provider a resource has, its configuration, and each operation in plain values.

Operations are `async` in the provider interface but may block (an AWS client does), so each runs on the calling thread
with an event loop of that thread, and a semaphore bounds how many run at once.
"""

import asyncio
import copy
import hashlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue

from infra.local.engine import urns
from infra.local.engine.properties import from_provider, to_provider
from infra.local.engine.resources import Resource
from infra.local.engine.values import Properties, changed_keys, has_unknown, keep_secret, reveal
from infra.local.errors import LocalError

T = TypeVar("T")
ProviderSource = api.Provider | Callable[[], api.Provider]

# Keys of a provider resource's inputs that are the engine's and not the provider's own configuration.
INTERNAL = "__internal"
# What a provider is told where the program sets no custom timeout: its own default applies.
_NO_TIMEOUT = 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A provider's answer to `diff`: the properties changed, those that force a replacement, and in which order."""

    keys: tuple[str, ...] = ()
    replace_keys: tuple[str, ...] = ()
    delete_before_replace: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return bool(self.keys or self.replace_keys)


@dataclass(frozen=True, slots=True)
class Found:
    """What `read` found: an empty id means that the resource does not exist."""

    id: str
    inputs: Properties = field(default_factory=dict[str, Any])
    outputs: Properties = field(default_factory=dict[str, Any])


class CheckError(LocalError):
    """A provider refused a resource's inputs."""


@dataclass(slots=True)
class _Configured:
    provider: api.Provider
    known: bool


class Providers:
    """The providers of a run, by the URN of their provider resource. Safe for threads; close it after use.

    `sources` gives a provider, or something that makes one, per package. Every provider resource gets a copy of its
    own, because each has its own configuration.
    """

    def __init__(self, sources: Mapping[str, ProviderSource], parallel: int) -> None:
        self._sources = sources
        self._slots = threading.BoundedSemaphore(parallel)
        self._configured: dict[str, _Configured] = {}
        self._lock = threading.Lock()
        self._threads = threading.local()
        self._loops: list[asyncio.AbstractEventLoop] = []

    def close(self) -> None:
        """Close the event loops; no call may be under way."""
        with self._lock:
            for loop in self._loops:
                loop.close()
            self._loops.clear()

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        loop: asyncio.AbstractEventLoop | None = getattr(self._threads, "loop", None)
        if loop is None or loop.is_closed():
            loop = self._threads.loop = asyncio.new_event_loop()
            with self._lock:
                self._loops.append(loop)
        with self._slots:
            return loop.run_until_complete(call)

    # Provider resources.

    def _new(self, type_: str) -> api.Provider:
        package = urns.package_of(type_)
        source = self._sources.get(package)
        if source is None:
            known = ", ".join(sorted(self._sources)) or "none"
            raise LocalError(
                f"package {package!r} has no provider on this machine (there is: {known}): use a resource of one of "
                "those, or deploy with the Pulumi CLI"
            )
        return copy.copy(source) if isinstance(source, api.Provider) else source()

    def check_config(self, urn: str, old: Properties, new: Properties) -> Properties:
        """The checked configuration of a provider resource."""
        request = api.CheckRequest(urn, to_provider(_own(old)), to_provider(_own(new)), b"")
        response = self._run(self._new(urns.type_of(urn)).check_config(request))
        checked = _checked(urn, response, new)
        return checked | {key: new[key] for key in (INTERNAL, "version") if key in new}

    def diff_config(self, old: Resource, new: Properties) -> Difference:
        """How a provider resource's configuration differs from the recorded one."""
        request = api.DiffRequest(old.urn, old.id, to_provider(_own(old.inputs)), to_provider(_own(new)), [])
        response = self._run(self._new(old.type).diff_config(request))
        return _difference(response, _own(old.inputs), _own(new))

    def configure(self, urn: str, inputs: Properties) -> None:
        """Make a provider for a provider resource; one whose configuration is not known yet is never called."""
        own = _own(inputs)
        known = not has_unknown(own)
        provider = self._new(urns.type_of(urn))
        if known:
            package = urns.package_of(urns.type_of(urn))
            plain = reveal(own)
            variables = (
                {f"{package}:config:{key}": _text(part) for key, part in plain.items()}
                if isinstance(plain, dict)
                else {}
            )
            self._run(provider.configure(api.ConfigureRequest(variables, to_provider(own), True, True)))  # noqa: FBT003 - the SDK's own signature
        with self._lock:
            self._configured[urn] = _Configured(provider, known)

    def configured(self, reference: str) -> bool:
        """Whether the provider of a reference `<urn>::<id>` can be called."""
        entry = self._configured.get(urns.split_reference(reference)[0])
        return entry is not None and entry.known

    def has(self, urn: str) -> bool:
        """Whether the provider resource was configured in this run."""
        return urn in self._configured

    def _of(self, reference: str) -> api.Provider:
        urn, _ = urns.split_reference(reference)
        entry = self._configured.get(urn)
        if entry is None or not entry.known:
            raise LocalError(
                f"the provider {urns.name_of(urn) if urn else reference!r} is not configured: deploy it first"
            )
        return entry.provider

    # Resources.

    def check(self, reference: str, urn: str, old: Properties, new: Properties, seed: bytes) -> Properties:
        """The inputs with defaults and names filled in; raises CheckError naming each property refused."""
        request = api.CheckRequest(urn, to_provider(old), to_provider(new), seed)
        return _checked(urn, self._run(self._of(reference).check(request)), new)

    def diff(self, reference: str, old: Resource, new: Properties, ignore: tuple[str, ...]) -> Difference:
        """How wanted inputs differ from the recorded state; properties whose value is unknown count as changed."""
        request = api.DiffRequest(old.urn, old.id, to_provider(old.outputs), to_provider(new), list(ignore))
        return _difference(self._run(self._of(reference).diff(request)), old.inputs, new)

    def create(self, reference: str, resource: Resource, *, preview: bool = False) -> tuple[str, Properties]:
        """Id and outputs of a new resource; in a preview the id is empty."""
        request = api.CreateRequest(resource.urn, to_provider(resource.inputs), _timeout(resource, "create"), preview)
        response = self._run(self._of(reference).create(request))
        if not response.resource_id and not preview:
            raise LocalError(f"the provider gave {urns.type_of(resource.urn)} {urns.name_of(resource.urn)} no id")
        return response.resource_id or "", _outputs(response.properties, resource)

    def update(self, reference: str, old: Resource, new: Resource, *, preview: bool = False) -> Properties:
        """Outputs after an update in place."""
        request = api.UpdateRequest(
            new.urn,
            old.id,
            to_provider(old.outputs),
            to_provider(new.inputs),
            _timeout(new, "update"),
            list(new.ignore_changes),
            preview,
        )
        return _outputs(self._run(self._of(reference).update(request)).properties, new)

    def delete(self, reference: str, resource: Resource) -> None:
        """Delete; a resource that is gone already is no error of the provider."""
        request = api.DeleteRequest(
            resource.urn, resource.id, to_provider(resource.outputs), _timeout(resource, "delete")
        )
        self._run(self._of(reference).delete(request))

    def read(self, reference: str, resource: Resource) -> Found:
        """What is really there for the recorded resource, or for an id alone."""
        request = api.ReadRequest(
            resource.urn, resource.id, to_provider(resource.outputs), to_provider(resource.inputs)
        )
        response = self._run(self._of(reference).read(request))
        inputs = keep_secret(from_provider(response.inputs), resource.inputs)
        return Found(response.resource_id or "", inputs, _outputs(response.properties, resource))

    def invoke(self, reference: str, token: str, arguments: Properties) -> tuple[Properties, list[tuple[str, str]]]:
        """A function's result, and its failures as (property, reason)."""
        response = self._run(self._of(reference).invoke(api.InvokeRequest(token, to_provider(arguments))))
        failures = [(failure.property, failure.reason) for failure in response.failures]
        return from_provider(response.return_value), failures


def seed(urn: str, replaced_id: str = "") -> bytes:
    """The seed of a resource's generated name.

    It follows from the URN and the id of the resource it replaces: a creation that is run again chooses the same name,
    and a replacement another than the resource it stands beside.
    """
    return hashlib.sha256(f"{urn}\0{replaced_id}".encode()).digest()


def _own(inputs: Properties) -> Properties:
    return {key: value for key, value in inputs.items() if key != INTERNAL}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _timeout(resource: Resource, operation: str) -> float:
    return (resource.custom_timeouts or {}).get(operation, _NO_TIMEOUT)


def _outputs(properties: dict[str, PropertyValue], resource: Resource) -> Properties:
    return keep_secret(from_provider(properties), resource.inputs, resource.additional_secret_outputs)


def _checked(urn: str, response: api.CheckResponse, new: Properties) -> Properties:
    if response.failures:
        reasons = [
            f"{failure.property}: {failure.reason}" if failure.property else failure.reason
            for failure in response.failures
        ]
        where = f"{urns.type_of(urn)} {urns.name_of(urn)}"
        raise CheckError(f"{where}: {reasons[0]}" if len(reasons) == 1 else "\n  ".join([f"{where}:", *reasons]))
    return keep_secret(from_provider(response.inputs), new)


def _difference(response: api.DiffResponse, old: Properties, new: Properties) -> Difference:
    replaces = tuple(response.replaces)
    if response.changes is None and not replaces:
        # The provider leaves it to the engine: compare inputs with inputs.
        return Difference(tuple(changed_keys(old, new)))
    if not response.changes and not replaces:
        return Difference()
    keys = tuple(dict.fromkeys([*response.diffs, *response.detailed_diff, *replaces]))
    return Difference(keys or tuple(changed_keys(old, new)) or ("(unknown)",), replaces, response.delete_before_replace)
