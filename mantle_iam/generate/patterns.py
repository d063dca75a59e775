"""Patterns with ``*`` and ``?``: does one cover another, and an example of what one matches.

Knows neither ARNs nor actions; what a statement does with a pattern is ``iam.matching``'s.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations


def has_wildcard(pattern: str) -> bool:
    """Whether ``pattern`` matches more than itself."""
    return "*" in pattern or "?" in pattern


def covers(pattern: str, other: str) -> bool:
    """Whether ``pattern`` surely matches everything that the pattern ``other`` matches.

    Sound, not complete: a ``*`` of ``other`` is covered by a ``*`` only, so ``False`` may also mean "not seen to".
    Takes at most ``len(pattern) * len(other)`` steps.
    """
    if pattern == other:
        return True
    if not has_wildcard(pattern):
        return False
    i = j = 0
    star = -1
    resume = 0
    while j < len(other):
        character = pattern[i] if i < len(pattern) else ""
        if character == "*":
            star, resume = i, j
            i += 1
        elif character and other[j] != "*" and character in ("?", other[j]):
            i += 1
            j += 1
        elif star >= 0:
            resume += 1
            i, j = star + 1, resume
        else:
            return False
    return not pattern[i:].strip("*")


def example(pattern: str, filler: str) -> str:
    """A text that ``pattern`` matches: every ``*`` becomes ``filler``, every ``?`` becomes ``x``."""
    return pattern.replace("*", filler).replace("?", "x")
