"""Representative values of a context key: for each way in which a value can meet a set of conditions, one value that does.

A family is a group of operators that read a value in the same way.  Within one family the answer is complete or says that it is
not; between families (``StringLike`` and ``IpAddress`` on one key) nobody asks for completeness here.  Knows values and
patterns, no statement.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, localcontext
from enum import StrEnum
from itertools import pairwise, product
from typing import TypeVar

from mantle_iam.iam import values
from mantle_iam.iam.compare_facts import ACCOUNT, OTHER_ACCOUNT, THIRD_ACCOUNT
from mantle_iam.iam.language import (
    ONE,
    STAR,
    Symbols,
    classes,
    coded,
    covers,
    filled,
    fresh_unit,
    is_literal,
    meet,
    text_of,
)
from mantle_iam.iam.matching import Token, split_arn


class Family(StrEnum):
    """How an operator reads a value."""

    STRING = "string"
    FOLDED = "string without case"
    ARN = "ARN"
    NUMBER = "number"
    DATE = "date"
    BOOL = "boolean"
    IP = "IP address"
    PRESENCE = "presence"
    """``Null``, and operators that nobody knows: they do not look at the value."""


_BY_PREFIX = (
    ("stringequalsignorecase", Family.FOLDED),
    ("stringnotequalsignorecase", Family.FOLDED),
    ("string", Family.STRING),
    ("binary", Family.STRING),
    ("arn", Family.ARN),
    ("numeric", Family.NUMBER),
    ("date", Family.DATE),
    ("bool", Family.BOOL),
    ("ipaddress", Family.IP),
    ("notipaddress", Family.IP),
)


def family_of(operator: str) -> Family:
    """The family of a base operator (``StringNotLike``)."""
    name = operator.lower()
    return next((family for prefix, family in _BY_PREFIX if name.startswith(prefix)), Family.PRESENCE)


@dataclass(frozen=True, slots=True)
class Singles:
    """Single values, and whether every other single value is like one of them."""

    found: tuple[str, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Looks:
    """How values of a key look: words to make them of, and whether a text can be one."""

    words: tuple[str, ...] = ()
    fits: Callable[[str], bool] = bool


PLAIN = Looks()
MOST_REGIONS = 160
"""Intersections of patterns that are told apart on one key."""
MOST_MEETINGS = 300_000
"""Pairs of a pattern and a region that are looked at for one key."""
MOST_GUESSED = 16
"""Values tried where there are too many to tell apart."""
ORDINARY = "example"
"""What a value is called of which nothing is asked."""

ArnCode = tuple[str, ...]
"""Six codes, one for each segment."""


def representatives(
    family: Family, patterns: Sequence[str], within: Sequence[Sequence[str]], looks: Looks = PLAIN
) -> Singles:
    """For each way to meet ``patterns``, one value.

    For strings these are codes of ``language.py``; ``within`` are unions of which each has to hold one of the values, so that
    what lies outside need not be told apart.  For the other families they are policy values as text.  What ``looks`` like a
    value of the key is taken where it does as well as others.
    """
    if family is Family.STRING:
        return _strings(patterns, within, looks)
    if family is Family.FOLDED:
        return _folded(tuple(dict.fromkeys(patterns)), looks.words)
    if family is Family.PRESENCE:
        return Singles((*looks.words, ORDINARY)[:1])
    return _READERS[family](tuple(dict.fromkeys(patterns)))


def _strings(patterns: Sequence[str], within: Sequence[Sequence[str]], looks: Looks) -> Singles:
    patterns = tuple(dict.fromkeys(patterns))
    fresh = fresh_unit(patterns)
    starts = _starts(within)
    if any(ONE in pattern for pattern in patterns):
        found: list[str] = []
        for start in starts:
            texts = classes(start, patterns, fresh)
            if texts is None:
                return Singles(tuple(filled(start, ORDINARY) for start in starts), complete=False)
            found.extend(texts)
        return _as_texts(found)
    regions = _regions(starts, patterns, _meet_codes, covers)
    some = regions if regions is not None else starts[:MOST_GUESSED]
    return _as_texts([_instance(region, patterns, fresh, looks) for region in some], complete=regions is not None)


def _starts(within: Sequence[Sequence[str]]) -> tuple[str, ...]:
    starts: tuple[str, ...] = (STAR,)
    for union in within:
        narrower = {code for start in starts for pattern in union for code in meet(start, pattern)[0]}
        if len(narrower) > MOST_REGIONS and len(starts) > 1:
            break
        starts = tuple(sorted(narrower))
    return starts


def _as_texts(units: Iterable[str], complete: bool = True) -> Singles:
    texts = [text_of(found) for found in units]
    # A value that only half a character could make does not occur.
    return Singles(tuple(dict.fromkeys(text for text in texts if text is not None)), complete)


def _meet_codes(one: str, other: str) -> tuple[str, ...] | None:
    found, exact = meet(one, other)
    return found if exact else None


_Code = TypeVar("_Code", str, tuple[str, ...])


def _regions(
    starts: Iterable[_Code],
    patterns: Iterable[_Code],
    meeting: Callable[[_Code, _Code], tuple[_Code, ...] | None],
    covering: Callable[[_Code, _Code], bool],
) -> list[_Code] | None:
    """``starts`` and all their intersections with ``patterns``; the general text of each tells apart all there is."""
    regions = dict.fromkeys(starts)
    # Of a single text nothing can be cut off.
    wide = [region for region in regions if not _single(region)]
    looked_at = 0
    for pattern in patterns:
        looked_at += len(wide)
        if looked_at > MOST_MEETINGS or len(wide) > MOST_REGIONS:
            return None
        for region in tuple(wide):
            if covering(pattern, region):
                continue
            common = meeting(region, pattern)
            if common is None:
                return None
            wide.extend(code for code in common if code not in regions and not _single(code))
            regions.update(dict.fromkeys(common))
    return list(regions) if len(wide) <= MOST_REGIONS else None


def _single(code: str | tuple[str, ...]) -> bool:
    return is_literal(code) if isinstance(code, str) else all(map(is_literal, code))


def _instance(region: str, patterns: Sequence[str], fresh: str, looks: Looks) -> str:
    """The most general text of ``region``, in plain words where they do as well."""
    if is_literal(region):
        return region
    wanted = [covers(pattern, region) for pattern in patterns]
    first = None
    for star in (*looks.words, ORDINARY, "other", fresh):
        text = filled(region, star, fresh)
        if first is not None and not looks.fits(text):
            continue
        if all(covers(pattern, text) == want for pattern, want in zip(patterns, wanted, strict=True)):
            if looks.fits(text):
                return text
            first = text
    return first or filled(region, fresh, fresh)


def _folded(patterns: tuple[str, ...], words: Sequence[str]) -> Singles:
    known = {pattern.lower() for pattern in patterns}
    candidates = (*words, ORDINARY, "other", *(f"other{n}" for n in range(len(known) + 1)))
    other = next(text for text in candidates if text.lower() not in known)
    return Singles((*dict.fromkeys(patterns), other))


def _bool(_: tuple[str, ...]) -> Singles:
    return Singles(("true", "false"))


def _numbers(patterns: tuple[str, ...]) -> Singles:
    known = sorted({number for number in map(values.read_number, patterns) if number is not None})
    if not known:
        return Singles(("0", ORDINARY))
    found = list(known)
    complete = True
    with localcontext(Context(prec=200, traps=[])) as context:
        between = [(low + high) / 2 for low, high in pairwise(known)]
        found += [middle for low, middle, high in zip(known, between, known[1:], strict=False) if low < middle < high]
        complete = len(found) == 2 * len(known) - 1
        context.clear_flags()
        found += [known[0] - 1, known[-1] + 1]
        complete = complete and not context.flags[Inexact]
    texts = [_plain(number) for number in found]
    complete = complete and all(values.read_number(text) == number for text, number in zip(texts, found, strict=True))
    return Singles((*texts, ORDINARY), complete)


def _plain(number: Decimal) -> str:
    size = number.adjusted()
    return f"{number:f}" if -30 < size < 30 and len(number.as_tuple().digits) < 30 else str(number)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _dates(patterns: tuple[str, ...]) -> Singles:
    known = {moment for moment in map(values.read_date, patterns) if moment is not None} or {0}
    moments = sorted({moment + step for moment in known for step in (0, -1000, 1000, -1, 1)})
    texts = [_moment(moment) for moment in moments]
    return Singles(
        (*texts, ORDINARY),
        complete=all(values.read_date(text) == moment for text, moment in zip(texts, moments, strict=True)),
    )


def _moment(moment: int) -> str:
    """Milliseconds as ISO 8601, or as epoch seconds where the calendar ends."""
    try:
        date = _EPOCH + timedelta(milliseconds=moment)
    except OverflowError:
        sign, whole = ("-" if moment < 0 else ""), abs(moment)
        return f"{sign}{whole // 1000}.{whole % 1000:03}"
    fraction = f".{date.microsecond // 1000:03}" if date.microsecond else ""
    return f"{date.year:04}-{date:%m-%dT%H:%M:%S}{fraction}Z"


def _addresses(patterns: tuple[str, ...]) -> Singles:
    edges: set[tuple[int, int]] = set()
    for network in map(values.read_network, patterns):
        if network is not None:
            size = 1 << (network.bits - network.prefix)
            first = network.first // size * size
            edges.update((network.bits, number) for number in (first, first + size - 1, first - 1, first + size))
    # One of each kind far from the usual networks, and what lies around IPv4 in IPv6.
    edges.update({(32, 0xCB007109), (128, 0x20010DB8 << 96), (128, (0xFFFF << 32) - 1), (128, 0x10000 << 32)})
    edges.update({(32, 0), (32, 0xFFFFFFFF), (128, 0), (128, (1 << 128) - 1)})
    found = []
    for bits, number in sorted(edges, key=lambda edge: (edge != (32, 0xCB007109), edge)):
        if 0 <= number < 1 << bits:
            text = _address(bits, number)
            if values.read_address(text) == (bits, number):
                found.append(text)
    return Singles((*found, ORDINARY))


def _address(bits: int, number: int) -> str:
    import ipaddress

    return str(ipaddress.IPv4Address(number) if bits == 32 else ipaddress.IPv6Address(number))


def arn_codes(tokens: list[Token]) -> ArnCode | None:
    """The segments of an ``ArnLike`` value as codes; ``None`` for one that can never match."""
    if "".join(text for _, text in tokens) == "*" and all(wild for wild, _ in tokens):
        return ("arn", *[STAR] * 5)
    segments = split_arn(tokens)
    if segments is None:
        return None
    first, *rest = (coded(segment, Symbols()) for segment in segments)
    return ("arn", *rest) if covers(first, "arn") else None


def _arns(patterns: tuple[str, ...]) -> Singles:
    """``patterns`` are ARN codes joined by line feeds of their own kind; see ``joined``."""
    codes = [split(pattern) for pattern in patterns]
    every = [segment for code in codes for segment in code]
    if any(ONE in segment for segment in every):
        return Singles((ORDINARY,), complete=False)
    fresh = fresh_unit(every)
    anything: ArnCode = ("arn", *[STAR] * 5)
    regions = _regions([anything], codes, _meet_arns, _covers_arn)
    texts = [_arn_instance(region, codes, fresh) for region in regions or codes]
    return _as_texts([*texts, ORDINARY], complete=regions is not None)


_JOINT = "\U000100ff"


def joined(code: ArnCode) -> str:
    """An ARN code as one string."""
    return _JOINT.join(code)


def split(code: str) -> ArnCode:
    """``joined`` undone."""
    return tuple(code.split(_JOINT))


def _covers_arn(pattern: ArnCode, code: ArnCode) -> bool:
    return all(map(covers, pattern, code))


def _meet_arns(one: ArnCode, other: ArnCode) -> tuple[ArnCode, ...] | None:
    parts = []
    for ours, theirs in zip(one, other, strict=True):
        found, exact = meet(ours, theirs)
        if not exact:
            return None
        parts.append(found)
    return tuple(product(*parts))


_ARN_WORDS = (
    ("arn", "aws", "iam", "", ACCOUNT, "role/example"),
    ("arn", "aws", "iam", "", OTHER_ACCOUNT, "user/other"),
    ("arn", "aws", "iam", "", THIRD_ACCOUNT, ORDINARY),
)


def _arn_instance(region: ArnCode, patterns: Sequence[ArnCode], fresh: str) -> str:
    wanted = [_covers_arn(pattern, region) for pattern in patterns]
    for words in (*_ARN_WORDS, (fresh,) * 6):
        text = tuple(
            filled(segment, word if segment == STAR else word.rpartition("/")[2], fresh)
            for segment, word in zip(region, words, strict=True)
        )
        if [_covers_arn(pattern, text) for pattern in patterns] == wanted:
            break
    return ":".join(text)


_READERS: dict[Family, Callable[[tuple[str, ...]], Singles]] = {
    Family.ARN: _arns,
    Family.NUMBER: _numbers,
    Family.DATE: _dates,
    Family.BOOL: _bool,
    Family.IP: _addresses,
}
