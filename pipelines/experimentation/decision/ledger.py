"""The decision record: what was declared, every look, the verdict, who approved.

Reproducible from the stored events.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Self, cast

from pydantic import BaseModel, ConfigDict, model_validator

from pipelines.experimentation.assignment.configuration import canonical_json
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.look import look
from pipelines.experimentation.decision.records import CONCLUSIVE, Look, Verdict
from pipelines.experimentation.errors import ExperimentError


class ChangedDeclarationError(ExperimentError):
    """The declaration is not the one the experiment started with."""


class Approval(BaseModel):
    """One person's consent to one verdict."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str
    at: float
    look: int
    record_digest: str
    """Digest of the record that was approved."""


class Ledger(BaseModel):
    """The whole record of an experiment; every method gives a new one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    declaration: Declaration
    declaration_digest: str
    started_at: float
    """Seconds since the epoch."""
    looks: tuple[Look, ...] = ()
    approvals: tuple[Approval, ...] = ()

    @classmethod
    def start(cls, declaration: Declaration, at: float) -> Self:
        """Freeze a declaration; from now on no other is accepted."""
        return cls(declaration=declaration, declaration_digest=declaration.digest(), started_at=at)

    @model_validator(mode="after")
    def _untouched(self) -> Self:
        if self.declaration.digest() != self.declaration_digest:
            raise ChangedDeclarationError("the stored declaration does not have the digest it was started with")
        return self

    @property
    def verdict(self) -> Verdict:
        """Of the last look; "continue" before the first."""
        return self.looks[-1].verdict if self.looks else "continue"

    @property
    def ended(self) -> bool:
        """True after a conclusive verdict.

        An invalid look tests nothing and may be repeated once the data are repaired.
        """
        return self.verdict in CONCLUSIVE

    @property
    def may_go_on(self) -> bool:
        """Another look may be taken: nothing is concluded, or stopping is only advised and nobody has approved it."""
        return not self.ended or (self.looks[-1].advises and not self.approvals)

    def digest(self) -> str:
        """SHA-256 of declaration and looks: what an approval is bound to."""
        document = {"declaration": self.declaration_digest, "looks": [x.model_dump(mode="json") for x in self.looks]}
        return hashlib.sha256(canonical_json(document)).hexdigest()

    def take_look(self, declaration: Declaration, events: Events, at: float) -> Self:
        """Look at the data as of `at` and add what was seen.

        Raises ChangedDeclarationError when `declaration` is not the one the experiment started with, ExperimentError
        when the experiment has ended or `at` does not lie after the last look.
        """
        if declaration.digest() != self.declaration_digest:
            raise ChangedDeclarationError(
                f"{declaration.name} was changed after its start: digest {declaration.digest()[:12]}, started with "
                f"{self.declaration_digest[:12]}; a changed plan is another experiment, under another name"
            )
        if not self.may_go_on:
            raise ExperimentError(f"{declaration.name} ended at look {len(self.looks)} with {self.verdict!r}")
        if at <= (self.looks[-1].at if self.looks else self.started_at):
            raise ExperimentError(f"a look must come after the start and after the last look, got {at}")
        valid = [past for past in self.looks if past.verdict != "invalid"]
        taken = look(self.declaration, self.started_at, valid, events, at)
        return self.model_copy(update={"looks": (*self.looks, taken)})

    def approve(self, by: str, at: float) -> Self:
        """Approve the last verdict. Raises ExperimentError for somebody not named, twice, or nothing conclusive."""
        if by not in self.declaration.approvers:
            raise ExperimentError(
                f"{by} may not approve {self.declaration.name}; {list(self.declaration.approvers)} may"
            )
        if self.verdict not in CONCLUSIVE:
            raise ExperimentError(f"there is nothing to approve: the verdict is {self.verdict!r}")
        if any(approval.by == by for approval in self.approvals):
            raise ExperimentError(f"{by} has approved already")
        approval = Approval(by=by, at=at, look=len(self.looks), record_digest=self.digest())
        return self.model_copy(update={"approvals": (*self.approvals, approval)})

    @property
    def may_ship(self) -> bool:
        """True when the verdict is "ship" and somebody approved exactly this record."""
        return self.verdict == "ship" and any(a.record_digest == self.digest() for a in self.approvals)


def reproduce(ledger: Ledger, events: Events) -> list[str]:
    """Take every look again from the stored events; each difference in words, an empty list when the record stands.

    Numbers may differ in the ninth digit, since another machine may add in another order. A record from before a method
    was corrected differs in that method's numbers.
    """
    again = Ledger.start(ledger.declaration, ledger.started_at)
    differences = list[str]()
    for recorded in ledger.looks:
        again = again.take_look(ledger.declaration, events, recorded.at)
        differences += _differences(f"look {recorded.number}", _document(recorded), _document(again.looks[-1]))
    for approval in ledger.approvals:
        if approval.record_digest != ledger.digest():
            differences.append(f"approval by {approval.by} is of another record")
    return differences


def _document(look: Look) -> Mapping[str, object]:
    """JSON; a flag that is 0 says as little as one that did not exist when the look was taken."""
    flags = {name: count for name, count in look.flags.items() if count}
    return look.model_copy(update={"flags": flags}).model_dump(mode="json")


def _differences(path: str, recorded: object, found: object) -> list[str]:
    if isinstance(recorded, dict) and isinstance(found, dict):
        left, right = cast(Mapping[str, object], recorded), cast(Mapping[str, object], found)
        return [
            d
            for key in sorted(left.keys() | right.keys())
            for d in _differences(f"{path}.{key}", left.get(key), right.get(key))
        ]
    if isinstance(recorded, list) and isinstance(found, list):
        ours, theirs = cast(Sequence[object], recorded), cast(Sequence[object], found)
        if len(ours) == len(theirs):
            return [
                d for i, pair in enumerate(zip(ours, theirs, strict=True)) for d in _differences(f"{path}[{i}]", *pair)
            ]
    if (
        isinstance(recorded, float)
        and isinstance(found, float)
        and math.isclose(recorded, found, rel_tol=1e-9, abs_tol=1e-12)
    ):
        return []
    return [] if recorded == found else [f"{path}: recorded {recorded}, found {found}"]
