"""Fixtures of the engine's tests with real processes."""

from tests.support.engine_stack import stack

__all__ = ["stack"]
