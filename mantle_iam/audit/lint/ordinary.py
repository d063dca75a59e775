"""Documents about which no rule has anything to say, told without asking the rules: nearly all that an organization has.

Such a document is written by the rules of the grammar, fits into the limit of its kind, and has nothing in it that could be about
Amazon Bedrock, nor one of the few keys of which a rule speaks for every service.  What is not plainly so is not ordinary, and
the rules are asked, if need be without those about the form: this module may be ignorant and is never wrong
(``tests/audit/lint/test_lint_quick.py``).
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Final

from mantle_iam.audit.lint.conditions import OF_MANY
from mantle_iam.audit.lint.denials import AGE_KEY
from mantle_iam.audit.lint.document import limit_of
from mantle_iam.iam.conditions import read_operator
from mantle_iam.iam.grammar import VERSIONS
from mantle_iam.iam.inventory import NamedPolicy, Purpose
from mantle_iam.iam.policy import Condition, Statement
from mantle_iam.iam.validation import condition_problems

_OURS: Final = ("bedrock", "mantle")
"""In the name of every service, key and principal that a rule is about, misspelt ones (``MISTAKEN_SERVICES``) included."""
_KINDS: Final = frozenset((Purpose.IDENTITY, Purpose.BOUNDARY, Purpose.SESSION, Purpose.TRUST))
_FIELDS: Final = 6
_MARKS: Final = 16
"""No fewer characters than JSON takes around a text: quotes, commas, brackets, colons."""
_ELEMENTS: Final = 160
"""No fewer than the names of all elements of a statement, or of a document, take with their marks."""


class Look(IntEnum):
    """What a document is at a glance; of several parts the greatest counts."""

    ORDINARY = 0
    """No rule has anything to say, whatever else is told to it."""
    SOUND = 1
    """It may be about Amazon Bedrock; that it is well formed, and not too large, is certain."""
    ODD = 2
    """Nothing is certain."""


def look_at(policy: NamedPolicy) -> Look:
    """What the document is, by itself alone."""
    document, purpose = policy.document, policy.purpose
    if policy.unresolved or document.problems or purpose not in _KINDS or document.version not in (None, *VERSIONS):
        return Look.ODD
    texts: list[str] = [document.id] if document.id else []
    sids: set[str] = set()
    found = Look.ORDINARY
    for statement in document.statements:
        sid = statement.sid
        if sid is not None:
            if sid in sids or not sid.isalnum():
                return Look.ODD
            sids.add(sid)
            texts.append(sid)
        found = max(
            found,
            _actions(statement),
            _trusts(statement, texts) if purpose is Purpose.TRUST else _resources(statement),
            _conditions(statement.conditions, texts),
        )
        if found is Look.ODD:
            return found
        texts += statement.actions
        texts += statement.resources
    text = "".join(texts)
    # Beyond ASCII, and what JSON escapes, takes more than its length says.
    if not (document.statements and text.isascii() and text.isprintable()) or '"' in text or "\\" in text:
        return Look.ODD
    if "${" in text and document.version != VERSIONS[0]:
        return Look.ODD
    longest = limit_of(purpose)
    largest = len(text) + _MARKS * len(texts) + _ELEMENTS * (len(document.statements) + 1)
    return found if longest is None or largest <= longest else Look.ODD


def _actions(statement: Statement) -> Look:
    """Whether all are actions of one other service each."""
    if not statement.actions or statement.not_actions:
        return Look.ODD
    return max(map(_action, statement.actions))


@lru_cache(maxsize=16_384)
def _action(pattern: str) -> Look:
    if pattern == "*":
        return Look.SOUND
    service, colon, name = pattern.lower().partition(":")
    if not (colon and name and service.replace("-", "").replace("*", "").isalnum()) or pattern.split() != [pattern]:
        return Look.ODD
    return Look.SOUND if "*" in service or _of_ours(service) else Look.ORDINARY


def _resources(statement: Statement) -> Look:
    """Whether all are ``*`` or ARNs of other services, and nobody is named."""
    if not statement.resources or statement.not_resources or statement.principals or statement.not_principals:
        return Look.ODD
    found = Look.ORDINARY
    for pattern in statement.resources:
        if pattern != "*":
            fields = pattern.split(":", _FIELDS - 1)
            if len(fields) < _FIELDS or fields[0] != "arn":
                return Look.ODD
            if "${" in pattern and "${" in ":".join(fields[: _FIELDS - 1]):
                return Look.ODD
            found = max(found, _service(fields[2]))
    return found


@lru_cache(maxsize=4096)
def _service(field: str) -> Look:
    return Look.SOUND if _of_ours(field.lower()) else Look.ORDINARY


def _trusts(statement: Statement, texts: list[str]) -> Look:
    """Whether it trusts others than Amazon Bedrock, and names no resource; whom is added to ``texts``."""
    principals = statement.principals
    if principals is None or statement.not_principals is not None or statement.resources or statement.not_resources:
        return Look.ODD
    many = [one for kind, named in principals.by_type for one in (kind, *named)]
    texts += many
    return Look.SOUND if any(_of_ours(one.lower()) for one in many) else Look.ORDINARY


def _conditions(conditions: tuple[Condition, ...], texts: list[str]) -> Look:
    """Whether all are well formed and on keys of which no rule speaks; what is in them is added to ``texts``."""
    found = Look.ORDINARY
    for each in conditions:
        look, compares = _condition(each.operator, each.key)
        if compares and next(condition_problems(each, ""), None) is not None:
            return Look.ODD
        found = max(found, look)
        texts += (each.operator, each.key, *each.values)
    return found


@lru_cache(maxsize=4096)
def _condition(operator: str, key: str) -> tuple[Look, bool]:
    """What it is whatever its values are, and whether its values have to be well formed."""
    form, folded = read_operator(operator), key.lower()
    if form is None:
        return Look.ODD, False
    spoken = _of_ours(folded) or folded in OF_MANY or folded == AGE_KEY
    compares = form.operator is None or not form.operator.name.startswith("String")
    return Look.SOUND if spoken else Look.ORDINARY, compares


def _of_ours(folded: str) -> bool:
    return any(name in folded for name in _OURS)
