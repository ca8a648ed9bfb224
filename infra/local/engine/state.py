"""The state of a run in memory, every change journaled before it counts.

The journal is a file of JSON lines beside the state file: writing one line per operation keeps 500 resources linear,
where rewriting the state file each time would be quadratic. It begins with the digest of the state file it continues.
A run that ends writes the state file and removes the journal; a run that is killed leaves it, and the next one folds
it in. Secrets are encrypted in both.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from infra.local.engine import checkpoint as checkpoints
from infra.local.engine.checkpoint import Checkpoint, Files
from infra.local.engine.passphrase import Passphrase
from infra.local.engine.resources import Resource, from_json, to_json, topological
from infra.local.errors import LocalError

Change = tuple[int | None, Resource]
Recorded = tuple[int, Resource]


@dataclass(frozen=True, slots=True)
class Pending:
    """An operation that began and has not ended: `creating`, `updating` or `deleting` in Pulumi's words."""

    type: str
    resource: Resource


class State:
    """Resources and pending operations, each under a number that is stable within a run. Safe for threads.

    With `dry_run` nothing is ever written; with `empty` nothing is read, as for a stack that does not exist.
    """

    def __init__(self, files: Files, passphrase: str, *, dry_run: bool = False, empty: bool = False) -> None:
        self._files = files
        self._dry_run = dry_run
        self._lock = threading.RLock()
        self._journal: BinaryIO | None = None
        # What of the journal could not be used, for the caller to tell.
        self.warnings: list[str] = []
        loaded = Checkpoint() if empty else checkpoints.read(files)
        self._base = loaded
        self.secrets = Passphrase(passphrase, loaded.salt)
        self._documents: dict[int, dict[str, Any]] = dict(enumerate(loaded.resources))
        self._opened: dict[int, Resource] = {}
        self._pending: dict[int, dict[str, Any]] = dict(enumerate(loaded.pending))
        self._next = max(len(loaded.resources), len(loaded.pending))
        self._changed = not empty and self._fold_journal()
        self._by_urn = {doc["urn"]: key for key, doc in self._documents.items() if not doc.get("delete")}

    # Reading.

    def items(self) -> Iterator[tuple[int, Resource]]:
        """Every recorded resource with its number, in the order recorded."""
        with self._lock:
            keys = list(self._documents)
        for key in keys:
            resource = self.get(key)
            if resource is not None:
                yield key, resource

    def get(self, key: int) -> Resource | None:
        """The resource of a number, its secrets decrypted."""
        with self._lock:
            if key not in self._documents:
                return None
            if key not in self._opened:
                self._opened[key] = self._open(self._documents[key])
            return self._opened[key]

    def live(self, urn: str) -> Recorded | None:
        """The resource of a URN with its number, one whose deletion is still to come left out."""
        with self._lock:
            key = self._by_urn.get(urn)
            if key is None:
                return None
            resource = self.get(key)
            return None if resource is None else (key, resource)

    def pending(self) -> list[tuple[int, Pending]]:
        """Operations that a killed run left unfinished."""
        with self._lock:
            return [(token, Pending(doc["type"], self._open(doc["resource"]))) for token, doc in self._pending.items()]

    # Changing.

    def begin(self, type_: str, resource: Resource) -> int:
        """Write ahead that an operation begins; the number returned ends it."""
        with self._lock:
            token = self._number()
            document = {"type": type_, "resource": self._seal(resource)}
            self._append({"pending": token, **document})
            self._pending[token] = document
            return token

    def end(self, token: int | None = None, put: Sequence[Change] = (), remove: Sequence[int] = ()) -> list[int]:
        """Record an operation's outcome in one step; returns the numbers of the resources put.

        A resource put without a number is new. Without a token the change belongs to no written-ahead operation.
        """
        with self._lock:
            if token is None and not put and not remove:
                return []
            puts = [(self._number() if key is None else key, resource) for key, resource in put]
            sealed = [(key, self._seal(resource)) for key, resource in puts]
            self._append({"settled": token, "put": sealed, "remove": list(remove)})
            if token is not None:
                self._pending.pop(token, None)
            for key in remove:
                self._forget(key)
            for (key, resource), (_, document) in zip(puts, sealed, strict=True):
                self._forget(key)
                self._documents[key] = document
                self._opened[key] = resource
                if not resource.delete:
                    self._by_urn[resource.urn] = key
            self._changed = True
            return [key for key, _ in puts]

    def rename(self, old: str, new: str) -> None:
        """Turn every reference to URN `old` into `new`: a resource goes on under another URN."""
        touched = [
            (key, replace(renamed, urn=new) if resource.urn == old else renamed)
            for key, resource in self.items()
            if (renamed := resource.renamed(old, new)) is not resource or resource.urn == old
        ]
        self.end(put=touched)

    def prune(self) -> None:
        """Drop references to URNs that are no longer recorded; the CLI refuses a state that has them."""
        present = {resource.urn for _, resource in self.items()}
        touched = [(key, resource) for key, resource in self.items() if not resource.references() <= present]
        self.end(put=[(key, resource.without(resource.references() - present)) for key, resource in touched])

    def save(self) -> None:
        """Write the state file if anything changed, and end the journal."""
        with self._lock:
            if self._dry_run:
                return
            if self._changed or not self._base.digest:
                self._write()
            self.close()
            self._files.journal.unlink(missing_ok=True)

    def _write(self) -> None:
        ordered = topological(resource for _, resource in self.items())
        keys = {id(resource): key for key, resource in self._opened.items()}
        content = checkpoints.render(
            self._files,
            replace(
                self._base,
                resources=[self._documents[keys[id(resource)]] for resource in ordered],
                pending=list(self._pending.values()),
                salt=self.secrets.state,
            ),
        )
        if self._journal is not None:
            # From here the journal is spent: a kill after the replacement must not fold it in again.
            self._append({"commit": checkpoints.digest(content)})
        checkpoints.write(self._files, content)
        self._base = replace(self._base, digest=checkpoints.digest(content), salt=self.secrets.state)
        self._changed = False

    def _forget(self, key: int) -> None:
        document = self._documents.pop(key, None)
        self._opened.pop(key, None)
        if document is not None and self._by_urn.get(document["urn"]) == key:
            del self._by_urn[document["urn"]]

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _seal(self, resource: Resource) -> dict[str, Any]:
        document = to_json(resource)
        if self._dry_run:
            return document
        for part in ("inputs", "outputs"):
            if part in document:
                document[part] = self.secrets.seal(document[part])
        return document

    def _open(self, document: dict[str, Any]) -> Resource:
        opened = {key: self.secrets.open(document[key]) for key in ("inputs", "outputs") if key in document}
        return from_json(document | opened)

    # The journal.

    def _append(self, entry: dict[str, Any]) -> None:
        if self._dry_run:
            return
        try:
            if self._journal is None:
                self.secrets.verify()
                if not self._base.digest:
                    self._write()
                self._files.own.mkdir(parents=True, exist_ok=True)
                self._journal = self._files.journal.open("wb")
                self._journal.write(json.dumps({"base": self._base.digest}).encode() + b"\n")
            # Handed to the kernel, so it outlives this process. It is not forced to the disk, which would cost some
            # milliseconds per operation: a machine that stops takes the embedded cloud with it.
            self._journal.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            self._journal.flush()
        except OSError as problem:
            raise LocalError(
                f"the journal {self._files.journal} could not be written ({problem.strerror}): "
                "free disk space and run the command again"
            ) from problem

    def close(self) -> None:
        """Close the journal as it is: the next run goes on from it."""
        if self._journal is not None:
            with suppress(OSError):
                self._journal.close()
            self._journal = None

    def _fold_journal(self) -> bool:
        """Apply what a killed run left; returns whether anything was."""
        path = self._files.journal
        if not path.exists():
            return False
        entries = list(_entries(path.read_bytes()))
        base = entries[0].get("base") if entries else None
        if any(entry.get("commit") == self._base.digest for entry in entries):
            entries = []
        elif base != self._base.digest:
            self.warnings.append(self._put_aside())
            return False
        if not self._dry_run:
            self._journal = path.open("ab")
            # A line that was torn by the kill ends here.
            self._journal.write(b"\n")
        for entry in entries[1:]:
            if "pending" in entry:
                self._pending[entry["pending"]] = {"type": entry["type"], "resource": entry["resource"]}
                self._next = max(self._next, entry["pending"] + 1)
            elif "settled" in entry:
                self._pending.pop(entry["settled"], None)
                for key in entry["remove"]:
                    self._documents.pop(key, None)
                for key, document in entry["put"]:
                    self._documents[key] = document
                    self._next = max(self._next, key + 1)
        return len(entries) > 1

    def _put_aside(self) -> str:
        kept = self._files.aside("journal")
        if not self._dry_run:
            self._files.journal.replace(kept)
        return (
            "the state file was changed by another tool after a run of this engine was interrupted; "
            f"what that run did since is kept in {kept} and not used: run refresh and compare"
        )


def _entries(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            # The last line of a killed run can be torn: its operation never began.
            continue
        yield entry
