"""Rules over a document or a principal: findings with their places.

Decides only which rules are asked and how a hit becomes a finding.  Never raises for what a document says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.audit.findings import Finding
from mantle_iam.audit.lint.document import FORM
from mantle_iam.audit.lint.ordinary import Look, look_at
from mantle_iam.audit.lint.registry import BY_ID, DOCUMENT_RULES, PRINCIPAL_RULES
from mantle_iam.audit.lint.rule import Hit, Rule
from mantle_iam.audit.lint.view import View
from mantle_iam.iam.inventory import NamedPolicy, Place, Principal, Purpose
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.mantle.operations import AuthMethod

_AWS_OWNED: Final = (":iam::aws:policy/", ":organizations::aws:policy/")
_MOST_DOCUMENTS: Final = 2048
"""Documents that are kept alive only to be known again."""
_NOT_FORM: Final = tuple(each for each in DOCUMENT_RULES if each not in FORM)


@dataclass(frozen=True, slots=True)
class Settings:
    """Which rules are asked, and how the callers authenticate (``None``: not said)."""

    auth: AuthMethod | None = None
    select: frozenset[str] | None = None
    """Ids; ``None`` for all."""
    ignore: frozenset[str] = frozenset()

    @property
    def asked(self) -> frozenset[str]:
        """Ids of the rules that are asked."""
        return (frozenset(BY_ID) if self.select is None else self.select) - self.ignore


EVERYTHING: Final = Settings()


Hits = tuple[tuple[Rule, Hit], ...]


class Linter:
    """Asks the rules, and remembers what they said of a document: in an organization the same few stand in many places."""

    def __init__(self, settings: Settings = EVERYTHING) -> None:
        self.settings = settings
        asked = settings.asked
        self._principals = tuple(each for each in PRINCIPAL_RULES if each.rule.id in asked)
        self._rules = {
            (purpose, aws_owned, form): tuple(
                each
                for each in (DOCUMENT_RULES if form else _NOT_FORM)
                if each.rule.id in asked and purpose in each.rule.purposes and not (each.rule.own and aws_owned)
            )
            for purpose in Purpose
            for aws_owned in (False, True)
            for form in (False, True)
        }
        self._known: dict[tuple[int, Purpose, bool], tuple[PolicyDocument, Hits]] = {}

    def policy(self, policy: NamedPolicy) -> tuple[Finding, ...]:
        """Findings of one document, in the order of its statements.  Places have JSON pointers; lines the caller finds."""
        found = [_finding(rule, hit, policy) for rule, hit in self.hits(policy)]
        found.sort(key=lambda finding: -1 if finding.statement is None else finding.statement)
        return tuple(found)

    def hits(self, policy: NamedPolicy) -> Hits:
        """What the rules say of a document, each in its turn."""
        look = look_at(policy)
        if look is Look.ORDINARY:
            return ()
        if policy.unresolved:
            return self.every_hit(policy)
        key = id(policy.document), policy.purpose, _aws_owned(policy)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_DOCUMENTS:
                self._known.clear()
            # Under the identity of this very object, which is kept alive with it: a document's hash costs as much as the rules.
            known = self._known[key] = policy.document, self.every_hit(policy, form=look is Look.ODD)
        return known[1]

    def every_hit(self, policy: NamedPolicy, *, form: bool = True) -> Hits:
        """The same by asking every rule, and remembering nothing.  ``form``: those about the form, too."""
        view = View(policy, self.settings.auth)
        rules = self._rules[policy.purpose, _aws_owned(policy), form]
        return tuple((each.rule, hit) for each in rules for hit in each.check(view))

    def principal(self, principal: Principal) -> tuple[Finding, ...]:
        """Findings about a principal and its keys; its documents are ``policy``'s."""
        return tuple(
            Finding(
                each.rule.id,
                hit.severity or each.rule.severity,
                hit.confidence or each.rule.confidence,
                hit.message,
                principal.place,
                principal=principal.arn,
                remedy=hit.remedy,
                reference=each.rule.reference,
            )
            for each in self._principals
            for hit in each.check(principal)
        )


def lint_policy(policy: NamedPolicy, settings: Settings = EVERYTHING) -> tuple[Finding, ...]:
    """As ``Linter.policy``, of one document alone."""
    return Linter(settings).policy(policy)


def lint_principal(principal: Principal, settings: Settings = EVERYTHING) -> tuple[Finding, ...]:
    """As ``Linter.principal``, of one alone."""
    return Linter(settings).principal(principal)


def _aws_owned(policy: NamedPolicy) -> bool:
    return any(mark in policy.arn for mark in _AWS_OWNED)


def _finding(rule: Rule, hit: Hit, policy: NamedPolicy) -> Finding:
    statements = policy.document.statements
    sid = statements[hit.statement].sid if hit.statement is not None and hit.statement < len(statements) else None
    return Finding(
        rule.id,
        hit.severity or rule.severity,
        hit.confidence or rule.confidence,
        hit.message,
        place_of(policy.place, policy.pointer_in_text(hit.pointer)),
        statement=None if hit.statement is None else policy.index_in_text(hit.statement),
        sid=sid,
        policy=policy.arn or policy.name,
        remedy=hit.remedy,
        reference=rule.reference,
    )


def place_of(document: Place, pointer: str) -> Place:
    """The place of an element of the document at ``document``."""
    return replace(document, pointer=document.pointer + pointer)
