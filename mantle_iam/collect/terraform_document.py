"""``data "aws_iam_policy_document"``: its blocks, known or in part, to the policy document that it renders.

Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mantle_iam.collect.fields import objects, text
from mantle_iam.errors import PolicyError
from mantle_iam.iam.grammar import decode_json
from mantle_iam.iam.inventory import UNRESOLVED

LISTS = (
    ("actions", "Action"),
    ("not_actions", "NotAction"),
    ("resources", "Resource"),
    ("not_resources", "NotResource"),
)


def rendered(values: Mapping[str, Any]) -> dict[str, Any]:
    """The document as an object; what is not known is ``UNRESOLVED`` in its place."""
    statements: list[Any] = []
    for source in _many(values.get("source_policy_documents")):
        statements.extend(_statements_of(source))
    blocks = values.get("statement")
    if isinstance(blocks, str):
        statements.append(UNRESOLVED)
    many = blocks if isinstance(blocks, list) else [blocks] if isinstance(blocks, Mapping) else []
    statements.extend(_statement(item) if isinstance(item, Mapping) else UNRESOLVED for item in many)
    for override in _many(values.get("override_policy_documents")):
        statements = _overridden(statements, _statements_of(override))
    document: dict[str, Any] = {"Version": text(values, "version") or "2012-10-17", "Statement": statements}
    if text(values, "policy_id"):
        document["Id"] = text(values, "policy_id")
    return document


def statements_before(values: Mapping[str, Any]) -> int:
    """How many statements of other documents come before its own blocks."""
    return sum(len(_statements_of(source)) for source in _many(values.get("source_policy_documents")))


def has_principals(source: object) -> bool:
    """Whether a rendered document names principals, so that it belongs to a role or a resource."""
    return any(isinstance(each, Mapping) and {"Principal", "NotPrincipal"} & set(each) for each in _statements(source))


def _statements(source: object) -> list[Any]:
    try:
        value = decode_json(source, "the document") if isinstance(source, str) else source
    except PolicyError:
        return []
    found = value.get("Statement") if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else [found]


def _many(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _statements_of(source: Any) -> list[Any]:
    if not isinstance(source, str) or UNRESOLVED in source:
        return [UNRESOLVED]
    if not source.strip():
        return []
    try:
        value = decode_json(source, "the document")
    except PolicyError:
        return [UNRESOLVED]
    found = value.get("Statement") if isinstance(value, Mapping) else UNRESOLVED
    return list(found) if isinstance(found, list) else [found]


def _overridden(statements: list[Any], by: list[Any]) -> list[Any]:
    """Statements of the same Sid are replaced where they stand, others follow."""
    kept = list(statements)
    for statement in by:
        sid = text(statement, "Sid")
        at = next((index for index, old in enumerate(kept) if sid and text(old, "Sid") == sid), None)
        if at is None:
            kept.append(statement)
        else:
            kept[at] = statement
    return kept


def _statement(block: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": block.get("effect") or "Allow"}
    if text(block, "sid"):
        found["Sid"] = text(block, "sid")
    for name, element in LISTS:
        value = block.get(name)
        if isinstance(value, str):
            value = [value]
        if value:
            found[element] = [_variables(item) for item in value]
    for name, element in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        if block.get(name):
            found[element] = _principals(block, name)
    if block.get("condition"):
        found["Condition"] = UNRESOLVED if _vague(block["condition"]) else _conditions(block)
    return found


def _vague(blocks: Any) -> bool:
    """Whether there may be more blocks than are known."""
    return isinstance(blocks, str) or (isinstance(blocks, list) and any(isinstance(each, str) for each in blocks))


def _variables(value: Any) -> Any:
    """Terraform has ``${`` for itself, so that policy variables are written with ``&{``."""
    return value.replace("&{", "${") if isinstance(value, str) else UNRESOLVED if value is None else value


def _principals(block: Mapping[str, Any], name: str) -> Any:
    if _vague(block[name]):
        return UNRESOLVED
    by_type: dict[str, list[Any]] = {}
    for _, principal in _blocks(block, name):
        identifiers = principal.get("identifiers")
        many = [identifiers] if isinstance(identifiers, str) else identifiers or [UNRESOLVED]
        by_type.setdefault(text(principal, "type") or UNRESOLVED, []).extend(map(_variables, many))
    if by_type == {"*": ["*"]}:
        return "*"
    return by_type or UNRESOLVED


def _conditions(block: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, list[Any]]] = {}
    for _, condition in _blocks(block, "condition"):
        values = condition.get("values")
        many = [values] if isinstance(values, str) else values or []
        keys = found.setdefault(text(condition, "test") or UNRESOLVED, {})
        keys.setdefault(text(condition, "variable") or UNRESOLVED, []).extend(map(_variables, many))
    return found


def _blocks(owner: Mapping[str, Any], name: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    value = owner.get(name)
    return objects({name: [value]} if isinstance(value, Mapping) else owner, name)
