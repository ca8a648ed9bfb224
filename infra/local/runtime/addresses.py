"""Loopback addresses handed out as network interfaces.

Linux answers on every address of 127.0.0.0/8, so each task can have one of its own and listen on its real port.
"""

import random
import socket
import threading

from infra.local.errors import LocalError

# Holding this port on the block's last address is what reserves a block: the kernel lets one socket have it and
# frees it when its process ends, however that happens.
_RESERVATION_PORT = 47000
_BLOCK_SIZE = 253
_TRIES = 200


class Addresses:
    """Addresses of one server; no other server on this machine hands out the same ones while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reservations: list[socket.socket] = []
        self._free: list[str] = []
        self._used: set[str] = set()

    def take(self) -> str:
        """An address nobody else has.

        Raises:
            LocalError: no block of addresses could be reserved.
        """
        with self._lock:
            if not self._free:
                self._free = self._reserve()
            address = self._free.pop(0)
            self._used.add(address)
            return address

    def give_back(self, address: str) -> None:
        """Return an address; it is handed out again only after all the others."""
        with self._lock:
            if address in self._used:
                self._used.remove(address)
                self._free.append(address)

    def close(self) -> None:
        """Release every block."""
        with self._lock:
            for reservation in self._reservations:
                reservation.close()
            self._reservations.clear()
            self._free.clear()
            self._used.clear()

    def _reserve(self) -> list[str]:
        for _ in range(_TRIES):
            # 127.0.x.x is left to people and to resolvers that live there.
            block = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"  # noqa: S311 - spreads load, guards nothing
            reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                reservation.bind((f"{block}.254", _RESERVATION_PORT))
                reservation.listen(1)
            except OSError:
                reservation.close()
                continue
            self._reservations.append(reservation)
            return [f"{block}.{host}" for host in range(1, _BLOCK_SIZE + 1)]
        raise LocalError(
            f"no free block of loopback addresses after {_TRIES} tries (port {_RESERVATION_PORT} on 127.x.y.254): "
            "stop other local platforms, or check that this machine answers on all of 127.0.0.0/8"
        )
