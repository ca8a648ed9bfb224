"""The functions of the AWS provider that programs call."""

from collections.abc import Callable, Mapping
from typing import Any

from .cloud import Cloud

INVOKES: Mapping[str, Callable[[Cloud, dict[str, Any]], dict[str, Any]]] = {}
