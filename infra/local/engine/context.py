"""What every part of a run works with, and the book of what the program has registered so far."""

import threading
from dataclasses import dataclass, replace

from infra.local.engine import aliases, urns
from infra.local.engine.config import StackConfiguration
from infra.local.engine.policies import Policies
from infra.local.engine.providers import Providers
from infra.local.engine.registration import Registration
from infra.local.engine.reporting import Report
from infra.local.engine.resources import Resource, now
from infra.local.engine.state import Recorded, State
from infra.local.errors import LocalError


@dataclass(frozen=True, slots=True)
class Context:
    """One run: whose stack it is, what is recorded, and what it calls."""

    project: str
    stack: str
    config: StackConfiguration
    state: State
    providers: Providers
    report: Report
    policies: Policies
    parallel: int
    dry_run: bool

    def urn(self, parent: str, type_: str, name: str) -> str:
        """The URN of a resource of this stack."""
        return urns.make(self.stack, self.project, parent, type_, name)


class Registry:
    """What the program has registered: which URNs, and which records it still wants. Safe for threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._state = context.state
        self._lock = threading.RLock()
        self._urns: set[str] = set()
        self._kept: set[int] = set()
        # The URN a resource was found under, where it is an alias: its children may be found under that one too.
        self._found_as: dict[str, str] = {}

    def claim(self, urn: str) -> None:
        """Take a URN for a registration; raises LocalError where it is taken."""
        with self._lock:
            if urn in self._urns:
                raise LocalError(
                    f"{urns.type_of(urn)} {urns.name_of(urn)!r} is registered twice: give one of them another name"
                )
            self._urns.add(urn)

    def claimed(self) -> set[str]:
        """Every URN registered so far."""
        with self._lock:
            return set(self._urns)

    def find(self, wanted: Registration, urn: str) -> Recorded | None:
        """The recorded resource that a registration is about, under its URN or an alias; it is kept."""
        with self._lock:
            found = self._state.live(urn) or self._under_alias(wanted, urn)
            if found is not None:
                self._kept.add(found[0])
            return found

    def _under_alias(self, wanted: Registration, urn: str) -> Recorded | None:
        others = aliases.candidates(
            (wanted.parent, wanted.type, wanted.name),
            wanted.aliases,
            self._found_as.get(wanted.parent, ""),
            self._context.stack,
            self._context.project,
        )
        for alias in others:
            if self._state.live(alias) is None:
                continue
            if alias in self._urns:
                raise LocalError(
                    f"{wanted.type} {wanted.name} has the alias {alias}, which the program registers too: "
                    "remove the alias or that resource"
                )
            self._state.rename(alias, urn)
            self._found_as[urn] = alias
            return self._state.live(urn)
        return None

    def put_new(self, record: Resource) -> Resource:
        """Record a resource that no written-ahead operation made; returns it with its times."""
        stamp = now()
        stamped = replace(record, created=record.created or stamp, modified=record.modified or stamp)
        self.keep(*self._state.end(put=[(None, stamped)]))
        return stamped

    def amend(self, found: Recorded, record: Resource) -> None:
        """Record options and references that changed without the resource itself changing."""
        if record != found[1]:
            self._state.end(put=[(found[0], record)])

    def keep(self, *keys: int) -> None:
        """The program wants these records."""
        with self._lock:
            self._kept.update(keys)

    def retire(self, key: int) -> None:
        """The program does not want this record any more."""
        with self._lock:
            self._kept.discard(key)

    def wanted(self) -> list[Resource]:
        """The records the program wants."""
        return [resource for key, resource in self._state.items() if key in self._kept]

    def unwanted(self) -> list[int]:
        """Numbers of the records the program does not want."""
        return [key for key, _ in self._state.items() if key not in self._kept]

    def check_policies(self, record: Resource) -> None:
        """Have the policy packs check a resource; raises LocalError for a mandatory violation."""
        provider = self._state.live(urns.split_reference(record.provider)[0]) if record.provider else None
        self._context.policies.resource(record, provider[1] if provider else None)
