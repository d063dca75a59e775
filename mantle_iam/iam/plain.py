"""Plain policy documents to records, quickly: known elements, once each, with texts or lists of texts in them.

Nearly every document of an organization is plain, and these are read without looking for what may be wrong with them.  Whatever
else a document holds is left to ``grammar.py``, which knows what is wrong and says it; the two read a plain document alike.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement

VERSIONS: Final = ("2012-10-17", "2008-10-17")
TOP: Final = ("Version", "Id", "Statement")
STATEMENT: Final = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
"""Elements of a document and of a statement, in the order of AWS's grammar."""
_TOP_NAMES: Final = frozenset(TOP)
_PLAIN_NAMES: Final = frozenset(STATEMENT) - {"Principal", "NotPrincipal"}
_EFFECTS: Final = {effect.value: effect for effect in Effect}
_TEXT_ALONE: Final = {str}


def read_plain(value: Any) -> PolicyDocument | None:
    """The document, or ``None`` where it is not plain; never raises.  ``value``: decoded JSON."""
    if type(value) is not dict or not value.keys() <= _TOP_NAMES:
        return None
    version, identifier, raw = value.get("Version"), value.get("Id"), value.get("Statement")
    if version not in VERSIONS and "Version" in value:
        return None
    if type(identifier) is not str and "Id" in value:
        return None
    if type(raw) is dict:
        raw = [raw]
    elif type(raw) is not list:
        return None
    statements = []
    for item in raw:
        statement = _plain_statement(item)
        if statement is None:
            return None
        statements.append(statement)
    return PolicyDocument(tuple(statements), version, identifier)


def _plain_statement(value: Any) -> Statement | None:
    if type(value) is not dict or not _is_plain(tuple(value)):
        return None
    get = value.get
    sid, effect = get("Sid"), get("Effect")
    if type(effect) is not str or effect not in _EFFECTS or (type(sid) is not str and "Sid" in value):
        return None
    actions = _plain_texts(value["Action"]) if "Action" in value else ()
    not_actions = _plain_texts(value["NotAction"]) if "NotAction" in value else ()
    resources = _plain_texts(value["Resource"]) if "Resource" in value else ()
    not_resources = _plain_texts(value["NotResource"]) if "NotResource" in value else ()
    conditions = _plain_conditions(value["Condition"]) if "Condition" in value else ()
    if actions is None or not_actions is None or resources is None or not_resources is None or conditions is None:
        return None
    return Statement(
        _EFFECTS[effect], actions, not_actions, resources, not_resources, None, None, conditions, sid
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _is_plain(names: tuple[object, ...]) -> bool:
    """Whether a statement of these elements is one that ``_plain_statement`` reads."""
    found = frozenset(names)
    return (
        found <= _PLAIN_NAMES
        and "Effect" in found
        and ("Action" in found) != ("NotAction" in found)
        and not {"Resource", "NotResource"} <= found
    )


def _plain_texts(value: Any) -> tuple[str, ...] | None:
    if type(value) is str:
        return (value,)
    # The very type: a ``Number`` is a text too, and none here.
    return tuple(value) if type(value) is list and {*map(type, value)} == _TEXT_ALONE else None


def _plain_conditions(block: Any) -> tuple[Condition, ...] | None:
    if type(block) is not dict:
        return None
    found = []
    for operator, keys in block.items():
        if type(operator) is not str or type(keys) is not dict:
            return None
        for key, value in keys.items():
            values = (value,) if type(value) is str else _plain_texts(value)
            if values is None or type(key) is not str:
                return None
            found.append(Condition(operator, key, values))
    return tuple(found)
