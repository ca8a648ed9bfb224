"""Reads a stack's configuration at the edge of the program and says everything that is wrong with it at once."""

import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from types import MappingProxyType, UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import urlsplit

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stacks.config import StackConfig

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"
"""Environment variable that sends every AWS client to the embedded AWS; it overrides the stack file."""
EMBEDDED_ENVIRONMENTS = frozenset({"local"})
"""Environments that stand on the embedded AWS; all others stand on AWS itself."""
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"serving": ("training", "registry")})
"""Stages and the stages they cannot do without: a release is trained in one and registered in the other."""


class ConfigError(pulumi.RunError):
    """A stack file that cannot be deployed; its text names every problem and the change to make."""


def load(environment: str, values: Mapping[str, Any], variables: Mapping[str, str] = os.environ) -> StackConfig:
    """The configuration in `values` (keys without their `mlp:` prefix) for `environment`.

    `variables` are the process's environment variables. Raises ConfigError with all problems.
    """
    problems = [*_endpoint_problems(environment, values.get("endpoint"), variables), *_missing_stages(values)]
    config: StackConfig | None = None
    try:
        config = StackConfig.model_validate(values)
    except ValidationError as error:
        problems = [*(_sentence(each) for each in error.errors()), *problems]
    if problems or config is None:
        raise ConfigError(f"stack {environment}: " + "; ".join(problems))
    return config


def stack_values(settings: Mapping[str, Any], project: str) -> dict[str, Any]:
    """The project's own settings out of Pulumi's, which come as text: lists and mappings as JSON, the rest as typed."""
    prefix = f"{project}:"
    own = {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
    return {key: _decoded(value) for key, value in own.items()}


def _decoded(value: Any) -> Any:
    # A number-like text stays text: an account id must not lose its leading zeros.
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        return json.loads(value)
    return value


def _missing_stages(values: Mapping[str, Any]) -> Iterator[str]:
    for stage, needed in NEEDS.items():
        missing = [f"mlp:{each}" for each in needed if values.get(each) is None]
        if stage in values and missing:
            yield f"{stage}: needs {' and '.join(missing)}; add what is missing or remove mlp:{stage}"


def _endpoint_problems(environment: str, declared: object, variables: Mapping[str, str]) -> Iterator[str]:
    in_use = {name: value for name, value in variables.items() if name.startswith(ENDPOINT_VARIABLE) and value}
    if environment in EMBEDDED_ENVIRONMENTS:
        if not isinstance(declared, str) or not _is_loopback(declared):
            yield f"endpoint: must be a loopback address, as http://127.0.0.1:4566, got {declared!r}"
        if ENDPOINT_VARIABLE not in in_use:
            yield f'endpoint: {ENDPOINT_VARIABLE} is not set; start with `mlp up`, or set it by eval "$(mlp local env)"'
        for name, value in in_use.items():
            if not _is_loopback(value):
                yield f"endpoint: {name} must be a loopback address for {environment}, got {value!r}; unset it"
        return
    if declared is not None:
        yield f"endpoint: only local has one, got {declared!r}; remove mlp:endpoint"
    for name, value in in_use.items():
        if _is_loopback(value):
            yield f"endpoint: {name} is {value!r}, which is this machine and not AWS; unset it"


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sentence(error: ErrorDetails) -> str:
    location = error["loc"]
    path = _path(location)
    if error["type"] == "extra_forbidden":
        return f"{path}: {_unknown(location)}"
    if error["type"] == "missing":
        return f"{path}: is missing; add it"
    if error["type"] == "value_error":
        return f"{path}: {error['msg'].removeprefix('Value error, ')}"
    message = re.sub(r"^\w+ should", "must", error["msg"])
    return f"{path}: {message}, got {error['input']!r}"


def _path(location: Sequence[str | int]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.lstrip(".")


def _unknown(location: Sequence[str | int]) -> str:
    model = _model_at(location[:-1])
    allowed = sorted(model.model_fields)
    close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    what = "unknown key or stage" if len(location) == 1 else "unknown key"
    hint = f"; did you mean {close[0]}?" if close else "; remove it"
    return f"{what}, allowed are {', '.join(allowed)}{hint}"


def _model_at(location: Iterable[str | int]) -> type[BaseModel]:
    model: type[BaseModel] = StackConfig
    annotation: Any = StackConfig
    for step in location:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(step, str):
            annotation = annotation.model_fields[step].annotation
        else:
            annotation = get_args(annotation)[-1]
        annotation = _without_none(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return model


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        return next(each for each in get_args(annotation) if each is not type(None))
    return annotation
