"""Values that a task definition names and does not hold: secrets and parameters."""

import json
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException


class ValueMissingError(LookupError):
    """A secret cannot be had; the text is the reason as ECS words it."""


@dataclass(frozen=True)
class Reference:
    """A `valueFrom`: a secret's ARN with JSON key, version stage and version id, or a parameter's name or ARN."""

    service: str
    name: str
    key: str = ""
    stage: str = ""
    version: str = ""

    @classmethod
    def parse(cls, value_from: str) -> "Reference":
        """Split `arn:…:secret:name-suffix:json-key:stage:version` and the forms of a parameter."""
        parts = value_from.split(":")
        if len(parts) >= 7 and parts[2] == "secretsmanager":
            key, stage, version = (*parts[7:10], "", "", "")[:3]
            return cls("secretsmanager", ":".join(parts[:7]), key, stage, version)
        if len(parts) == 6 and parts[2] == "ssm":
            name = parts[5].removeprefix("parameter")
            # ARNs drop the leading slash of a plain name, which a path has of its own.
            return cls("ssm", name if name.count("/") > 1 else name.removeprefix("/"))
        return cls("ssm", value_from)


def resolve(value_from: str, account: str, region: str) -> str:
    """The value that `value_from` names.

    Raises:
        ValueMissingError: there is no such secret, JSON key or parameter.
    """
    reference = Reference.parse(value_from)
    if reference.service == "ssm":
        return _parameter(reference.name, account, region)
    return _secret(reference, account, region)


def _secret(reference: Reference, account: str, region: str) -> str:
    from moto.secretsmanager.models import secretsmanager_backends  # noqa: PLC0415 - only tasks with secrets need it

    backend: Any = secretsmanager_backends[account][region]
    try:
        found = backend.get_secret_value(reference.name, reference.version, reference.stage or "AWSCURRENT")
    except ServiceException as error:
        raise ValueMissingError(f"unable to retrieve secret from asm: {error.message}") from error
    text: str = found["SecretString"]
    if not reference.key:
        return text
    try:
        value = json.loads(text)[reference.key]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueMissingError(
            f"retrieved secret from Secrets Manager did not contain json key {reference.key}"
        ) from error
    return value if isinstance(value, str) else json.dumps(value)


def _parameter(name: str, account: str, region: str) -> str:
    from moto.ssm.models import ssm_backends  # noqa: PLC0415 - as above

    backend: Any = ssm_backends[account][region]
    found = backend.get_parameters([name]).get(name)
    if found is None:
        raise ValueMissingError(f"unable to retrieve ssm parameter {name}: it does not exist")
    return found.response_object(decrypt=True)["Value"]
