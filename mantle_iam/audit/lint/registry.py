"""Every rule, in the order of the page and of findings in one place: what is wrong comes before what is missing."""

from __future__ import annotations

from typing import Final

from mantle_iam.audit.lint import (
    actions,
    companions,
    conditions,
    denials,
    document,
    keys,
    resources,
    suppressions,
    values,
)
from mantle_iam.audit.lint.rule import DocumentRule, PrincipalRule, Rule

FAMILIES: Final[tuple[tuple[str, tuple[DocumentRule, ...]], ...]] = (
    ("The document", document.RULES),
    ("Actions", actions.RULES),
    ("Resources", resources.RULES),
    ("Conditions", (*conditions.RULES, *values.RULES)),
    ("Denials", denials.RULES),
    ("What goes together", companions.RULES),
)
PRINCIPAL_RULES: Final[tuple[PrincipalRule, ...]] = keys.RULES
DOCUMENT_RULES: Final[tuple[DocumentRule, ...]] = tuple(rule for _, family in FAMILIES for rule in family)
# A rule that is asked of documents and of principals is one rule.
RULES: Final[tuple[Rule, ...]] = tuple(
    dict.fromkeys(
        [
            *(each.rule for each in DOCUMENT_RULES),
            *(each.rule for each in PRINCIPAL_RULES),
            *suppressions.RULES,
        ]
    )
)
BY_ID: Final[dict[str, Rule]] = {rule.id: rule for rule in RULES}
