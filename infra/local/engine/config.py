"""Stack configuration, read from `stacks/Pulumi.<stack>.yaml` as Pulumi reads it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from infra.local.engine.passphrase import Passphrase
from infra.local.errors import LocalError


@dataclass(frozen=True, slots=True)
class StackConfiguration:
    """Configuration by full key (`<namespace>:<name>`), every value in the text form that Pulumi hands to a program."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    secret_keys: frozenset[str] = frozenset()

    def of_package(self, package: str) -> dict[str, str]:
        """The settings of a provider's package by name, such as `region` of `aws:region`."""
        prefix = f"{package}:"
        return {key.removeprefix(prefix): value for key, value in self.values.items() if key.startswith(prefix)}


def load(root: Path, project: str, stack: str, passphrase: str) -> StackConfiguration:
    """The configuration of a stack; a key without a namespace belongs to the project, an absent file is empty.

    Raises LocalError for a file that is not YAML of the right shape.
    """
    path = root / "stacks" / f"Pulumi.{stack}.yaml"
    if not path.exists():
        path = root / f"Pulumi.{stack}.yaml"
    if not path.exists():
        return StackConfiguration()
    document = _yaml(path)
    entries = _mapping(path, "`config`", document.get("config") or {})
    salt: str | None = document.get("encryptionsalt")
    values: dict[str, str] = {}
    secret_keys: set[str] = set()
    for key, written in entries.items():
        full = str(key) if ":" in str(key) else f"{project}:{key}"
        value = written
        if _has_secure(value):
            if not salt:
                raise LocalError(
                    f"{path}: {key} is encrypted but the file has no `encryptionsalt`: set the value again"
                )
            value = _decrypted(value, Passphrase(passphrase, salt))
            secret_keys.add(full)
        values[full] = _text(value)
    return StackConfiguration(values, frozenset(secret_keys))


def _yaml(path: Path) -> dict[str, Any]:
    try:
        document: Any = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as problem:
        raise LocalError(f"{path} is not YAML: {problem}") from None
    return _mapping(path, "it", document)


def _mapping(path: Path, what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LocalError(f"{path}: {what} must be a mapping of keys to values, got {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _secure(value: Any) -> str | None:
    """The ciphertext of a value written as `secure: v1:…`."""
    if isinstance(value, dict):
        entry = cast("dict[str, Any]", value)
        if entry.keys() == {"secure"} and isinstance(entry["secure"], str):
            return entry["secure"]
    return None


def _has_secure(value: Any) -> bool:
    if _secure(value) is not None:
        return True
    if isinstance(value, dict):
        return any(map(_has_secure, cast("dict[str, Any]", value).values()))
    return isinstance(value, list) and any(map(_has_secure, cast("list[Any]", value)))


def _decrypted(value: Any, secrets: Passphrase) -> Any:
    ciphertext = _secure(value)
    if ciphertext is not None:
        return secrets.decrypt(ciphertext)
    if isinstance(value, dict):
        return {key: _decrypted(part, secrets) for key, part in cast("dict[str, Any]", value).items()}
    return [_decrypted(part, secrets) for part in cast("list[Any]", value)] if isinstance(value, list) else value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
