"""Condition values other than strings: numbers, dates, addresses, ARNs.  Each reader answers ``None`` for what is malformed.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html; where it is
silent, behaviour recorded from AWS.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

# Every pattern here is anchored, without nested or adjacent repetition of the same class: matching is linear.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
_EPOCH = re.compile(r"-?\d{1,17}(?:\.\d+)?", re.ASCII)
# https://www.w3.org/TR/NOTE-datetime
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)?(Z|[+-]\d\d:?\d\d)?)?)?)?", re.ASCII
)


def read_number(text: str) -> Decimal | None:
    """An exact decimal, beyond 2**53 too."""
    text = text.strip()
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def read_date(text: str) -> int | None:
    """Milliseconds since 1970 from ISO 8601 (W3C profile) or epoch seconds; finer digits are cut off.

    Four digits are a year.  A time without a zone is UTC.
    """
    text = text.strip()
    match = _DATE.fullmatch(text)
    if match is None:
        return _epoch_milliseconds(text) if _EPOCH.fullmatch(text) else None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        whole = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    seconds = int((whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    if zone and zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        seconds += -offset if zone[0] == "+" else offset
    return seconds * 1000 + int(((fraction or "0") + "00")[:3])


def _epoch_milliseconds(text: str) -> int:
    whole, _, fraction = text.partition(".")
    milliseconds = abs(int(whole)) * 1000 + int(f"{fraction[:3]:0<3}")
    return -milliseconds if text.startswith("-") else milliseconds


class Network(NamedTuple):
    """An address range: ``bits`` is 32 or 128, ``first`` the network address as a number."""

    bits: int
    first: int
    prefix: int

    def covers(self, address: tuple[int, int]) -> bool:
        """Whether ``(bits, number)`` lies in it."""
        bits, number = address
        shift = self.bits - self.prefix
        return bits == self.bits and number >> shift == self.first >> shift


def read_address(text: str) -> tuple[int, int] | None:
    """One address as ``(bits, number)``.  An IPv4 address mapped into IPv6 is that IPv4 address (recorded)."""
    address = _address(text.strip())
    if address is not None and address[0] == 128 and address[1] >> 32 == 0xFFFF:
        return 32, address[1] & 0xFFFFFFFF
    return address


def read_network(text: str) -> Network | None:
    """A range in CIDR form; no prefix means this one address.

    Host bits are ignored in IPv4; an IPv6 network that has any never matches (both recorded), which is ``None`` here.
    """
    host, slash, tail = text.strip().partition("/")
    address = _address(host)
    if address is None:
        return None
    bits, number = address
    if slash and not (tail.isascii() and tail.isdigit() and len(tail) <= 3 and int(tail) <= bits):
        return None
    prefix = int(tail) if slash else bits
    if bits == 128 and prefix >= 96 and number >> 32 == 0xFFFF:
        return Network(32, number & 0xFFFFFFFF, prefix - 96)
    if bits == 128 and number & ((1 << (128 - prefix)) - 1):
        return None
    return Network(bits, number, prefix)


def _address(text: str) -> tuple[int, int] | None:
    if ":" not in text:
        number = _ipv4(text)
        return None if number is None else (32, number)
    import ipaddress

    if "%" in text or len(text) > 45:
        return None
    try:
        return 128, int(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def _ipv4(text: str) -> int | None:
    """Four decimal numbers; ``192.000.2.1`` is 192.0.2.1 (recorded), which Python's ``ipaddress`` refuses."""
    fields = text.split(".", 4)
    number = 0
    for field in fields:
        if not (field.isascii() and field.isdigit() and len(field) <= 3 and int(field) <= 255):
            return None
        number = number << 8 | int(field)
    return number if len(fields) == 4 else None


def read_arn(text: str) -> list[str] | None:
    """The six fields of an ARN."""
    fields = text.split(":", 5)
    return fields if len(fields) == 6 and fields[0] == "arn" else None
