"""Single decisions per CPU-second of ``evaluate()``, explanation included.

The setting is 32 identity statements, three levels of SCPs and the 38 actions of the service.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable

from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle.catalog import actions

ACCOUNT = "111122223333"
PROJECT = f"arn:aws:bedrock-mantle:us-east-1:{ACCOUNT}:project/default"
PRINCIPAL = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/i-1"
SECONDS = 1.0


def figures() -> list[tuple[str, str]]:
    """Labels and values, as ``python -m benchmarks`` prints them."""
    few = _decisions_per_second(_policies(foreign=24))
    many = _decisions_per_second(_policies(foreign=312))
    lines = _lines_per_second()
    return [
        ("evaluate(), 32 statements, 3 SCP levels", f"{few:>9,.0f} decisions per CPU-second"),
        ("the same with 320 statements, 288 of them foreign", f"{many:>9,.0f} ({many / few:.2f} of the former)"),
        ("mantle-iam evaluate, JSON lines in and out", f"{lines:>9,.0f} lines per CPU-second"),
    ]


def _policies(foreign: int) -> PolicySet:
    """Eight statements about bedrock-mantle, ``foreign`` about other services, and three levels of SCPs."""
    names = [info.name for info in actions(preview=False)]
    own = [
        {
            "Sid": f"Part{part}",
            "Effect": "Allow",
            "Action": names[part::8],
            "Resource": f"arn:aws:bedrock-mantle:*:{ACCOUNT}:*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
        }
        for part in range(8)
    ]
    others = [
        {"Effect": "Allow", "Action": [f"service{index}:Get*", f"service{index}:List*"], "Resource": "*"}
        for index in range(foreign)
    ]
    full = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    guard = {
        "Effect": "Deny",
        "NotAction": ["iam:*", "organizations:*"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}},
    }
    return PolicySet(
        identity=(_document([*own, *others]),),
        scp=((_document([full]),), (_document([full]), _document([guard])), (_document([full]),)),
    )


def _document(statements: list[dict[str, object]]) -> PolicyDocument:
    return parse_policy({"Version": "2012-10-17", "Statement": statements})


def _decisions_per_second(policies: PolicySet) -> float:
    requests = [
        AuthorizationRequest(PRINCIPAL, info.name, (PROJECT,), context={"aws:SourceIp": "192.0.2.1"})
        for info in actions(preview=False)
    ]

    def round_trip() -> int:
        for request in requests:
            result = evaluate(request, policies)
            assert result.decision is Decision.ALLOWED
            assert len(result.determining) == 4  # the identity statement and one of each SCP level
        return len(requests)

    return _per_cpu_second(round_trip)


def _lines_per_second() -> float:
    from mantle_iam.cli.main import run

    full = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    line = {
        "principal": PRINCIPAL,
        "resource": PROJECT,
        "context": {"aws:SourceIp": "192.0.2.1"},
        "policies": {"identity": [full], "scp": [[full], [full], [full]]},
    }
    names = [info.name for info in actions(preview=False)] * 25
    text = "".join(json.dumps({"id": index, "action": name, **line}) + "\n" for index, name in enumerate(names))

    def whole_run() -> int:
        before = sys.stdin, sys.stdout
        sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8")
        sys.stdout = io.StringIO()
        try:
            assert run(["evaluate"]) == 0
        finally:
            sys.stdin, sys.stdout = before
        return len(names)

    return _per_cpu_second(whole_run)


def _per_cpu_second(work: Callable[[], int]) -> float:
    work()
    best = 0.0
    for _ in range(3):
        done, start = 0, time.process_time()
        while (spent := time.process_time() - start) < SECONDS / 3:
            done += work()
        best = max(best, done / spent)
    return best
