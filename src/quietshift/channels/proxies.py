"""Which proxy a URL is asked through: the one named, or the environment's (HTTP_PROXY, HTTPS_PROXY, NO_PROXY). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from quietshift.channels.access import Proxy


def proxy_for(url: str, proxy: Proxy, environment: Mapping[str, str]) -> str:
    """The URL of the proxy; empty where the server is asked directly."""
    parts = urlsplit(url)
    if proxy.from_environment:
        named = _variable(environment, f"{parts.scheme}_proxy")
        if named and not spared(parts, _variable(environment, "no_proxy")):
            return named if "://" in named else f"http://{named}"
        return ""
    if not proxy.url or (proxy.exceptions and spared(parts, proxy.exceptions)):
        return ""
    return proxy.url.read()


def spared(parts: SplitResult, exceptions: str) -> bool:
    """Whether the host is among the exceptions: `*`, names with all below them, addresses, networks, each with a port or
    without; and this machine always is, as it is for Go's programs."""
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for word in (each.strip().lower() for each in exceptions.split(",")):
        if word == "*":
            return True
        name, wanted = _with_port(word)
        if not name or (wanted and wanted != port):
            continue
        if address is not None:
            if _in_network(host, name):
                return True
        elif _is_below(host, name):
            return True
    return False


def _is_below(host: str, name: str) -> bool:
    """`example.org` stands for itself and all below it; `.example.org` and `*.example.org` for what is below it alone."""
    domain = name.removeprefix("*").removeprefix(".")
    return host.endswith(f".{domain}") or (host == domain == name)


def _with_port(word: str) -> tuple[str, int]:
    name, colon, port = word.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.startswith("[")):
        return name.strip("[]"), int(port)
    return word.strip("[]"), 0


def _in_network(host: str, name: str) -> bool:
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        return False


def _variable(environment: Mapping[str, str], name: str) -> str:
    # HTTP_PROXY in capitals could be set by a request's header under CGI; nobody runs this as CGI
    return environment.get(name, "") or environment.get(name.upper(), "")
