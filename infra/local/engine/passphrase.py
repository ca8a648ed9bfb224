"""Pulumi's passphrase secrets manager: values in the state are encrypted exactly as the CLI does.

Format of Pulumi's `sdk/go/common/resource/config/crypt.go`: the key is PBKDF2-HMAC-SHA256 of the passphrase with an
8-byte salt and 1,000,000 rounds; a value is `v1:<nonce>:<ciphertext>` in base64, AES-256-GCM with a 12-byte nonce;
the manager's state is `v1:<salt>:<encryption of "pulumi">`.
"""

import base64
import hashlib
import json
import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.local.engine.values import SECRET, SIGNATURE, Value
from infra.local.errors import LocalError

ROUNDS = 1_000_000
_VERIFIER = "pulumi"


@lru_cache(maxsize=16)
def _derive(passphrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, 32)


class Passphrase:
    """Encrypts and decrypts the secrets of one stack.

    The key takes a third of a second, so it is derived on a thread of its own from the moment this object is made
    and waited for only when a secret is met. `state` is that of the stack's file, or None for a new stack.
    """

    def __init__(self, passphrase: str, state: str | None = None) -> None:
        self._salt = os.urandom(8) if state is None else _salt_of(state)
        self._state = state
        self._verified = state is None
        # An equal plaintext keeps its ciphertext, so an unchanged stack gives an unchanged file.
        self._known: dict[str, str] = {}
        executor = ThreadPoolExecutor(1, thread_name_prefix="passphrase")
        self._key: Future[bytes] = executor.submit(_derive, passphrase, self._salt)
        executor.shutdown(wait=False)

    @property
    def state(self) -> str:
        """What the state file records of this manager: the salt and a value to check a passphrase against."""
        if self._state is None:
            salt = base64.b64encode(self._salt).decode()
            self._state = f"v1:{salt}:{self._encrypt(_VERIFIER)}"
        return self._state

    def seal(self, value: Value) -> Value:
        """`value` with every secret in it encrypted, as the state file holds it."""
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET and "value" in value:
                # What lies inside a secret keeps its marks but is not encrypted twice.
                plaintext = json.dumps(_inside(value["value"]), separators=(",", ":"), ensure_ascii=False)
                return {SIGNATURE: SECRET, "ciphertext": self.encrypt(plaintext)}
            return {key: self.seal(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.seal(part) for part in value]
        return value

    def open(self, value: Value) -> Value:
        """`value` of the state file with every secret in it decrypted."""
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET:
                plaintext = value.get("plaintext")
                ciphertext = value.get("ciphertext")
                text = plaintext if isinstance(plaintext, str) else self.decrypt(str(ciphertext))
                return {SIGNATURE: SECRET, "value": _outside(json.loads(text))}
            return {key: self.open(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.open(part) for part in value]
        return value

    def encrypt(self, plaintext: str) -> str:
        """`v1:<nonce>:<ciphertext>`; raises LocalError where the passphrase is not the stack's."""
        self.verify()
        known = self._known.get(plaintext)
        if known is None:
            known = self._known[plaintext] = self._encrypt(plaintext)
        return known

    def decrypt(self, ciphertext: str) -> str:
        """The plaintext; raises LocalError where the passphrase is not the stack's or the value is damaged."""
        self.verify()
        plaintext = self._decrypt(ciphertext)
        self._known.setdefault(plaintext, ciphertext)
        return plaintext

    def verify(self) -> None:
        """Raise LocalError where the passphrase is not the one the stack was made with."""
        if not self._verified and self._state is not None:
            if self._decrypt(self._state.split(":", 2)[2]) != _VERIFIER:
                raise _wrong_passphrase()
            self._verified = True

    def _encrypt(self, plaintext: str) -> str:
        nonce = os.urandom(12)
        sealed = AESGCM(self._key.result()).encrypt(nonce, plaintext.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def _decrypt(self, ciphertext: str) -> str:
        version, _, rest = ciphertext.partition(":")
        nonce, _, sealed = rest.partition(":")
        if version != "v1" or not sealed:
            raise LocalError(
                f"a secret in the state starts with {version!r}, not with 'v1': it is not the passphrase manager's"
            )
        try:
            return AESGCM(self._key.result()).decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None).decode()
        except InvalidTag:
            raise _wrong_passphrase() from None


def _wrong_passphrase() -> LocalError:
    return LocalError(
        "the passphrase does not open the secrets of this stack's state: use the one the stack was made with "
        "(the file `passphrase` in MLP_HOME, or PULUMI_CONFIG_PASSPHRASE), or remove the stack's state to start anew"
    )


def _salt_of(state: str) -> bytes:
    version, _, rest = state.partition(":")
    salt, _, verifier = rest.partition(":")
    if version != "v1" or not verifier.startswith("v1:"):
        raise LocalError(
            f"the state's encryption salt is {state!r}, which is not of the form v1:<salt>:v1:<nonce>:<value>"
        )
    return base64.b64decode(salt)


def _inside(value: Value) -> Any:
    """A secret inside a secret is marked with its plaintext, as the CLI writes it."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET and "value" in value:
            return {SIGNATURE: SECRET, "ciphertext": json.dumps(_inside(value["value"]), separators=(",", ":"))}
        return {key: _inside(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_inside(part) for part in value]
    return value


def _outside(value: Value) -> Value:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET and isinstance(value.get("ciphertext"), str):
            return {SIGNATURE: SECRET, "value": _outside(json.loads(str(value["ciphertext"])))}
        return {key: _outside(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_outside(part) for part in value]
    return value
