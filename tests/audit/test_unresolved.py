"""What was not known when a document was read is unknown to the masks and to ``evaluate``, whatever a question leaves open."""

from __future__ import annotations

from typing import Any

import pytest
from audit_world import ID, allow, deny, policy

from mantle_iam.audit.compiled import Board
from mantle_iam.audit.verdict import Question, Subject
from mantle_iam.iam.inventory import UNRESOLVED, UNRESOLVED_KEY, NamedPolicy
from mantle_iam.iam.request import Decision, PolicySet

ROLE = f"arn:aws:iam::{ID}:role/app"
PROJECT = f"arn:aws:bedrock-mantle:us-east-1:{ID}:project/default"
ACTION = "bedrock-mantle:ListModels"
CASES: dict[str, tuple[list[NamedPolicy], Decision]] = {
    "resource": ([policy("p", allow(ACTION, UNRESOLVED))], Decision.UNKNOWN),
    "within a resource": ([policy("p", allow(ACTION, f"{PROJECT[:-7]}{UNRESOLVED}"))], Decision.UNKNOWN),
    "elsewhere": ([policy("p", allow(ACTION, f"arn:aws:s3:::{UNRESOLVED}"))], Decision.IMPLICIT_DENY),
    "condition value": (
        [policy("p", allow(ACTION, Condition={"StringEquals": {"aws:PrincipalAccount": UNRESOLVED}}))],
        Decision.UNKNOWN,
    ),
    "condition key": (
        [policy("p", allow(ACTION, Condition={"StringEquals": {UNRESOLVED_KEY: "true"}}))],
        Decision.UNKNOWN,
    ),
    "another statement allows": ([policy("p", allow(ACTION, UNRESOLVED), allow(ACTION))], Decision.ALLOWED),
    "of a denial": ([policy("p", allow(ACTION), deny(ACTION, UNRESOLVED))], Decision.UNKNOWN),
    "of a denial of nothing allowed": ([policy("p", deny(ACTION, UNRESOLVED))], Decision.IMPLICIT_DENY),
}


@pytest.mark.parametrize("open_", [True, False])
@pytest.mark.parametrize("name", list(CASES))
def test_masks_and_evaluate_agree(name: str, open_: bool) -> None:
    policies, wanted = CASES[name]
    bound = Board([Question(ACTION, PROJECT, open=open_)]).bind(ID)
    documents = PolicySet(tuple(one.document for one in policies))
    verdict = bound.decide(Subject(ROLE, management_account="none"), documents)
    result = bound.explain(0, Subject(ROLE, management_account="none"), documents)
    assert (verdict.decision(0), result.decision) == (wanted, wanted)
    assert (UNRESOLVED_KEY in result.depends_on) is (wanted is Decision.UNKNOWN)


def test_a_request_has_the_key_only_where_it_is_asked_for() -> None:
    bound = Board([Question(ACTION, PROJECT)]).bind(ID)

    def unknown(statement: dict[str, Any]) -> frozenset[str]:
        documents = PolicySet((policy("p", statement).document,))
        return bound.request(0, Subject(ROLE), documents).unknown_context

    assert unknown(allow(ACTION)) == frozenset()
    assert unknown(allow(ACTION, UNRESOLVED)) == {UNRESOLVED_KEY}
