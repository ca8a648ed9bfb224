"""Fixtures of the engine's tests."""

from tests.support.engine_stack import stack

__all__ = ["stack"]
