"""What may stand around a key that somebody pasted, and taking it away: quotes, whitespace, names, escapes, repetition.

Decides which flaws the text has; what the key is, and what it reveals, is not known here.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache


class CredentialFlaw(StrEnum):
    """What is wrong with the text itself."""

    EMPTY = "empty"
    QUOTED = "quoted"
    WHITESPACE = "whitespace"
    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"
    PREFIXED = "prefixed"
    """``Bearer `` or a variable name still in front of it."""
    UNEXPANDED = "unexpanded"
    DUPLICATED = "duplicated"
    """Pasted twice in a row."""
    ESCAPED = "escaped"
    """URL-encoded or JSON-escaped (``%3D``, ``\\/``)."""


MAX_CHARACTERS = 65_536
"""Longer texts are no credential."""

SHORT_TERM = "bedrock-api-key-"
LONG_TERM = "ABSK"

_QUOTES = "\"'`\u201c\u201d\u2018\u2019"
_INVISIBLE = dict.fromkeys([0xFEFF, 0x200B, 0x200C, 0x200D, 0x2060, 0x00AD])
_PREFIX = (
    r"(?i)(?:export\s+|set\s+|setx\s+|\$env:)?(?:"
    r"[A-Z_][A-Z0-9_]{2,63}\s*=\s*(?=[^\s=])|(?:proxy-)?authorization\s*:\s*|x-api-key\s*:\s*|"
    r"[a-z_]{0,20}api[-_ ]?key\s*[:=]\s*|bearer\s+)"
)
_KNOWN = r"(?:bedrock-api-key-|ABSK|sk-|eyJ|AKIA|ASIA|AEAA|aws-external-anthropic-api-key-|YmVkcm9jay5hbWF6)"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def cleaned(text: str) -> str:
    """What to send for ``text``: without quotes, whitespace, names, escapes and repetition around the key.

    A text that is none of the known keys loses what stands around it, nothing inside.  Never raises.
    """
    return clean(text)[0]


Flaws = tuple[CredentialFlaw, ...]


def clean(text: str) -> tuple[str, Flaws]:
    """The key inside ``text``, and what was wrong around it."""
    found: list[CredentialFlaw] = []
    if len(text) > MAX_CHARACTERS:
        return text.strip(), ()
    key = text.translate(_INVISIBLE)
    if key != text:
        found.append(CredentialFlaw.WHITESPACE)
    for _ in range(6):
        before = key
        key = _step(key, found)
        if key == before:
            break
    if _compiled(_KNOWN).match(key):
        key = _inside(key, found)
    return key, tuple(dict.fromkeys(found))


def _step(key: str, found: list[CredentialFlaw]) -> str:
    """Take away one thing around the key."""
    bare = key.strip()
    if bare != key:
        found.append(CredentialFlaw.WHITESPACE)
        return bare
    while len(key) > 1 and (key[0] in _QUOTES or key[:2] in ('\\"', "\\'")):
        found.append(CredentialFlaw.QUOTED)
        return key.lstrip("\\" + _QUOTES).rstrip("\\" + _QUOTES + ",;")
    if key[-1:] and key[-1] in _QUOTES and _compiled(_KNOWN).match(key):
        found.append(CredentialFlaw.QUOTED)
        return key.rstrip("\\" + _QUOTES + ",;")
    match = _compiled(_PREFIX).match(key)
    if match and not _compiled(_KNOWN).match(key):
        found.append(CredentialFlaw.PREFIXED)
        return key[match.end() :]
    return key


def _inside(key: str, found: list[CredentialFlaw]) -> str:
    """A known key without whitespace and escapes in the middle and without its repetition."""
    if _compiled(r"\s|\\[nrt]").search(key) and not key.startswith(("AKIA", "ASIA")):
        found.append(CredentialFlaw.WHITESPACE)
        key = _compiled(r"\s++|\\[nrt]").sub("", key)
    if key.startswith((SHORT_TERM, LONG_TERM)) and _compiled(r"%(?:2[BbFf]|3[Dd])|\\/|\\u00").search(key):
        found.append(CredentialFlaw.ESCAPED)
        for escape, sign in (
            ("\\/", "/"),
            ("%2B", "+"),
            ("%2b", "+"),
            ("%2F", "/"),
            ("%2f", "/"),
            ("%3D", "="),
            ("%3d", "="),
        ):
            key = key.replace(escape, sign)
        key = key.replace("\\u003d", "=").replace("\\u002b", "+").replace("\\u002B", "+").replace("\\u003D", "=")
    half = len(key) // 2
    if len(key) > 40 and key[:half] == key[half:]:
        found.append(CredentialFlaw.DUPLICATED)
        return key[:half]
    again = key.find(SHORT_TERM, 1) if key.startswith(SHORT_TERM) else -1
    if again > 0:
        found.append(CredentialFlaw.DUPLICATED)
        return key[:again]
    return key
