"""Listens before anything else is imported: `quietshift alertmanager` alone, whose start is watched.

Who polls a server that starts (Alertmanager's own tests do so after 50 ms, then each 500) is kept by a socket that listens
until there is an answer, and need not come again. So this imports nothing but `socket`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

FLAG = "web.listen-address"
taken: dict[str, socket.socket] = {}  # by address as it was given; `app.alertmanager` serves them


def listen(argv: list[str]) -> None:
    """Listen on each address that these arguments name. One that cannot be had is left out: it is told of when flags are read."""
    if argv[1:2] != ["alertmanager"] or not {"-h", "--help", "--version"}.isdisjoint(argv):
        return
    for address in addresses(argv[2:]):
        try:
            taken[address] = bind(address)
        except (OSError, ValueError):
            continue


def addresses(arguments: list[str]) -> list[str]:
    """The values of the flag, in either form."""
    found = []
    for at, argument in enumerate(arguments):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == FLAG:
            found += [value] if equals else arguments[at + 1 : at + 2]
    return found


def bind(address: str) -> socket.socket:
    """A listening socket. Raises OSError, ValueError."""
    import socket

    host, _, port = address.rpartition(":")
    family, kind, proto, _, where = socket.getaddrinfo(
        host.strip("[]") or "::", int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(2048)
    except OSError:
        sock.close()
        raise
    return sock


listen(sys.argv)
