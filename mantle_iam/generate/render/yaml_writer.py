"""JSON-like data as YAML that every reader takes for exactly that data; CloudFormation's functions in their short form.

Decides the quoting and the layout.  A string is plain only where YAML 1.1 and 1.2 agree that it is a string; all others are
double-quoted.  Knows no policy and no resource.

Sources: https://yaml.org/spec/1.2.2/ (7.3), https://yaml.org/type/ (what 1.1 reads as booleans, null, numbers, merge),
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html (short forms).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:*+@=-")
_WORDS: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))  # of any case, in YAML 1.1
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_FLOW: Final = frozenset({"Fn::Equals", "Fn::Join", "Fn::Not"})


def yaml_text(value: dict[str, Any]) -> str:
    """``value`` as block YAML, ending with a line end.

    An object of the one key ``Ref`` or ``Fn::…`` is written as ``!Ref`` or ``!…``.
    """
    return "".join(f"{line}\n" for line in _mapping(value, ""))


def yaml_string(text: str) -> str:
    """``text`` as a YAML scalar that is a string."""
    if (
        text[:1].isascii()
        and text[:1].isalpha()
        and _PLAIN.issuperset(text)
        and not text.endswith(":")
        and text.lower() not in _WORDS
    ):
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _mapping(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, member in value.items():
        start, rest = _node(member, indent + "  ")
        yield f"{indent}{yaml_string(key)}:{start}"
        yield from rest


def _sequence(value: list[Any], indent: str) -> Iterator[str]:
    for member in value:
        if isinstance(member, dict) and member and _function(member) is None:
            first, *rest = _mapping(member, indent + "  ")
            yield f"{indent}- {first.lstrip(' ')}"
        else:
            start, rest = _node(member, indent + "  ")
            yield f"{indent}-{start}"
        yield from rest


def _node(value: Any, indent: str) -> tuple[str, list[str]]:
    """What follows ``key:`` or ``-`` in its line, and the lines below."""
    if (function := _function(value)) is not None:
        name, argument = function
        if name in _FLOW:
            return f" {_flow(value)}", []
        if name == "Fn::GetAtt":
            argument = ".".join(argument)
        start, rest = _node(argument, indent)
        return f" !{name.removeprefix('Fn::')}{start}", rest
    if isinstance(value, dict) and value:
        return "", list(_mapping(value, indent))
    if isinstance(value, list) and value:
        return "", list(_sequence(value, indent))
    return f" {_scalar(value)}", []


def _function(value: Any) -> tuple[str, Any] | None:
    if isinstance(value, dict) and len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return None


def _flow(value: Any) -> str:
    if (function := _function(value)) is not None:
        name, argument = function
        return f"!{name.removeprefix('Fn::')} {_flow(argument)}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return value if isinstance(value, str) and value.isascii() and value.isalpha() else _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case str():
            return yaml_string(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case dict():
            return "{}"
        case _:
            return "[]"
