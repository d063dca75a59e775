"""Rules over a document or a principal: findings with their places.

Decides only which rules are asked and how a hit becomes a finding.  Never raises for what a document says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.audit.findings import Finding
from mantle_iam.audit.lint.registry import BY_ID, DOCUMENT_RULES, PRINCIPAL_RULES
from mantle_iam.audit.lint.rule import Hit, Rule
from mantle_iam.audit.lint.view import View
from mantle_iam.iam.inventory import NamedPolicy, Place, Principal
from mantle_iam.mantle.operations import AuthMethod

_AWS_OWNED: Final = ":iam::aws:policy/"


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


def lint_policy(policy: NamedPolicy, settings: Settings = EVERYTHING) -> tuple[Finding, ...]:
    """Findings of one document, in the order of its statements.  Places have JSON pointers; lines are the caller's to find."""
    view, asked = View(policy, settings.auth), settings.asked
    aws_owned = _AWS_OWNED in policy.arn
    found = [
        _finding(each.rule, hit, policy)
        for each in DOCUMENT_RULES
        if each.rule.id in asked and policy.purpose in each.rule.purposes and not (each.rule.own and aws_owned)
        for hit in each.check(view)
    ]
    found.sort(key=lambda finding: -1 if finding.statement is None else finding.statement)
    return tuple(found)


def lint_principal(principal: Principal, settings: Settings = EVERYTHING) -> tuple[Finding, ...]:
    """Findings about a principal and its keys; its documents are ``lint_policy``'s."""
    asked = settings.asked
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
        for each in PRINCIPAL_RULES
        if each.rule.id in asked
        for hit in each.check(principal)
    )


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
