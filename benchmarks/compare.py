"""Comparisons of policies: milliseconds of CPU for a typical pair, and seconds for the worst that is accepted."""

from __future__ import annotations

import time
from typing import Any

from mantle_iam.iam.compare import Inclusion, allows_no_more
from mantle_iam.iam.grammar import parse_policy, policy_json
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.mantle.catalog import actions

ARN = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/"


def figures() -> list[tuple[str, str]]:
    """Labels and values, as ``python -m benchmarks`` prints them."""
    found = []
    for label, new, old, result in (
        ("a generated policy within a managed one", _own(4), _wide(), Inclusion.HOLDS),
        ("the same beyond it (a witness)", _wide(), _own(4), Inclusion.FAILS),
        ("one action a statement, 38 against 38", _each(ARN + "a*"), _each(ARN + "*"), Inclusion.HOLDS),
        ("40 kB against 40 kB, equal", _many(160), _many(160), Inclusion.HOLDS),
    ):
        size = (len(policy_json(new, None)) + len(policy_json(old, None))) / 1000
        spent = _milliseconds(new, old, result)
        found.append((f"allows_no_more(), {label}", f"{spent:>9.2f} ms of CPU, {size:.1f} kB together"))
    return found


def _document(*statements: dict[str, Any]) -> PolicyDocument:
    return parse_policy({"Version": "2012-10-17", "Statement": list(statements)})


def _own(parts: int) -> PolicyDocument:
    names = [info.name for info in actions(preview=False)]
    return _document(
        *(
            {
                "Effect": "Allow",
                "Action": names[part::parts],
                "Resource": [f"{ARN}proj_{part}", f"{ARN}proj_x{part}*"],
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": ["red", "blue"]}},
            }
            for part in range(parts)
        )
    )


def _wide() -> PolicyDocument:
    return _document(
        {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "bedrock-mantle:*", "Resource": f"{ARN}secret*"},
    )


def _each(resource: str) -> PolicyDocument:
    return _document(
        *({"Effect": "Allow", "Action": info.name, "Resource": resource} for info in actions(preview=False))
    )


def _many(count: int) -> PolicyDocument:
    return _document(
        *(
            {
                "Effect": "Deny" if index % 8 == 7 else "Allow",
                "Action": [f"service{index}:Get*", f"service{index}:List*", "s3:GetObject"],
                "Resource": f"arn:aws:s3:::bucket-{index}/*",
                "Condition": {"StringLike": {"aws:PrincipalTag/team": [f"team-{index}", "common-*"]}},
            }
            for index in range(count)
        )
    )


def _milliseconds(new: PolicyDocument, old: PolicyDocument, result: Inclusion) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        found = allows_no_more((new,), (old,))
        best = min(best, time.process_time() - start)
        assert found.result is result, found
    return best * 1000
