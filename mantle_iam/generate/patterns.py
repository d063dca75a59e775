"""Patterns with ``*`` and ``?``: does one cover another, and an example of what one matches.

``${*}``, ``${?}`` and ``${$}`` are those characters themselves; any other ``${…}`` is a variable, whose value is not known here
and in which no character is a wildcard.  Knows neither ARNs nor actions; what a statement does with a pattern is
``iam.matching``'s.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

_LITERALS = {"${*}": "\\*", "${?}": "\\?", "${$}": "\\$"}
"""Pieces of the escapes."""


@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> Sequence[str]:
    """The pattern in pieces: a character, ``*`` and ``?`` as wildcards, an escape, or a variable as a whole."""
    if "${" not in pattern:
        return pattern
    found: list[str] = []
    rest = pattern
    while rest:
        before, opened, after = rest.partition("${")
        found += before
        name, closed, rest = after.partition("}")
        if not closed:
            # It is no variable without its end; its characters stand for themselves as they always do.
            found += f"{opened}{after}"
            break
        piece = f"${{{name}}}"
        found.append(_LITERALS.get(piece, piece))
    return tuple(found)


def has_wildcard(pattern: str) -> bool:
    """Whether ``pattern`` matches more than one text, given the values of its variables."""
    if "*" not in pattern and "?" not in pattern:
        return False
    pieces = _pieces(pattern)
    return "*" in pieces or "?" in pieces


def has_variable(pattern: str) -> bool:
    """Whether what ``pattern`` matches depends on the request."""
    return "${" in pattern and any(len(piece) > 2 for piece in _pieces(pattern))


def escaped(text: str) -> str:
    """A pattern that matches just ``text``: ``$``, ``*`` and ``?`` stand for themselves."""
    return "".join(f"${{{character}}}" if character in "$*?" else character for character in text)


def covers(pattern: str, other: str) -> bool:
    """Whether ``pattern`` surely matches everything that the pattern ``other`` matches.

    Sound, not complete: a ``*`` or variable of ``other`` is covered by a ``*`` or by itself only, so ``False`` may also mean
    "not seen to".  Takes at most ``len(pattern) * len(other)`` steps.
    """
    if pattern == other:
        return True
    if not has_wildcard(pattern):
        return _pieces(pattern) == _pieces(other) if "${" in pattern or "${" in other else False
    return _covered(_pieces(pattern), _pieces(other))


def _covered(pattern: Sequence[str], other: Sequence[str]) -> bool:
    i = j = 0
    star = -1
    resume = 0
    while j < len(other):
        piece = pattern[i] if i < len(pattern) else ""
        if piece == "*":
            star, resume = i, j
            i += 1
        elif piece and (piece == other[j] if piece != "?" else _one_character(other[j])):
            i += 1
            j += 1
        elif star >= 0:
            resume += 1
            i, j = star + 1, resume
        else:
            return False
    return all(piece == "*" for piece in pattern[i:])


def _one_character(piece: str) -> bool:
    """Whether ``piece`` stands for one character whatever the request: no ``*``, no variable."""
    return piece != "*" and len(piece) <= 2


def example(pattern: str, filler: str) -> str:
    """A text that ``pattern`` matches: every ``*`` becomes ``filler``, every ``?`` becomes ``x``; variables stay."""
    if "${" not in pattern:
        return pattern.replace("*", filler).replace("?", "x")
    fill = {"*": filler, "?": "x"}
    # Escapes stay escapes here, since whoever expands the variables still has to tell them from wildcards.
    return "".join(fill.get(piece) or _written(piece) for piece in _pieces(pattern))


def _written(piece: str) -> str:
    return f"${{{piece[1]}}}" if len(piece) == 2 else piece


def unescaped(text: str) -> str:
    """``text`` with every escape as the character that it stands for."""
    for escape, piece in _LITERALS.items():
        text = text.replace(escape, piece[1])
    return text
