"""Keyed hashes: the only form in which identifiers of people ever reach the store."""

import hashlib
import hmac

from pipelines.experimentation.errors import ExperimentError

MINIMUM_KEY_BYTES = 32


class Pseudonyms:
    """HMAC-SHA-256 under one key (RFC 2104), cut to 128 bits, with a purpose in front so that kinds never match.

    Without the key a guessed identifier cannot be tested against the store. Another key makes every unit a stranger:
    change it between experiments only.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < MINIMUM_KEY_BYTES:
            raise ExperimentError(f"the key of units must have {MINIMUM_KEY_BYTES} bytes or more, got {len(key)}")
        self._key = key

    def unit(self, identifier: str) -> str:
        """Pseudonym of a unit, the same in every experiment so that deletion finds all of it."""
        return self._digest("unit", identifier)

    def cluster(self, identifier: str) -> str:
        """Pseudonym of a cluster, such as a household or a company."""
        return self._digest("cluster", identifier)

    def event(self, experiment: str, identifier: str) -> str:
        """Pseudonym of an event's identifier, which a client may have built from its user's."""
        return self._digest("event", f"{experiment}\n{identifier}")

    def _digest(self, purpose: str, text: str) -> str:
        message = f"{purpose}\n{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:32]
