"""Speaks to the provider as an engine does, one call at a time."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import boto3
from pulumi.provider.experimental import provider as api
from pulumi.provider.experimental.property_value import PropertyValue

from infra.local.provider import AwsProvider
from infra.local.provider.values import plain_map, wrap_map

REGION = "eu-west-1"


@dataclass
class Deployed:
    """A resource as an engine remembers it."""

    token: str
    name: str
    id: str
    inputs: dict[str, PropertyValue]
    state: dict[str, PropertyValue]

    @property
    def outputs(self) -> dict[str, Any]:
        return plain_map(self.state)


@dataclass
class Stack:
    """An engine's half of the conversation."""

    provider: AwsProvider
    endpoint: str
    deployed: list[Deployed] = field(default_factory=list[Deployed])

    def client(self, service: str) -> Any:
        session: Any = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint)

    def urn(self, token: str, name: str) -> str:
        return f"urn:pulumi:test::mlp::mlp:index:Thing${token}::{name}"

    def check(
        self,
        token: str,
        name: str,
        inputs: dict[str, Any],
        old: dict[str, PropertyValue] | None = None,
        seed: bytes = b"seed",
    ) -> api.CheckResponse:
        request = api.CheckRequest(self.urn(token, name), old or {}, wrap_map(inputs), seed)
        return asyncio.run(self.provider.check(request))

    def checked(
        self, token: str, name: str, inputs: dict[str, Any], old: dict[str, PropertyValue] | None = None
    ) -> dict[str, PropertyValue]:
        response = self.check(token, name, inputs, old)
        failures = [f"{failure.property}: {failure.reason}" for failure in response.failures or ()]
        assert not failures, failures
        return response.inputs or {}

    def create(self, token: str, name: str, inputs: dict[str, Any]) -> Deployed:
        checked = self.checked(token, name, inputs)
        request = api.CreateRequest(self.urn(token, name), checked, 0, preview=False)
        response = asyncio.run(self.provider.create(request))
        assert response.resource_id
        deployed = Deployed(token, name, response.resource_id, checked, response.properties)
        self.deployed.append(deployed)
        return deployed

    def refresh(self, resource: Deployed) -> Deployed | None:
        request = api.ReadRequest(self.urn(resource.token, resource.name), resource.id, resource.state, resource.inputs)
        response = asyncio.run(self.provider.read(request))
        if not response.resource_id:
            return None
        return Deployed(resource.token, resource.name, resource.id, response.inputs, response.properties)

    def diff(self, resource: Deployed, inputs: dict[str, Any]) -> api.DiffResponse:
        checked = self.checked(resource.token, resource.name, inputs, resource.inputs)
        request = api.DiffRequest(self.urn(resource.token, resource.name), resource.id, resource.state, checked, [])
        return asyncio.run(self.provider.diff(request))

    def update(self, resource: Deployed, inputs: dict[str, Any]) -> Deployed:
        checked = self.checked(resource.token, resource.name, inputs, resource.inputs)
        urn = self.urn(resource.token, resource.name)
        request = api.UpdateRequest(urn, resource.id, resource.state, checked, 0, [], preview=False)
        response = asyncio.run(self.provider.update(request))
        return Deployed(resource.token, resource.name, resource.id, checked, response.properties)

    def delete(self, resource: Deployed) -> None:
        urn = self.urn(resource.token, resource.name)
        asyncio.run(self.provider.delete(api.DeleteRequest(urn, resource.id, resource.state, 0)))
