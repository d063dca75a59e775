"""Policy documents: from JSON to records and back.

Decides what a document says, not what it grants; knows no service.  What is not understood is kept as a ``Problem`` with its
JSON pointer and its text, so that ``write_policy`` puts it back; only what cannot be a policy at all is an error.

The canonical form: elements in the order of AWS's grammar, one value as a string and several as a list, ``Statement`` always
a list, ``"*"`` for ``{"AWS": "*"}``, condition values as strings.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from mantle_iam.errors import PolicyError
from mantle_iam.iam.plain import STATEMENT, TOP, read_plain
from mantle_iam.iam.plain import VERSIONS as VERSIONS
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Problem, Statement

PRINCIPAL_TYPES = ("AWS", "Service", "Federated", "CanonicalUser")


class Number(str):
    """A number of the JSON text, exactly as written."""

    __slots__ = ()


class Repeated(dict[str, Any]):
    """An object of which ``keys_twice`` occur more than once; JSON's last one counts."""

    __slots__ = ("keys_twice",)

    keys_twice: tuple[str, ...]


def parse_policy(source: str | bytes | Mapping[str, Any]) -> PolicyDocument:
    """Read a policy document: JSON text, the same URL-encoded (RFC 3986, as the raw IAM API answers), or a decoded object.

    Raises:
        PolicyError: it is not JSON (with line and column), or cannot be a policy (with a JSON pointer).
    """
    decoded = _decode(source) if isinstance(source, str | bytes) else source
    if isinstance(decoded, str) and not isinstance(decoded, Number):
        # Organizations hands out a document as a JSON string inside JSON ("Content").
        decoded = _decode(decoded)
    plain = read_plain(decoded)
    return _Reader().document(decoded) if plain is None else plain


_WRAPPERS = (
    # What holds the document in the answer of: get-policy-version, get-*-policy, Organizations' describe-policy, and in
    # the files of ``policies/``.
    ("PolicyVersion", "Document"),
    ("PolicyDocument",),
    ("Document",),
    ("Policy", "Content"),
    ("Content",),
    ("document",),
)


def parse_printed_policy(source: str | bytes) -> PolicyDocument:
    """Read a policy document as ``parse_policy`` does, also from inside of what an AWS command prints around it.

    Raises:
        PolicyError: as ``parse_policy``.
    """
    decoded = _decode(source)
    for path in _WRAPPERS if isinstance(decoded, Mapping) and "Statement" not in decoded else ():
        inner: Any = decoded
        for name in path:
            inner = inner.get(name) if isinstance(inner, Mapping) else None
        if isinstance(inner, str | Mapping) and not isinstance(inner, Number):
            return parse_policy(inner)
    return parse_policy(source)


def _decode(text: str | bytes) -> Any:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PolicyError(f"the policy is not UTF-8 text: byte {error.start} cannot be read") from None
    text = text.removeprefix("\ufeff").strip(" \t\r\n")
    return decode_json(_unquote(text) if text.startswith("%") else text, "the policy")


def decode_json(text: str, what: str) -> Any:
    """JSON in which numbers keep their digits (``Number``) and objects say which keys were repeated (``Repeated``).

    Raises:
        PolicyError: it is not JSON, with line and column; ``what`` names it in the message.
    """
    try:
        return load_json(text)
    except json.JSONDecodeError as error:
        detail = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise PolicyError(f"{what} is not JSON: line {error.lineno}, column {error.colno}: {detail}") from None
    except RecursionError:
        raise PolicyError(f"{what} is nested too deeply") from None


def load_json(text: str) -> Any:
    """JSON as ``decode_json`` reads it.  Raises ``json.JSONDecodeError`` and ``RecursionError``."""
    return _DECODER.decode(text)


def _unquote(text: str) -> str:
    from urllib.parse import unquote_to_bytes

    try:
        return unquote_to_bytes(text).decode("utf-8-sig").strip(" \t\r\n")
    except UnicodeDecodeError:
        raise PolicyError("the URL-encoded policy is not UTF-8 text") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    seen: set[str] = set()
    repeated = Repeated(plain)
    repeated.keys_twice = tuple(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return repeated


def _no_constant(name: str) -> NoReturn:
    # NaN and Infinity, which Python reads and JSON has not.
    raise json.JSONDecodeError(f"`{name}` is no JSON value", "", 0)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)


class _Reader:
    """One walk over one decoded document; collects the problems on its way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def document(self, value: Any) -> PolicyDocument:
        if not isinstance(value, Mapping):
            _refuse("a policy is a JSON object", "", value)
        self._unknown(value, TOP, "")
        if "Statement" not in value:
            _refuse("a policy needs the element `Statement`", "", help_=_hint(value, "Statement"))
        version = self._text(value, "Version", "")
        if version is not None and version not in VERSIONS:
            self._problem("/Version", f"`{version}` is not a version of the policy language: {' or '.join(VERSIONS)}")
        raw = value["Statement"]
        if isinstance(raw, Mapping):
            statements = [self._statement(raw, "/Statement")]
        elif isinstance(raw, list | tuple):
            statements = [self._statement(item, f"/Statement/{index}") for index, item in enumerate(raw)]
        else:
            _refuse("`Statement` is an object or a list of objects", "/Statement", raw)
        return PolicyDocument(tuple(statements), version, self._text(value, "Id", ""), tuple(self.problems))

    def _statement(self, value: Any, at: str) -> Statement:
        if not isinstance(value, Mapping):
            _refuse("a statement is a JSON object", at, value)
        self._unknown(value, STATEMENT, at)
        effect = value.get("Effect")
        if effect not in ("Allow", "Deny"):
            if "Effect" not in value:
                _refuse("a statement needs the element `Effect`", at, help_=_hint(value, "Effect"))
            _refuse("`Effect` is `Allow` or `Deny`, in this spelling", f"{at}/Effect", effect)
        for one, other in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
            if one in value and other in value:
                _refuse(f"a statement has `{one}` or `{other}`, not both", at)
        if "Action" not in value and "NotAction" not in value:
            _refuse("a statement needs `Action` or `NotAction`", at, help_=_hint(value, "Action"))
        return Statement(
            effect=Effect(effect),
            actions=self._strings(value, "Action", at),
            not_actions=self._strings(value, "NotAction", at),
            resources=self._strings(value, "Resource", at),
            not_resources=self._strings(value, "NotResource", at),
            principals=self._principals(value, "Principal", at),
            not_principals=self._principals(value, "NotPrincipal", at),
            conditions=self._conditions(value, at),
            sid=self._text(value, "Sid", at),
        )

    def _strings(self, owner: Mapping[str, Any], name: str, at: str) -> tuple[str, ...]:
        if name not in owner:
            return ()
        value = owner[name]
        values = value if isinstance(value, list | tuple) else [value]
        if not values:
            _refuse(f"`{name}` must not be empty", f"{at}/{name}")
        for index, item in enumerate(values):
            if not isinstance(item, str) or isinstance(item, Number):
                where = f"{at}/{name}/{index}" if values is value else f"{at}/{name}"
                _refuse(f"`{name}` is a string or a list of strings", where, item)
        return tuple(values)

    def _principals(self, owner: Mapping[str, Any], name: str, at: str) -> Principals | None:
        if name not in owner:
            return None
        value = owner[name]
        if isinstance(value, str) and not isinstance(value, Number):
            if value != "*":
                _refuse(f'`{name}` is "*" or an object such as {{"AWS": "111122223333"}}', f"{at}/{name}", value)
            return Principals((("AWS", ("*",)),))
        if not isinstance(value, Mapping) or not value:
            _refuse(f'`{name}` is "*" or an object such as {{"AWS": "111122223333"}}', f"{at}/{name}", value)
        self._repeated(value, f"{at}/{name}")
        found = []
        for kind in value:
            found.append((str(kind), self._strings(value, kind, f"{at}/{name}")))
            if kind not in PRINCIPAL_TYPES:
                self._problem(
                    f"{at}/{name}/{_escape(kind)}",
                    f"`{kind}` is not a type of principal: {', '.join(PRINCIPAL_TYPES)}",
                )
        return Principals(tuple(found))

    def _conditions(self, owner: Mapping[str, Any], at: str) -> tuple[Condition, ...]:
        if "Condition" not in owner:
            return ()
        block = owner["Condition"]
        if not isinstance(block, Mapping):
            _refuse("`Condition` is an object of operators", f"{at}/Condition", block)
        self._repeated(block, f"{at}/Condition")
        found = []
        for operator, keys in block.items():
            where = f"{at}/Condition/{_escape(operator)}"
            if not isinstance(keys, Mapping):
                _refuse(f"`{operator}` holds an object of context keys", where, keys)
            self._repeated(keys, where)
            for key, values in keys.items():
                found.append(Condition(str(operator), str(key), _condition_values(values, f"{where}/{_escape(key)}")))
        return tuple(found)

    def _text(self, owner: Mapping[str, Any], name: str, at: str) -> str | None:
        value = owner.get(name)
        if name in owner and (not isinstance(value, str) or isinstance(value, Number)):
            _refuse(f"`{name}` is a string", f"{at}/{name}", value)
        return value

    def _unknown(self, value: Mapping[str, Any], known: tuple[str, ...], at: str) -> None:
        self._repeated(value, at)
        for name in value:
            if name in known:
                continue
            near = next((word for word in known if word.lower() == str(name).lower()), None)
            hint = f"; names of elements mind their case: `{near}`" if near else ""
            self._problem(f"{at}/{_escape(name)}", f"unknown element `{name}`{hint}", _json(value[name], at))

    def _repeated(self, value: Mapping[str, Any], at: str) -> None:
        for name in value.keys_twice if isinstance(value, Repeated) else ():
            self._problem(f"{at}/{_escape(name)}", f"`{name}` occurs more than once; the last one counts here")

    def _problem(self, pointer: str, message: str, element: str | None = None) -> None:
        self.problems.append(Problem(pointer, message, element))


def _condition_values(values: Any, at: str) -> tuple[str, ...]:
    many = values if isinstance(values, list | tuple) else [values]
    return tuple(_scalar(item, f"{at}/{index}" if many is values else at) for index, item in enumerate(many))


def _scalar(value: Any, at: str) -> str:
    """A condition value as text, as JSON writes it: ``true``, ``10``, ``0.1``."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return repr(value)
    return _refuse("a condition value is a string, a number, a boolean or a list of them", at, value)


def _refuse(message: str, pointer: str, value: Any = ..., *, help_: str | None = None) -> NoReturn:
    if value is not ...:
        message = f"{message}, not {_kind(value)}"
    raise PolicyError(message, pointer=pointer, help=help_)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Number) or (isinstance(value, int | float | Decimal) and not isinstance(value, bool)):
        return "a number"
    if isinstance(value, str):
        return f"`{value[:40]}`"
    if isinstance(value, bool):
        return "a boolean"
    return "a list" if isinstance(value, list | tuple) else "an object" if isinstance(value, Mapping) else "that"


def _hint(value: Mapping[str, Any], name: str) -> str | None:
    near = next((str(key) for key in value if str(key).lower() == name.lower() and key != name), None)
    return f"names of elements mind their case: `{near}` should read `{name}`" if near else None


def _escape(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _json(value: Any, at: str) -> str:
    try:
        return dump_json(value)
    except RecursionError:
        raise PolicyError("the policy is nested too deeply", pointer=at) from None


def dump_json(value: Any) -> str:
    """Compact JSON; numbers of the source keep their digits."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dump_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dump_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)


def write_policy(document: PolicyDocument) -> dict[str, Any]:
    """The document as an object for ``json.dumps``, in the canonical form of this module's head."""
    written: dict[str, Any] = {}
    if document.version is not None:
        written["Version"] = document.version
    if document.id is not None:
        written["Id"] = document.id
    written["Statement"] = [_write_statement(statement) for statement in document.statements]
    for problem in document.problems:
        if problem.element is not None:
            _put_back(written, problem)
    return written


def _write_statement(statement: Statement) -> dict[str, Any]:
    elements: Iterable[tuple[str, Any]] = (
        ("Sid", statement.sid),
        ("Effect", statement.effect.value),
        ("Principal", _write_principals(statement.principals)),
        ("NotPrincipal", _write_principals(statement.not_principals)),
        ("Action", _one_or_many(statement.actions)),
        ("NotAction", _one_or_many(statement.not_actions)),
        ("Resource", _one_or_many(statement.resources)),
        ("NotResource", _one_or_many(statement.not_resources)),
        ("Condition", _write_conditions(statement.conditions)),
    )
    return {name: value for name, value in elements if value is not None}


def _one_or_many(values: tuple[str, ...]) -> str | list[str] | None:
    if len(values) == 1:
        return values[0]
    return list(values) or None


def _write_principals(principals: Principals | None) -> Any:
    if principals is None:
        return None
    if principals.by_type == (("AWS", ("*",)),):
        return "*"
    return {kind: _one_or_many(values) for kind, values in principals.by_type}


def _write_conditions(conditions: tuple[Condition, ...]) -> dict[str, Any] | None:
    block: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        value = _one_or_many(condition.values)
        block.setdefault(condition.operator, {})[condition.key] = [] if value is None else value
    return block or None


def _put_back(written: dict[str, Any], problem: Problem) -> None:
    """Insert an element that was not understood.  A single statement's pointer has no index; the canonical list has."""
    *path, name = [part.replace("~1", "/").replace("~0", "~") for part in problem.pointer.split("/")[1:]]
    owner: Any = written
    if path:
        index = int(path[1]) if len(path) > 1 else 0
        if index >= len(written["Statement"]):
            return  # the statement was taken out of the document since
        owner = written["Statement"][index]
    owner.setdefault(name, json.loads(problem.element or "null", parse_int=_integer))


def _integer(digits: str) -> int | str:
    """Python refuses to read integers of more than 4,300 digits; such a one stays text."""
    return int(digits) if len(digits) <= 4000 else digits


def policy_json(document: PolicyDocument, indent: int | None = 2) -> str:
    """The document as JSON text; ``indent=None`` writes no white space, which is how AWS counts most size limits."""
    separators = (",", ":") if indent is None else None
    return json.dumps(write_policy(document), indent=indent, separators=separators, ensure_ascii=False)
