"""Hosts, base paths and regions; and taking a base URL apart.

Decides what a URL is for and what is odd about it.  Must not know whether it answers, nor print what stands before an ``@``.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html, RFC 3986.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mantle_iam.errors import InputError
from mantle_iam.mantle.models import Api as Api
from mantle_iam.mantle.models import Model as Model
from mantle_iam.mantle.models import known_model as known_model
from mantle_iam.mantle.sources import REGIONS, Source


class EndpointKind(StrEnum):
    """Which service a base URL belongs to."""

    MANTLE = "mantle"
    RUNTIME = "runtime"
    """``bedrock-runtime``: another IAM namespace."""
    CONTROL_PLANE = "control-plane"
    """``bedrock.<region>.amazonaws.com``."""
    LOOPBACK = "loopback"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A base URL, taken apart.  ``origin`` has scheme, host and port; ``base_path`` starts with ``/`` or is empty."""

    kind: EndpointKind
    origin: str
    host: str
    base_path: str
    region: str | None
    flaws: tuple[str, ...] = ()
    """What is odd about the URL, in sentences (unexpanded variable, http, trailing operation path …)."""
    call_path: str = ""
    """What followed the base path: ``/models``; empty for a base URL as it should be."""
    canonical: bool = False
    """Exactly the public name of the service: https, default port, no user information.  Only there (and on loopback) may a
    credential go unasked."""

    @property
    def base_url(self) -> str:
        """Origin and base path."""
        return self.origin + self.base_path


class Standing(StrEnum):
    """What is known about Mantle in a region."""

    DOCUMENTED = "documented"
    SIGHTED = "sighted"
    ABSENT = "absent"
    """Somebody found that the host name does not exist."""


@dataclass(frozen=True, slots=True)
class Region:
    """A region and how it is known."""

    name: str
    standing: Standing
    source: Source
    reference: str


def _documented(*names: str) -> tuple[Region, ...]:
    return tuple(Region(name, Standing.DOCUMENTED, Source.DOC, REGIONS) for name in names)


REGION_TABLE: Final = (
    *_documented("us-east-1", "us-east-2", "us-west-2", "ap-southeast-3", "ap-south-1", "ap-southeast-2"),
    *_documented("ap-northeast-1", "eu-central-1", "eu-west-1", "eu-west-2", "eu-south-1", "eu-north-1"),
    *_documented("sa-east-1", "us-gov-west-1"),
    # Only in the table of regions per model, not in the list of endpoints.
    Region("us-gov-east-1", Standing.SIGHTED, Source.DOC, REGIONS),
    Region("ap-southeast-4", Standing.SIGHTED, Source.OBS, "one public report of a Claude model served there"),
    Region("ap-northeast-2", Standing.ABSENT, Source.OBS, "one public report"),
    Region("us-west-1", Standing.ABSENT, Source.OBS, "https://github.com/obra/lace/pull/355"),
)

BASE_PATHS: Final = ("/v1", "/openai/v1", "/anthropic/v1")
"""Every base path of the service; ``/v1`` holds the whole control plane, too."""

_REGION: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,9}){1,2}-[0-9]{1,2}\Z")
_MANTLE: Final = re.compile(r"bedrock-mantle\.([a-z0-9-]{1,32})\.api\.aws\Z")
_RUNTIME: Final = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]{1,32})\.(?:amazonaws\.com(?:\.cn)?|api\.aws)\Z")
_CONTROL: Final = re.compile(r"bedrock(?:-fips)?\.([a-z0-9-]{1,32})\.(?:amazonaws\.com(?:\.cn)?|api\.aws)\Z")
_VPC_ENDPOINT: Final = re.compile(r"vpce-[a-z0-9-]{1,64}\.bedrock-mantle\.([a-z0-9-]{1,32})\.vpce\.amazonaws\.com\Z")
# A placeholder where the region should be: ${AWS_REGION}, $AWS_REGION, {region}, <region>, %AWS_REGION%, REGION.
_UNEXPANDED: Final = re.compile(r"[${}<>%]|\A(?:aws[_-])?region\Z|\Ayour-region\Z")

_PARTITIONS: Final = (
    # The longest prefix first: us-iso is the beginning of us-isob.
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-iso-", "aws-iso"),
    ("cn-", "aws-cn"),
    ("eusc-", "aws-eusc"),
)

_HELP: Final = "a base URL reads https://bedrock-mantle.us-east-1.api.aws/v1"


def mantle_origin(region: str) -> str:
    """``https://bedrock-mantle.<region>.api.aws``.

    Raises:
        InputError: ``region`` cannot be a region's name (a host name is built from it).
    """
    if not is_region_name(region):
        near = nearest_region(region)
        shown = region if len(region) <= 40 and region.isprintable() else "the text given"
        raise InputError(
            f"`{shown}` is not the name of a region",
            help=f"did you mean {near}?" if near else "a region reads us-east-1",
        )
    return f"https://bedrock-mantle.{region}.api.aws"


def is_region_name(text: str) -> bool:
    """Whether ``text`` has the form of a region's name, known or not."""
    return _REGION.match(text) is not None


def known_regions() -> tuple[str, ...]:
    """Regions with a documented Mantle endpoint."""
    return tuple(region.name for region in REGION_TABLE if region.standing is Standing.DOCUMENTED)


def known_region(name: str) -> Region | None:
    """What is known of Mantle in the region ``name``, or ``None``."""
    return next((region for region in REGION_TABLE if region.name == name), None)


def nearest_region(text: str) -> str | None:
    """The region that a mistyped name may have meant, or ``None``."""
    from difflib import get_close_matches

    folded = text.strip().lower().replace("_", "-")[:40]
    names = [region.name for region in REGION_TABLE if region.standing is not Standing.ABSENT]
    return next(iter(get_close_matches(folded, names, n=1, cutoff=0.8)), None)


def partition_of(region: str) -> str:
    """The partition that ``region`` belongs to, by its prefix.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def parse_base_url(url: str) -> Endpoint:
    """Take a base URL apart, with everything that is odd about it for a base URL.

    Raises:
        InputError: it is no http(s) URL.  The message never repeats the URL, which may be a key pasted into the wrong place.
    """
    parts = _split(url)
    endpoint, flaws = _endpoint(parts)
    if endpoint.call_path:
        flaws.append(
            f"the path ends with `{_shown(endpoint.call_path)}`, which clients append themselves: leave it out of a base URL"
        )
    if endpoint.base_path in {"", "/openai"} and endpoint.kind in {EndpointKind.MANTLE, EndpointKind.LOOPBACK}:
        flaws.append(
            f"the path lacks `/v1`: an OpenAI client would call `{endpoint.base_path}/models`, a route that does not exist"
        )
    return _with_flaws(endpoint, flaws)


def parse_call_url(url: str) -> Endpoint:
    """Take the URL of a call apart: as ``parse_base_url``, but an operation's path is what belongs there.

    Raises:
        InputError: as ``parse_base_url``.
    """
    endpoint, flaws = _endpoint(_split(url))
    return _with_flaws(endpoint, flaws)


def _with_flaws(endpoint: Endpoint, flaws: list[str]) -> Endpoint:
    return Endpoint(
        endpoint.kind,
        endpoint.origin,
        endpoint.host,
        endpoint.base_path,
        endpoint.region,
        tuple(flaws),
        endpoint.call_path,
        endpoint.canonical,
    )


def _split(url: str) -> SplitResult:
    text = url.strip().strip("\"'")
    if not text.lower().startswith(("http://", "https://")):
        if _MANTLE.match(text.split("/", 1)[0].lower()):
            raise InputError("the base URL has no scheme", help="write https:// before the host name")
        raise InputError("the base URL is not an http or https URL", help=_HELP)
    # A backslash or a control character is read differently by different clients: a way to smuggle in another host.
    if "\\" in text or not text.isprintable() or any(mark.isspace() for mark in text):
        raise InputError("the base URL holds a character that no URL may hold", help=_HELP)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InputError("the base URL has an invalid host or port", help=_HELP) from None
    if not parts.hostname or port == 0:
        raise InputError("the base URL has no host or an invalid port", help=_HELP)
    return parts


def _endpoint(parts: SplitResult) -> tuple[Endpoint, list[str]]:
    host = (parts.hostname or "").rstrip(".")
    flaws: list[str] = []
    kind, region = _kind(host, flaws)
    if "@" in parts.netloc:
        flaws.append("the URL carries a user name or password before an `@`: a secret does not belong into a URL")
    if parts.query or parts.fragment:
        flaws.append("the URL carries a query or a fragment, which is no part of a base URL and is left out")
    if parts.scheme == "http" and kind is not EndpointKind.LOOPBACK:
        flaws.append("the URL is http, so that a credential would travel readable by others: use https")
    default_port = parts.port in {None, 443 if parts.scheme == "https" else 80}
    if not default_port and kind not in {EndpointKind.LOOPBACK, EndpointKind.OTHER}:
        flaws.append(f"port {parts.port} is not the service's, which is 443")
    base_path, call_path = _split_path(parts.path, flaws)
    netloc = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{netloc}" + ("" if default_port else f":{parts.port}")
    canonical = (
        kind in {EndpointKind.MANTLE, EndpointKind.RUNTIME, EndpointKind.CONTROL_PLANE}
        and region is not None
        and parts.scheme == "https"
        and default_port
        and "@" not in parts.netloc
    )
    return Endpoint(kind, origin, host, base_path, region, (), call_path, canonical), flaws


def _kind(host: str, flaws: list[str]) -> tuple[EndpointKind, str | None]:
    if _is_loopback(host):
        return EndpointKind.LOOPBACK, None
    for kind, pattern in (
        (EndpointKind.MANTLE, _MANTLE),
        (EndpointKind.RUNTIME, _RUNTIME),
        (EndpointKind.CONTROL_PLANE, _CONTROL),
    ):
        match = pattern.match(host)
        if match and is_region_name(match[1]):
            _judge_region(kind, match[1], flaws)
            return kind, match[1]
    vpc_endpoint = _VPC_ENDPOINT.match(host)
    if vpc_endpoint:
        flaws.append("the host is a VPC endpoint's own name: its endpoint policy binds every call, too")
        return EndpointKind.OTHER, vpc_endpoint[1]
    return _nearly_mantle(host, flaws)


def _judge_region(kind: EndpointKind, region: str, flaws: list[str]) -> None:
    if kind is not EndpointKind.MANTLE:
        return
    known = known_region(region)
    near = nearest_region(region)
    hint = f"; did you mean {near}?" if near and near != region else ""
    if known is None:
        flaws.append(f"no Mantle endpoint is documented for the region {region}{hint}")
    elif known.standing is Standing.ABSENT:
        flaws.append(f"the region {region} was found to have no Mantle endpoint{hint}")


def _nearly_mantle(host: str, flaws: list[str]) -> tuple[EndpointKind, str | None]:
    """The host of a URL that means Mantle and misses it."""
    labels = host.split(".")
    if labels[0] != "bedrock-mantle":
        return EndpointKind.OTHER, None
    middle = ".".join(labels[1:-2])
    if labels[-2:] == ["api", "aws"] and _UNEXPANDED.search(middle):
        flaws.append("a variable in the host name was not expanded: put the region's name there")
        return EndpointKind.MANTLE, None
    if labels[-2:] == ["api", "aws"]:
        near = nearest_region(middle)
        flaws.append("the host name holds no region's name" + (f"; did you mean {near}?" if near else ""))
        return EndpointKind.OTHER, None
    flaws.append("the host begins like Mantle's and is another: Mantle's is bedrock-mantle.<region>.api.aws")
    return EndpointKind.OTHER, None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split_path(path: str, flaws: list[str]) -> tuple[str, str]:
    """Base path and what follows it."""
    segments = [segment for segment in path.split("/") if segment]
    if "//" in path:
        flaws.append("the path holds `//`")
    if "v1" not in segments:
        vendor = segments[:1] if segments[:1] in (["openai"], ["anthropic"]) else []
        rest = segments[len(vendor) :]
        return "".join(f"/{segment}" for segment in vendor), "".join(f"/{segment}" for segment in rest)
    last = segments.index("v1")
    while segments[last + 1 : last + 2] == ["v1"]:
        last += 1
        flaws.append("the path repeats `/v1`")
    return (
        "".join(f"/{segment}" for segment in segments[: last + 1]),
        "".join(f"/{segment}" for segment in segments[last + 1 :]),
    )


def _shown(path: str) -> str:
    """A path as a message may show it: nobody needs more, and a long one may hold anything."""
    return path if len(path) <= 40 else path[:40] + "…"
