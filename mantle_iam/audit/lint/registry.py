"""Every rule, in the order of the page and of findings in one place: what is wrong comes before what is missing."""

from __future__ import annotations

from typing import Final

from mantle_iam.audit.lint import (
    actions,
    arns,
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
from mantle_iam.iam.matching import glob

FAMILIES: Final[tuple[tuple[str, tuple[DocumentRule, ...]], ...]] = (
    ("The document", document.RULES),
    ("Actions", actions.RULES),
    ("Resources", (*resources.RULES, *arns.RULES)),
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


def ids_like(name: str) -> frozenset[str]:
    """The ids that somebody names: one, ``all``, or those that a pattern with ``*`` covers; empty where there is none."""
    if name in BY_ID:
        return frozenset({name})
    covers = glob("*" if name == "all" else name).matches
    return frozenset(each for each in BY_ID if covers(each))
