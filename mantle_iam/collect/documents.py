"""Policy documents out of inventories and infrastructure code: parsed once for each content, with what is not known marked.

What is not known when a document is read (an attribute known after apply, a function without its parameter) arrives here as
``UNRESOLVED`` within a text.  In a resource or a condition value that is a policy variable of which nothing is known, so that
an evaluation is neither met nor missed; where the language allows no variable (actions, effects, whole statements) the document
is ``opaque``: its layer is unknown in part.  Knows no file format.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mantle_iam.collect.places import DEEPEST, escape
from mantle_iam.collect.records import maker
from mantle_iam.errors import PolicyError
from mantle_iam.iam.grammar import Number, decode_json, load_json, parse_policy
from mantle_iam.iam.inventory import UNRESOLVED, UNRESOLVED_KEY
from mantle_iam.iam.policy import PolicyDocument

LONGEST_DOCUMENT = 2_000_000
"""Characters of a document given as text; AWS stores none above 10,240 (reference_iam-quotas)."""
_MOST_STATEMENTS = 50_000
_REMEMBERED = 4096
_LONGEST_KEY = 65_536
_MARK = UNRESOLVED.encode()


@dataclass(frozen=True, slots=True)
class Document:
    """What became of a document: ``document`` or a ``problem``; never neither, and both where it was read in part."""

    document: PolicyDocument | None
    problem: str = ""
    unresolved: tuple[str, ...] = ()
    opaque: bool = False
    """Whether it says something that could not be kept: its layer is then unknown."""
    indexes: tuple[int, ...] = ()
    """As in ``NamedPolicy``."""


_document = maker(Document)


class Documents:
    """Reads documents and remembers them by content: in an organization the same few stand in every account."""

    def __init__(self) -> None:
        self._known: dict[str | bytes, Document] = {}

    def read(self, source: object) -> Document:
        """A document from an object, JSON text, or the same URL-encoded.  Never raises for what is in it.

        ``bytes`` are JSON that was not decoded when the JSON around it was: UTF-8, and nothing else than JSON.
        """
        key = source if type(source) is bytes and len(source) < _LONGEST_KEY else _content(source)
        if key is None:
            return _read(source, None)
        found = self._known.get(key)
        if found is None:
            found = _read(source, key)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found


def _content(source: Any) -> str | bytes | None:
    """What two sources have in common that say the same.  ``None``: not worth remembering, or it cannot be."""
    if type(source) is str:
        return source if len(source) < _LONGEST_KEY else None
    try:
        # Format 0 writes neither references nor interning, so equal contents are equal bytes.
        content = marshal.dumps(source, 0)
    except (ValueError, RecursionError):
        return None
    return content if len(content) < _LONGEST_KEY else None


def _may_be_marked(content: str | bytes | None) -> bool:
    """Whether a walk through what has this content may find a mark, or a depth that is refused."""
    if isinstance(content, bytes):
        return _MARK in content or content.count(b"[") + content.count(b"{") > DEEPEST
    if content is None or "\\u" in content:  # an escape may spell anything
        return True
    return UNRESOLVED in content or content.count("[") + content.count("{") > DEEPEST


def _read(source: object, content: str | bytes | None) -> Document:
    try:
        if isinstance(source, bytes):
            plain = None if _MARK in source else _ordinary()(source)
            if plain is not None:
                return _document(plain, "", (), False, ())
            source = load_json(source.decode())
            content = None
        if not isinstance(source, (dict, Mapping)):  # nearly always the first, which is looked up at once
            content = source = _text(source)
        value = _decoded(source)
        if isinstance(value, str) and not isinstance(value, Number) and UNRESOLVED in value:
            return Document(None, "the document is not known", ("",), opaque=True)
        if not _may_be_marked(content):
            return Document(parse_policy(value), indexes=_indexes(value))
        tidy = _Tidy()
        kept = tidy.document(value)
        written = _indexes(value)
        indexes = tuple(written[at] for at in tidy.indexes) or written if written else tidy.indexes
        return Document(parse_policy(kept), unresolved=tuple(tidy.unresolved), opaque=tidy.opaque, indexes=indexes)
    except PolicyError as error:
        return Document(None, str(error), opaque=True)
    except RecursionError:
        return Document(None, "the document is nested too deeply", opaque=True)


@cache
def _ordinary() -> Callable[[bytes], PolicyDocument | None]:
    from mantle_iam.collect.ordinary import document_of

    return document_of


def _indexes(value: object) -> tuple[int, ...]:
    """The indexes in the text of the statements of a template's list, of which some are not there or two stand in one place."""
    statements = value.get("Statement") if isinstance(value, Mapping) else None
    return tuple(getattr(statements, "indexes", ()))


def _text(source: object) -> str:
    """The JSON text of a document that is given as text."""
    if not isinstance(source, str) or isinstance(source, Number):
        raise PolicyError(f"a policy is a JSON object or its text, not {_kind(source)}")
    if len(source) > LONGEST_DOCUMENT:
        raise PolicyError(f"the document has {len(source):,} characters; none above {LONGEST_DOCUMENT:,} is read")
    text = source.removeprefix("\ufeff").strip(" \t\r\n")
    if not text.startswith("%"):
        return text
    from urllib.parse import unquote

    return unquote(text, errors="replace")


def _decoded(source: Mapping[str, Any] | str) -> Any:
    if not isinstance(source, str) or source == UNRESOLVED:
        return source
    try:
        value = decode_json(source, "the document")
    except PolicyError:
        if UNRESOLVED in source:
            return UNRESOLVED  # what is not known stands between its elements
        raise
    return decode_json(value, "the document") if isinstance(value, str) and value.lstrip().startswith("{") else value


def _kind(value: object) -> str:
    names = ((Number, "a number"), (str, "a text"), (bool, "a boolean"), (list, "a list"), (type(None), "null"))
    return next((name for kind, name in names if isinstance(value, kind)), "a number")


def pointers_with(value: object, at: str = "", depth: int = 0) -> Iterator[str]:
    """Pointers of the texts below ``value`` that hold ``UNRESOLVED``.  Raises ``PolicyError`` when nested too deeply."""
    if depth > DEEPEST:
        raise PolicyError("the document is nested too deeply")
    if isinstance(value, str):
        if UNRESOLVED in value:
            yield at
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if UNRESOLVED in str(key):
                yield f"{at}/{escape(key)}"
            yield from pointers_with(item, f"{at}/{escape(key)}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from pointers_with(item, f"{at}/{index}", depth + 1)


class _Tidy:
    """One walk over a decoded document: what is not known becomes something that the policy language can say."""

    def __init__(self) -> None:
        self.unresolved: list[str] = []
        self.opaque = False
        self.indexes: tuple[int, ...] = ()

    def document(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        self.unresolved = list(dict.fromkeys(pointers_with(value)))
        statements = value.get("Statement")
        if isinstance(statements, list | tuple) and len(statements) > _MOST_STATEMENTS:
            raise PolicyError(
                f"the document has {len(statements):,} statements; none above {_MOST_STATEMENTS:,} is read"
            )
        if not self.unresolved:
            return value
        kept = dict(value)
        if kept.get("Version", UNRESOLVED) == UNRESOLVED and "Version" in kept:
            kept["Version"] = "2012-10-17"
        if kept.get("Version") != "2012-10-17":
            self.opaque = True  # without policy variables the marks would be taken literally
        many = statements if isinstance(statements, list | tuple) else [statements]
        found = [self._statement(item) for item in many]
        if None in found:
            self.opaque = True
            self._leave_out([item is None for item in found])
        kept["Statement"] = [item for item in found if item is not None]
        if isinstance(kept.get("Id"), str) and UNRESOLVED in kept["Id"]:
            del kept["Id"]
        return kept

    def _leave_out(self, gone: list[bool]) -> None:
        """Statements that are not kept count after all others, so that pointers to the others fit the document."""
        self.indexes = tuple(at for at, out in enumerate(gone) if not out)
        order = [*self.indexes, *(at for at, out in enumerate(gone) if out)]
        new = {str(old): at for at, old in enumerate(order)}
        renumbered = []
        for pointer in self.unresolved:
            head, _, rest = pointer.removeprefix("/Statement/").partition("/")
            if pointer.startswith("/Statement/") and head in new:
                pointer = f"/Statement/{new[head]}{'/' if rest else ''}{rest}"
            renumbered.append(pointer)
        self.unresolved = renumbered

    def _statement(self, value: Any) -> Any:
        """The statement without what is not known; ``None`` where nothing is left to judge by."""
        if isinstance(value, str) and UNRESOLVED in value:
            return None
        if not isinstance(value, Mapping):
            return value
        kept = dict(value)
        if _holds(kept.get("Effect")) or any(UNRESOLVED in str(key) for key in kept):
            return None
        if _holds(kept.get("Sid")):
            del kept["Sid"]
        if next(pointers_with(kept.get("NotAction")), None) is not None:
            return None  # all but what nobody knows
        if next(pointers_with(kept.get("Action")), None) is not None:
            self.opaque = True
        for name in ("Principal", "NotPrincipal"):
            if _holds(kept.get(name)):
                kept[name] = {"AWS": UNRESOLVED}
                self.opaque = True
        if "Condition" in kept:
            kept["Condition"] = _conditions(kept["Condition"])
        return kept


def _holds(value: object) -> bool:
    return isinstance(value, str) and UNRESOLVED in value


def _conditions(block: Any) -> Any:
    if _holds(block):
        return {"StringEquals": {UNRESOLVED_KEY: "true"}}
    if not isinstance(block, Mapping):
        return block
    kept: dict[str, Any] = {}
    for operator, keys in block.items():
        if UNRESOLVED in str(operator) or _holds(keys):
            kept.setdefault("StringEquals", {})[UNRESOLVED_KEY] = "true"
        elif isinstance(keys, Mapping):
            named = {UNRESOLVED_KEY if UNRESOLVED in str(key) else key: item for key, item in keys.items()}
            kept[operator] = {**kept.get(operator, {}), **named}
        else:
            kept[operator] = keys
    return kept
