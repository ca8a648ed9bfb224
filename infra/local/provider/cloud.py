"""The way to AWS: one session, a client per service and region, and what AWS refuses as an error for people."""

import ipaddress
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
from botocore import xform_name
from botocore.config import Config
from botocore.model import ServiceModel

from infra.local.errors import LocalError


class RefusedError(LocalError):
    """AWS refused a call; `code` is AWS's own."""

    def __init__(self, service: str, operation: str, code: str, message: str) -> None:
        super().__init__(f"{service} refused {operation}: {code}: {message}")
        self.code = code
        self.message = message


def loopback(endpoint: str | None) -> str:
    """The endpoint, when it is an address of this machine; LocalError otherwise."""
    if not endpoint:
        raise LocalError(
            "AWS_ENDPOINT_URL is not set. The local provider deploys only onto the embedded AWS: "
            'start it with `mlp local start`, then `eval "$(mlp local env)"`.'
        )
    host = urlsplit(endpoint).hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise LocalError(
            f"AWS_ENDPOINT_URL is {endpoint}, which is not this machine. The local provider takes loopback addresses "
            "alone, as http://127.0.0.1:4566: unset it, or start the embedded AWS with `mlp local start`."
        )
    return endpoint


@dataclass(frozen=True)
class Settings:
    """The provider's configuration, as far as it matters here."""

    region: str = "eu-west-1"
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    allowed_account_ids: tuple[str, ...] = ()


class Cloud:
    """Calls AWS. Safe to use from many threads; clients are made once."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._session = boto3.Session(
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "local"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "local"),
            region_name="eu-west-1",
        )
        self._clients: dict[tuple[str, str], Any] = {}
        self._models: dict[str, ServiceModel] = {}
        self._lock = threading.RLock()
        self._account: str | None = None
        self.settings = Settings()

    def endpoint(self) -> str:
        """The loopback endpoint; LocalError when there is none."""
        return loopback(self._endpoint or os.environ.get("AWS_ENDPOINT_URL"))

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service."""
        key = (service, region or self.settings.region)
        with self._lock:
            if key not in self._clients:
                session: Any = self._session  # boto3-stubs type clients by literal names only
                self._clients[key] = session.client(
                    service,
                    region_name=key[1],
                    endpoint_url=self.endpoint(),
                    config=Config(
                        retries={"mode": "standard", "max_attempts": 4},
                        max_pool_connections=32,
                        s3={"addressing_style": "path"},
                        parameter_validation=True,
                    ),
                )
            return self._clients[key]

    def model(self, service: str) -> ServiceModel:
        """botocore's model of a service."""
        with self._lock:
            if service not in self._models:
                loader = self._session._session  # boto3 has no other way to botocore's models  # pyright: ignore[reportPrivateUsage]  # as above
                self._models[service] = loader.get_service_model(service)
            return self._models[service]

    def call(self, service: str, operation: str, params: Mapping[str, Any], region: str | None = None) -> Any:
        """The answer of one call; `RefusedError` when AWS says no."""
        method = getattr(self.client(service, region), xform_name(operation))
        try:
            return method(**params)
        except botocore.exceptions.ClientError as error:
            detail = error.response.get("Error", {})
            raise RefusedError(service, operation, detail.get("Code", "Unknown"), detail.get("Message", "")) from error
        except botocore.exceptions.ParamValidationError as error:
            raise RefusedError(service, operation, "ParamValidation", str(error)) from error
        except botocore.exceptions.EndpointConnectionError as error:
            raise LocalError(
                f"nothing answers at {self.endpoint()}. Start the embedded AWS with `mlp local start`."
            ) from error

    @property
    def account(self) -> str:
        """Number of the account that the credentials belong to; LocalError when the configuration forbids it."""
        if self._account is None:
            account: str = self.call("sts", "GetCallerIdentity", {})["Account"]
            allowed = self.settings.allowed_account_ids
            if allowed and account not in allowed:
                raise LocalError(
                    f"the credentials belong to account {account}, and the provider's allowedAccountIds are "
                    f"{', '.join(allowed)}. Use credentials of one of these, or add the account."
                )
            self._account = account
        return self._account
