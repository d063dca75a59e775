"""Where a credential may go.  Decides before anything is sent; knows no client and reads no credential.

The rule (DESIGN, safety): the service's own host name over TLS, a loopback address, or a host that the user names twice,
in the base URL and with ``--trust-host``.  Everything else is refused, since a base URL is the easiest way to steal a key.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from mantle_iam.errors import InputError
from mantle_iam.mantle.endpoint import EndpointKind, parse_base_url
from mantle_iam.mantle.redaction import redact

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class TrustedHost:
    """A host named with ``--trust-host``; ``plain_http`` when the user wrote ``http://`` before it."""

    host: str
    port: int | None = None
    plain_http: bool = False

    @classmethod
    def parse(cls, text: str) -> TrustedHost:
        """Read ``host``, ``host:port`` or ``http://host:port``.

        Raises:
            InputError: there is no host in it, or more than a host and a port.
        """
        split = _split(text if "://" in text else f"https://{text}")
        if split is None or not split.hostname or split.path.strip("/") or split.query or "@" in split.netloc:
            raise InputError(f"`{redact(text)}` is not a host", help="write it as in --trust-host gateway.example.com")
        port = split.port if split.port is not None or "://" not in text else _DEFAULT_PORTS.get(split.scheme)
        return cls(split.hostname, port, split.scheme == "http")


def check_trust(url: str, trusted: tuple[TrustedHost, ...] = ()) -> None:
    """Return when a credential may be sent to ``url``.

    Raises:
        InputError: it may not; the message names the host and what would make it trusted.
    """
    split = _split(url)
    if split is None or split.scheme not in _DEFAULT_PORTS or not split.hostname:
        raise InputError(f"`{redact(url)}` is not an http or https URL")
    if "@" in split.netloc:
        raise InputError(
            "the base URL holds a user name or password",
            help="take out what stands before the @ and give a key instead",
        )
    host = split.hostname
    if is_loopback(host):
        return
    plain = split.scheme == "http"
    named = next((entry for entry in trusted if _names(entry, split)), None)
    if plain and not (named and named.plain_http):
        raise InputError(
            f"`{host}` would get the credential over plain http",
            help=f"use https, or accept it with --trust-host http://{split.netloc} (the host must be your own)",
        )
    if named or _is_service(url):
        return
    raise InputError(
        f"`{host}` is not a host of Amazon Bedrock, so no credential is sent to it",
        help=f"if it is your own gateway, name it twice: --base-url … --trust-host {split.netloc}",
    )


def is_http_url(url: str) -> bool:
    """Whether ``url`` is an http or https URL with a host."""
    split = _split(url)
    return split is not None and split.scheme in _DEFAULT_PORTS and bool(split.hostname)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine: ``localhost`` and its subdomains (RFC 6761) or a loopback address."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_service(url: str) -> bool:
    endpoint = parse_base_url(url)
    return endpoint.canonical and endpoint.kind in (EndpointKind.MANTLE, EndpointKind.RUNTIME)


def _names(entry: TrustedHost, split: SplitResult) -> bool:
    port = split.port or _DEFAULT_PORTS[split.scheme]
    return entry.host == split.hostname and (entry.port is None or entry.port == port)


def _split(url: str) -> SplitResult | None:
    # A control character or a blank would make this reader and the client's disagree about where the host ends.
    if any(character <= " " or character in "\\\x7f" for character in url):
        return None
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        return None
    return split
