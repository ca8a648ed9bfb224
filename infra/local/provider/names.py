"""Physical names and tokens: the same for the same create however often it is run, another one for a replacement."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .values import has_unknown

SUFFIX_LENGTH = 7


@dataclass(frozen=True)
class Name:
    """How the physical name of a type is made when the program gives none: `<name>-<7 hex digits>`."""

    property: str
    max: int
    """Longest name AWS takes."""
    prefix_property: str | None = None
    lower: bool = False
    start: str = ""
    """What AWS wants every such name to begin with, as `alias/`."""

    def make(self, logical: str, token: str, prefix: str | None = None) -> str:
        """The name; the logical part is cut to the length budget, the suffix never."""
        suffix = token[:SUFFIX_LENGTH]
        stem = prefix if prefix is not None else f"{self.start}{logical}-"
        stem = stem[: self.max - SUFFIX_LENGTH]
        return f"{stem.lower() if self.lower else stem}{suffix}"


def token_of(urn: str, seed: bytes, replace_inputs: Mapping[str, Any]) -> str:
    """32 hex digits that identify one create of one resource.

    The seed is the engine's: the same when the same create is run again, another when the resource is being
    replaced. Without a seed, the URN and the inputs that a replacement would change stand for it.
    """
    if seed:
        return hashlib.sha256(urn.encode() + seed).hexdigest()[:32]
    known = {name: value for name, value in sorted(replace_inputs.items()) if not has_unknown(value)}
    return hashlib.sha256((urn + json.dumps(known, sort_keys=True, default=str)).encode()).hexdigest()[:32]
