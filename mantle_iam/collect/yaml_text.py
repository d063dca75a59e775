"""YAML templates to plain values, with CloudFormation's short forms written out, and the places of their elements.

PyYAML composes the nodes (they keep their marks); values are built here, so that no tag makes an object, keys that occur twice
are told, and aliases cannot multiply (a node is built once for each place, up to a limit).  Merge keys (``<<``) are followed, as
SAM's tools do.  PyYAML comes with the extra ``iac``.
Source: https://yaml.org/spec/1.1/,
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mantle_iam.collect.places import Position, TextError, unescape
from mantle_iam.iam.grammar import Number, Repeated

_MOST_NODES = 500_000
_DEEPEST = 200
_LONG = 1_000_000
_MERGE = "tag:yaml.org,2002:merge"
_SHORT = ("Ref", "Condition")
"""Short forms without ``Fn::``."""


def _compose(text: str) -> list[Any]:
    try:
        import yaml
    except ImportError:
        raise TextError("a YAML template, and PyYAML is not installed: install `mantle-iam[iac]`") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if len(text) > _LONG or _may_be_deep(text):
            _refuse_large(yaml.parse(text, Loader=loader))
        return [node for node in yaml.compose_all(text, Loader=loader) if node is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        where = f": line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise TextError(
            f"not YAML{where}: {problem}",
            None if mark is None else mark.line + 1,
            None if mark is None else mark.column + 1,
        ) from None
    except (RecursionError, ValueError, UnicodeError):
        raise TextError("not YAML, or nested too deeply") from None


def _may_be_deep(text: str) -> bool:
    """Whether elements may be nested deeper than ``_DEEPEST``: in brackets, or by what stands before a line's first word."""
    if text.count("[") + text.count("{") > _DEEPEST // 2:
        return True
    # A column holds two levels at most: a mapping's list may stand where the mapping does.
    return any(len(line) - len(line.lstrip(" -?:")) > _DEEPEST // 4 for line in text.splitlines())


def _refuse_large(events: Iterable[Any]) -> None:
    """Events come one by one; nodes are composed in memory, by recursion in C, which ends the process where the stack does."""
    depth = 0
    for count, event in enumerate(events):
        name = type(event).__name__
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > _DEEPEST + 2:
            raise TextError("nested too deeply")
        if count > 2 * _MOST_NODES:
            raise TextError(_TOO_MANY)


_TOO_MANY = f"more than {_MOST_NODES:,} elements"


def read_yaml(text: str) -> Any:
    """The value of the first document of ``text``; otherwise as ``read_all_yaml``."""
    return read_all_yaml(text)[0]


def read_all_yaml(text: str) -> list[Any]:
    """The values of the documents of ``text``, at least one; short forms such as ``!Sub`` as ``{"Fn::Sub": …}``.

    Raises:
        TextError: it is no YAML, is nested too deeply, grows by its aliases, or PyYAML is missing.
    """
    nodes = _compose(text)
    if not nodes:
        raise TextError("empty")
    try:
        builder = _Builder()
        return [builder.value(node, 0) for node in nodes]
    except RecursionError:
        raise TextError("nested too deeply") from None


class _Builder:
    def __init__(self) -> None:
        self.count = 0

    def value(self, node: Any, depth: int) -> Any:
        self._step(depth)
        plain = self._plain(node, depth)
        tag = str(node.tag)
        return plain if tag.startswith("tag:") or tag == "!" else _function(tag.lstrip("!"), plain)

    def _step(self, depth: int) -> None:
        self.count += 1
        if depth > _DEEPEST:
            raise TextError("nested too deeply, or in a circle")
        if self.count > _MOST_NODES:
            raise TextError(_TOO_MANY)

    def _plain(self, node: Any, depth: int) -> Any:
        if node.id == "sequence":
            return [self.value(item, depth + 1) for item in node.value]
        if node.id != "mapping":
            return _scalar(node)
        found: dict[str, Any] = {}
        for source in reversed(_merged(node)):  # of several the first one counts
            self._step(depth)
            found.update(self._plain(source, depth + 1))
        pairs = [(_key(key), self.value(value, depth + 1)) for key, value in node.value if key.tag != _MERGE]
        found.update(pairs)
        names = Counter(key for key, _ in pairs)
        if len(names) == len(pairs):
            return found
        repeated = Repeated(found)
        repeated.keys_twice = tuple(key for key, times in names.items() if times > 1)
        return repeated


def _merged(node: Any) -> list[Any]:
    """The mappings whose keys a mapping takes over (``<<``), in the order of the text."""
    values = [value for key, value in node.value if key.tag == _MERGE]
    found = [one for value in values for one in (value.value if value.id == "sequence" else [value])]
    if any(one.id != "mapping" for one in found):
        raise TextError("not YAML: what is merged (`<<`) is no mapping")
    return found


def _key(node: Any) -> str:
    return str(node.value) if node.id == "scalar" else ""


def _scalar(node: Any) -> Any:
    """Numbers and dates stay as written: ``2012-10-17`` without quotes is a version all the same, not a date."""
    kind = str(node.tag).rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return str(node.value).lower() in ("true", "yes", "on")
    return Number(node.value) if kind in ("int", "float") else str(node.value)


def _function(name: str, value: Any) -> dict[str, Any]:
    if name == "GetAtt" and isinstance(value, str):
        value = list(value.partition(".")[::2])
    return {name if name in _SHORT else f"Fn::{name}": value}


def locate_yaml(text: str, pointers: Iterable[str]) -> dict[str, Position]:
    """Where the elements that ``pointers`` name begin; one that is not there stands where its nearest owner does.

    Of several documents in ``text`` the first token of a pointer is the index.

    Raises:
        TextError: as ``read_yaml``.
    """
    nodes = _compose(text)
    found = {}
    for pointer in pointers:
        tokens = [unescape(token) for token in pointer.split("/")[1:]]
        at = 0
        if len(nodes) > 1 and tokens and tokens[0].isascii() and tokens[0].isdigit() and len(tokens[0]) < 8:
            at = int(tokens.pop(0))
        found[pointer] = _follow(nodes[at], tokens) if at < len(nodes) else Position(1, 1)
    return found


def _follow(node: Any, tokens: list[str]) -> Position:
    for token in tokens:
        inner = None
        if node.id == "mapping":
            inner = _find(node, token, set())
        elif node.id == "sequence" and token.isascii() and token.isdigit() and len(token) < 8:
            inner = node.value[int(token)] if int(token) < len(node.value) else None
        if inner is None:
            if token.startswith("Fn::") or token in _SHORT:
                continue  # a short form: its value is the tagged node itself
            break
        node = inner
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _find(node: Any, token: str, seen: set[int]) -> Any:
    """The node of a key: the mapping's own (of two the last), else that of the first that it merges."""
    seen.add(id(node))
    own = next((value for key, value in reversed(node.value) if key.tag != _MERGE and _key(key) == token), None)
    if own is not None:
        return own
    inner = (_find(one, token, seen) for one in _merged(node) if id(one) not in seen)
    return next((found for found in inner if found is not None), None)
