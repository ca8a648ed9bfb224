"""Between the engine's plain values and the `PropertyValue` that providers speak.

An unknown goes to a provider as the string `values.UNKNOWN`, because that is what the same provider gets over gRPC
from the CLI; one that answers with `Computed` is understood too.
"""

from collections.abc import Mapping
from typing import Any, cast

import pulumi
from pulumi.provider.experimental.property_value import Computed, PropertyValue, ResourceReference

from infra.local.engine.values import ARCHIVE, ASSET, RESOURCE, SECRET, SIGNATURE, UNKNOWN, Properties, Value, secret


def to_provider(properties: Mapping[str, Value]) -> dict[str, PropertyValue]:
    """Plain values as property values."""
    return {key: _to(value) for key, value in properties.items()}


def from_provider(properties: Mapping[str, PropertyValue] | None) -> Properties:
    """Property values as plain ones; whole numbers become ints, dependencies are dropped."""
    return {key: _from(value) for key, value in (properties or {}).items()}


def _to(value: Value) -> PropertyValue:  # noqa: PLR0911 - one return per kind of value
    if isinstance(value, dict):
        signature = value.get(SIGNATURE)
        if signature == SECRET:
            return _to(value.get("value")).with_secret(True)  # noqa: FBT003 - the SDK's own signature
        if signature in {ASSET, ARCHIVE}:
            return PropertyValue(_asset(value))
        if signature == RESOURCE:
            identifier = value.get("id")
            return PropertyValue(ResourceReference(str(value["urn"]), None if identifier is None else _to(identifier)))
        return PropertyValue({key: _to(part) for key, part in value.items()})
    if isinstance(value, list):
        return PropertyValue([_to(part) for part in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def _from(value: PropertyValue) -> Value:
    plain = _from_plain(value.value)
    return secret(plain) if value.is_secret else plain


def _from_plain(inner: Any) -> Value:  # noqa: PLR0911 - one return per kind of value
    if inner is None or isinstance(inner, bool | str):
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Computed):
        return UNKNOWN
    if isinstance(inner, pulumi.Asset | pulumi.Archive):
        return _signed(inner)
    if isinstance(inner, ResourceReference):
        reference: dict[str, Value] = {SIGNATURE: RESOURCE, "urn": inner.urn}
        return reference if inner.resource_id is None else reference | {"id": _from(inner.resource_id)}
    if isinstance(inner, Mapping):
        return from_provider(cast("Mapping[str, PropertyValue]", inner))
    return [_from(part) for part in inner]


def _asset(value: dict[str, Value]) -> pulumi.Asset | pulumi.Archive:
    archive = value[SIGNATURE] == ARCHIVE
    if "path" in value:
        path = str(value["path"])
        return pulumi.FileArchive(path) if archive else pulumi.FileAsset(path)
    if "uri" in value:
        uri = str(value["uri"])
        return pulumi.RemoteArchive(uri) if archive else pulumi.RemoteAsset(uri)
    if archive:
        assets = value.get("assets")
        parts = assets if isinstance(assets, dict) else {}
        return pulumi.AssetArchive({name: _asset(part) for name, part in parts.items() if isinstance(part, dict)})
    return pulumi.StringAsset(str(value.get("text", "")))


def _signed(asset: pulumi.Asset | pulumi.Archive) -> Value:
    archive = isinstance(asset, pulumi.Archive)
    signed: Properties = {SIGNATURE: ARCHIVE if archive else ASSET}
    for name in ("path", "uri", "text"):
        if isinstance(content := getattr(asset, name, None), str):
            signed[name] = content
            return signed
    parts: dict[str, Any] = getattr(asset, "assets", {})
    signed["assets"] = {name: _signed(part) for name, part in parts.items()}
    return signed
