"""The service's environment."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

import boto3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from pipelines.experimentation.assignment import key_id
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.service.dynamodb import WRITE_SECONDS


@dataclass(frozen=True)
class Settings:
    """What the service needs to know."""

    state_table: str
    events_table: str
    unit_key: bytes = field(repr=False)
    trusted: Mapping[str, Ed25519PublicKey] = field(default_factory=dict[str, Ed25519PublicKey])
    """Public keys of whoever may sign configurations, by `key_id`."""
    settle_seconds: float = 2 * WRITE_SECONDS
    """A look sees what was stored this long ago: longer than a write can be on its way, plus our clocks' difference."""
    kafka_brokers: str = ""
    """Empty: events stay in DynamoDB and no stream is fed."""
    kafka_topic: str = "experiment-events"
    kafka_settings: Mapping[str, str | int | bool] = field(default_factory=dict[str, str | int | bool], repr=False)
    """Of librdkafka, beside ours: security, for instance."""
    create_tables: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read STATE_TABLE, EVENTS_TABLE, UNIT_KEY or UNIT_KEY_SECRET, CONFIGURATION_KEYS and the optional ones.

        Raises ExperimentError that names the variable to change.
        """
        missing = [name for name in ("STATE_TABLE", "EVENTS_TABLE") if not environment.get(name)]
        if missing:
            raise ExperimentError(f"environment: set {' and '.join(missing)}")
        try:
            settle = float(environment.get("SETTLE_SECONDS", "") or 2 * WRITE_SECONDS)
        except ValueError:
            raise ExperimentError(f"SETTLE_SECONDS must be a number, got {environment['SETTLE_SECONDS']!r}") from None
        return cls(
            state_table=environment["STATE_TABLE"],
            events_table=environment["EVENTS_TABLE"],
            unit_key=_unit_key(environment),
            trusted=public_keys(environment.get("CONFIGURATION_KEYS", "")),
            settle_seconds=settle,
            kafka_brokers=environment.get("KAFKA_BROKERS", ""),
            kafka_topic=environment.get("KAFKA_TOPIC", "") or "experiment-events",
            kafka_settings=_kafka_settings(environment.get("KAFKA_SETTINGS", "")),
            create_tables=environment.get("CREATE_TABLES", "") == "1",
        )


def _unit_key(environment: Mapping[str, str]) -> bytes:
    text = environment.get("UNIT_KEY", "")
    if not text and (name := environment.get("UNIT_KEY_SECRET")):
        secrets = boto3.client("secretsmanager")  # pyright: ignore[reportUnknownMemberType]: stubs name some services only
        text = secrets.get_secret_value(SecretId=name)["SecretString"]
    if not text:
        raise ExperimentError("environment: set UNIT_KEY (base64) or UNIT_KEY_SECRET (name of a secret that holds it)")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ExperimentError("UNIT_KEY must be base64 of 32 random bytes or more") from None


def _kafka_settings(text: str) -> dict[str, str | int | bool]:
    try:
        return TypeAdapter(dict[str, str | int | bool]).validate_json(text or "{}")
    except ValidationError:
        raise ExperimentError('KAFKA_SETTINGS must be a JSON object such as {"security.protocol": "SSL"}') from None


def public_keys(text: str) -> dict[str, Ed25519PublicKey]:
    """Ed25519 public keys from base64 of their 32 bytes, separated by commas, by their `key_id`."""
    keys = dict[str, Ed25519PublicKey]()
    for part in filter(None, (each.strip() for each in text.split(","))):
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(part, validate=True))
        except (binascii.Error, ValueError):
            raise ExperimentError(f"CONFIGURATION_KEYS: {part!r} is not base64 of an Ed25519 public key") from None
        keys[key_id(key)] = key
    return keys
