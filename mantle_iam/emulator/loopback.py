"""Listening sockets on loopback, and on nothing else: what the emulator accepts it must not accept from a network."""

from __future__ import annotations

import socket

from mantle_iam.errors import InputError

HOST = "127.0.0.1"


def loopback_socket(port: int) -> socket.socket:
    """A listening socket on ``127.0.0.1``; ``port`` 0 takes a free one.

    Raises:
        InputError: the port is taken or may not be used.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"`{port}` is not a port", help="give a number from 0 (any free port) to 65535")
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
    except OSError as error:
        sock.close()
        raise InputError(
            f"cannot listen on port `{port}`: {(error.strerror or str(error)).lower()}",
            help="give another, or 0 for any",
        ) from None
    sock.listen(128)
    return sock
