"""Authorization requests and results as JSON, as ``mantle-iam evaluate`` reads and writes them, one object a line.

Strict where a slip would change the answer (an unknown layer, a key given twice), lenient about further fields beside the
known ones, which it reports.  Schemas: ``evaluate-request.schema.json``, ``evaluate-result.schema.json``.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from mantle_iam.errors import InputError, PolicyError
from mantle_iam.iam.grammar import Number, Repeated, dump_json, load_json, parse_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import (
    AuthorizationRequest,
    ContextValue,
    Documents,
    EvaluationResult,
    NearMiss,
    PolicySet,
    PolicyType,
    StatementRef,
)

_FIELDS = (
    "id", "principal", "action", "resource", "resource_account", "context", "policies", "unknown",
    "issuer", "management_account",
)  # fmt: skip
_STACKED = (PolicyType.SCP, PolicyType.RCP)


@dataclass(frozen=True, slots=True)
class Question:
    """One line: what is asked, under which policies.  ``ignored`` are the names of fields that mean nothing here."""

    id: Any
    request: AuthorizationRequest
    policies: PolicySet
    ignored: tuple[str, ...] = ()


class QuestionError(InputError):
    """The line is no question; ``id`` is its id, where that could be read."""

    def __init__(self, message: str, id_: Any = None) -> None:
        super().__init__(message)
        self.id = id_


def read_question(text: str | Mapping[str, Any]) -> Question:
    """Read one question: a line of JSON, or the decoded object.

    Context values may be strings, numbers and booleans, a list making the key multi-valued; ``null`` is an absent key.
    A policy is an object or a string (JSON, or URL-encoded JSON).

    Raises:
        QuestionError: it is not JSON, or not a question.
    """
    try:
        value = load_json(text) if isinstance(text, str) else text
    except json.JSONDecodeError as error:
        detail = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise QuestionError(f"not JSON: column {error.pos + 1}: {detail}") from None
    except RecursionError:
        raise QuestionError("nested too deeply") from None
    if not isinstance(value, Mapping):
        raise QuestionError("a request is a JSON object")
    try:
        return _question(value)
    except QuestionError:
        raise
    except InputError as error:
        raise QuestionError(error.message, value.get("id")) from None


def _question(value: Mapping[str, Any]) -> Question:
    _once(value, "")
    unknown = _mapping(value, "unknown", ("context", "layers"))
    layers = frozenset(_layer(name, "unknown.layers") for name in _names(unknown, "layers"))
    resource = value.get("resource", "*")
    request = AuthorizationRequest(
        principal=_text(value, "principal"),
        action=_action(value),
        resources=_resources([resource] if isinstance(resource, str) else resource),
        resource_account=_optional(value, "resource_account"),
        context=_context(value),
        unknown_context=frozenset(_names(unknown, "context")),
        issuer=_optional(value, "issuer"),
        management_account=_optional(value, "management_account"),
    )
    ignored = tuple(str(name) for name in value if name not in _FIELDS)
    return Question(value.get("id"), request, _policies(value, layers), ignored)


def _policies(value: Mapping[str, Any], unknown: frozenset[PolicyType]) -> PolicySet:
    given = _mapping(value, "policies", tuple(PolicyType))
    flat: dict[str, Documents] = {}
    stacked: dict[str, tuple[Documents, ...]] = {}
    for name, documents in given.items():
        if documents is None:
            continue
        kind = _layer(name, "policies")
        if kind not in _STACKED:
            flat[kind.name.lower()] = _documents(documents, f"policies.{name}")
        elif isinstance(documents, list) and all(isinstance(level, list) for level in documents):
            stacked[kind.name.lower()] = tuple(
                _documents(level, f"policies.{name}[{index}]") for index, level in enumerate(documents)
            )
        else:
            _refuse(f"`policies.{name}` is a list with one list of documents per level, root first")
    return PolicySet(**flat, **stacked, unknown=unknown)  # type: ignore[arg-type]


def _documents(value: Any, where: str) -> Documents:
    if not isinstance(value, list):
        _refuse(f"`{where}` is a list of policy documents")
    return tuple(_document(item, f"{where}[{index}]") for index, item in enumerate(value))


def _document(value: Any, where: str) -> PolicyDocument:
    if not isinstance(value, str | Mapping) or isinstance(value, Number):
        _refuse(f"`{where}` is not a policy document: an object, or its JSON text")
    try:
        return _parsed(value)
    except PolicyError as error:
        _refuse(f"`{where}`: {error.message}")


_MAX_PARSED, _MAX_PARSED_SIZE = 2048, 65536
_parsed_documents: dict[bytes | str, PolicyDocument] = {}


def _parsed(value: str | Mapping[str, Any]) -> PolicyDocument:
    """The document, read once when the same one comes line after line."""
    try:
        # Version 2 of the format depends on nothing but the value; ``Number`` and ``Repeated`` have no form in it.
        key = value if isinstance(value, str) else marshal.dumps(value, 2)  # type: ignore[arg-type]
    except ValueError:
        return parse_policy(value)
    if len(key) > _MAX_PARSED_SIZE:
        return parse_policy(value)
    document = _parsed_documents.get(key)
    if document is None:
        if len(_parsed_documents) >= _MAX_PARSED:
            _parsed_documents.clear()
        document = _parsed_documents[key] = parse_policy(value)
    return document


def _context(value: Mapping[str, Any]) -> dict[str, ContextValue | None]:
    context = value.get("context")
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        _refuse("`context` is an object")
    _once(context, "context")
    spellings: dict[str, str] = {}
    for key in context:
        if spellings.setdefault(key.lower(), key) != key:
            _refuse(f"`context.{key}` is `{spellings[key.lower()]}` once more: keys do not mind their case")
    return {str(key): None if item is None else _context_value(key, item) for key, item in context.items()}


def _context_value(key: str, value: Any) -> ContextValue:
    if isinstance(value, list | tuple):
        return tuple(_scalar(key, item) for item in value)
    return _scalar(key, value)


def _scalar(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return _refuse(f"`context.{key}` is a string, a number, a boolean or a list of them")


def _action(owner: Mapping[str, Any]) -> str:
    action = _text(owner, "action")
    if "*" in action or "?" in action:
        _refuse(f"`{action}` is a pattern, and one action is asked for")
    return action


def _resources(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(_is_text(item) and item for item in value):
        _refuse("`resource` is an ARN, `*` or a list of ARNs")
    return tuple(value)


def _mapping(owner: Mapping[str, Any], name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    value = owner.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        _refuse(f"`{name}` is an object")
    _once(value, name)
    for key in value:
        if key not in known:
            _refuse(f"`{name}.{key}` is not known; known are {', '.join(f'`{word}`' for word in known)}")
    return value


def _names(owner: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = [] if owner.get(name) is None else owner[name]
    if not isinstance(value, list | tuple) or not all(map(_is_text, value)):
        _refuse(f"`unknown.{name}` is a list of strings")
    return tuple(value)


def _layer(name: str, where: str) -> PolicyType:
    try:
        return PolicyType(name)
    except ValueError:
        known = ", ".join(f"`{kind}`" for kind in PolicyType)
        _refuse(f"`{name}` in `{where}` is not a type of policy: {known}")


def _text(owner: Mapping[str, Any], name: str) -> str:
    value = owner.get(name)
    if not _is_text(value) or not value:
        _refuse(f"`{name}` is missing" if value is None else f"`{name}` is a string")
    return str(value)


def _optional(owner: Mapping[str, Any], name: str) -> str | None:
    return None if owner.get(name) is None else _text(owner, name)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _once(value: Mapping[str, Any], where: str) -> None:
    if isinstance(value, Repeated):
        name = value.keys_twice[0]
        _refuse(f"`{f'{where}.' if where else ''}{name}` occurs more than once")


def _refuse(message: str) -> NoReturn:
    raise InputError(message)


def result_object(result: EvaluationResult) -> dict[str, Any]:
    """The fields of a result that every answer has, without the id."""
    return {
        "decision": result.decision.value,
        "withheld_by": [kind.value for kind in result.withheld_by],
        "determining": [reference_object(ref) for ref in result.determining],
        "depends_on": list(result.depends_on),
    }


def reference_object(ref: StatementRef) -> dict[str, Any]:
    """Where a statement stands; ``level`` only where there are levels."""
    where = {
        "policy_type": ref.policy_type.value,
        "document": ref.document,
        "statement": ref.statement,
        "sid": ref.sid,
    }
    return where if ref.level is None else {**where, "level": ref.level}


def near_miss_object(miss: NearMiss) -> dict[str, Any]:
    """A near miss, for answers that explain."""
    return {
        **reference_object(miss.statement),
        "element": miss.element.value,
        "detail": miss.detail,
        "key": miss.key,
        "operator": miss.operator,
        "wanted": list(miss.wanted),
        "actual": miss.actual,
        "failures": miss.failures,
        "unknown": miss.unknown,
    }


def problem_objects(policies: PolicySet) -> list[dict[str, Any]]:
    """What was not understood in the documents, each with its place."""
    found = []
    for kind, level, index, document in _every_document(policies):
        for problem in document.problems:
            place: dict[str, Any] = {"policy_type": kind.value, "document": index}
            if level is not None:
                place["level"] = level
            found.append({**place, "pointer": problem.pointer, "message": problem.message})
    return found


def _every_document(policies: PolicySet) -> Iterable[tuple[PolicyType, int | None, int, PolicyDocument]]:
    for kind in PolicyType:
        layer = getattr(policies, kind.name.lower())
        if kind in _STACKED:
            for level, documents in enumerate(layer or ()):
                yield from ((kind, level, index, document) for index, document in enumerate(documents))
        else:
            yield from ((kind, None, index, document) for index, document in enumerate(layer or ()))


def write_answer(id_: Any, fields: Mapping[str, Any]) -> str:
    """One line: the id, with a number's digits as they were given, and the fields.

    Lone surrogates in the input stay escapes, so that the line is always valid UTF-8.
    """
    rest = json.dumps(fields, separators=(", ", ": "))
    return f'{{"id": {dump_json(id_)}, {rest[1:]}'
