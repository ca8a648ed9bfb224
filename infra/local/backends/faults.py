"""Errors of a service that moto has no class for."""

from moto.core.exceptions import ServiceException


def fault(service: str, code: str, message: str) -> ServiceException:
    """An error that moto's serializer renders for `service` (moto's name of it); raise it."""
    # The serializer finds the service's model by the module that the error's class says it is from.
    kind = type(code, (ServiceException,), {"__module__": f"moto.{service}.exceptions"})
    return kind(code, message)
