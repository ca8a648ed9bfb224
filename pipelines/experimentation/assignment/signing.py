"""Signed envelopes: the issuer holds an Ed25519 private key (RFC 8032), callers only public keys."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.experimentation.assignment.configuration import Configuration
from pipelines.experimentation.errors import ExperimentError

_DOMAIN = b"mlp.experimentation.configuration.v1\n"
# Signed in front of the payload, so that a signature made for another purpose never fits.
CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future a configuration may have been issued by the caller's clock."""


class TamperedConfigurationError(ExperimentError):
    """The envelope was not signed by a trusted key, or was changed after it was."""


class StaleConfigurationError(ExperimentError):
    """The configuration has expired, is not yet valid, or is older than one already in use."""


class Envelope(BaseModel):
    """A configuration's canonical JSON with its signature; `signature` is base64."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_id: str
    payload: str
    signature: str


def key_id(key: Ed25519PublicKey) -> str:
    """Name of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def sign(configuration: Configuration, key: Ed25519PrivateKey) -> Envelope:
    """Seal a configuration."""
    payload = configuration.canonical()
    signature = base64.b64encode(key.sign(_DOMAIN + payload)).decode()
    return Envelope(key_id=key_id(key.public_key()), payload=payload.decode(), signature=signature)


def verify(envelope: Envelope, trusted: Mapping[str, Ed25519PublicKey], now: datetime) -> Configuration:
    """The configuration inside an envelope, once its signature, form and dates are in order.

    `trusted` maps `key_id` to key: two during a rotation. Raises TamperedConfigurationError or StaleConfigurationError.
    """
    key = trusted.get(envelope.key_id)
    if key is None:
        raise TamperedConfigurationError(f"signed by unknown key {envelope.key_id}; trusted are {sorted(trusted)}")
    try:
        payload = envelope.payload.encode()
        key.verify(base64.b64decode(envelope.signature, validate=True), _DOMAIN + payload)
    except (InvalidSignature, ValueError):  # ValueError: not base64, not ASCII, or half a surrogate pair
        raise TamperedConfigurationError("the signature does not fit the configuration; fetch it again") from None
    try:
        configuration = Configuration.model_validate(json.loads(payload))
    except (ValidationError, json.JSONDecodeError) as error:
        raise TamperedConfigurationError(f"signed, but not a configuration this version understands: {error}") from None
    if configuration.issued_at - CLOCK_SKEW > now:
        raise StaleConfigurationError(
            f"issued at {configuration.issued_at}, which is after now, {now}; check the clock"
        )
    if configuration.expires_at <= now:
        raise StaleConfigurationError(f"expired at {configuration.expires_at}, now is {now}; fetch a newer one")
    return configuration
