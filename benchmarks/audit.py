"""Audits: what an account and an organization cost, as a ratio to parsing the same JSON, and how much memory.

``MANTLE_IAM_BENCHMARK_ACCOUNTS`` and ``_ROLES`` set the size (30 accounts of 200 roles).  The aim is 10,000 accounts of 200 roles
within ten minutes on one core and 1 GB, and no slower than three times the parsing.

Two organizations: one in which no two roles have an inline policy in common, which hardly any is, and one as they are rolled
out: four of five inline policies say the same in every account.  Parsing is that of the standard library, a file at a time: in
turns with the rest, by which the rest is measured, and by itself, which is quicker since nothing else has used the caches.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

FOREIGN = ("s3", "sqs", "dynamodb", "logs", "kms", "ecr", "lambda", "ec2", "sns", "secretsmanager")
SHARED = 12
"""Customer managed policies that a role may have, the same text in every account."""
CENTRAL = "111122223333"
"""The account that inline policies name which are the same everywhere."""


def organization(accounts: int, roles: int, folder: Path, own: int = 1) -> list[Path]:
    """Dumps of an organization: deterministic; about 3 kB a role, one role in four has to do with the service.

    Of ``own`` inline policies one names its account; the others say the same in every account.
    """
    paths = []
    for number in range(accounts):
        path = folder / f"{number:012d}.json"
        path.write_text(json.dumps(_dump(f"{100_000_000_000 + number}", roles, own)), "utf-8")
        paths.append(path)
    return paths


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    # A Sid is unique within its document, or IAM would not store it and every document had a finding.
    named = [{"Sid": f"Access{number}", **statement} for number, statement in enumerate(statements)]
    return {"Version": "2012-10-17", "Statement": named}


def _allow(actions: list[str], resources: list[str] | str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def _inline(account: str, number: int) -> dict[str, Any]:
    """An inline policy of a role: an account and a number stand in it."""
    services = [FOREIGN[(number + step) % len(FOREIGN)] for step in range(3)]
    statements = [
        _allow(
            [f"{service}:{verb}*" for verb in ("Get", "List", "Describe", "Put")],
            [f"arn:aws:{service}:us-east-1:{account}:role-{number}/{part}*" for part in ("a", "b", "c")],
            Condition={"StringEquals": {"aws:SourceVpc": f"vpc-{number}", "aws:PrincipalAccount": account}},
        )
        for service in services
    ]
    if number % 8 == 0:
        project = f"arn:aws:bedrock-mantle:us-east-1:{account}:project/" + ("*" if number % 3 else "default")
        statements.append(
            _allow(["bedrock-mantle:CreateInference", "bedrock-mantle:Get*", "bedrock-mantle:List*"], project)
        )
    if number % 16 == 0:
        statements.append(_allow(["bedrock-mantle:CallWithBearerToken"], "*"))
    return _document(*statements)


def _dump(account: str, roles: int, own: int = 1) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    managed = [f"arn:aws:iam::{account}:policy/shared-{number}" for number in range(SHARED)]
    return {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [
            {
                "Path": "/",
                "RoleName": f"role-{number}",
                "RoleId": f"AROA{number:017d}",
                "Arn": f"arn:aws:iam::{account}:role/role-{number}",
                "CreateDate": "2026-01-01T00:00:00+00:00",
                "AssumeRolePolicyDocument": _document(trust),
                "InstanceProfileList": [],
                "RolePolicyList": [
                    {
                        "PolicyName": f"inline-{part}",
                        "PolicyDocument": _inline(CENTRAL if (2 * number + part) % own else account, 2 * number + part),
                    }
                    for part in range(2)
                ],
                "AttachedManagedPolicies": [
                    {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
                    for arn in (managed[number % SHARED], managed[(number * 5 + 1) % SHARED])
                ],
                "Tags": [{"Key": "team", "Value": f"team-{number % 20}"}],
                "RoleLastUsed": {},
            }
            for number in range(roles)
        ],
        "Policies": [
            {
                "PolicyName": arn.rpartition("/")[2],
                "Arn": arn,
                "DefaultVersionId": "v1",
                "PolicyVersionList": [
                    {
                        "VersionId": "v1",
                        "IsDefaultVersion": True,
                        "Document": _document(_allow([f"{FOREIGN[number % 10]}:*"], "*")),
                    }
                ],
            }
            for number, arn in enumerate(managed)
        ],
        "IsTruncated": False,
    }


def _seconds(function: Any) -> float:
    begun = time.process_time()
    function()
    return time.process_time() - begun


def _in_turns(paths: list[Path], roles: int) -> list[float]:
    """Seconds of parsing, reading, and reading and auditing all accounts, from the median account.

    In turns, since whatever else the machine does slows all three.
    """
    from mantle_iam.audit.matrix import Plan
    from mantle_iam.workflow.audit import audit
    from mantle_iam.workflow.audit_inputs import Accounts

    reading = iter(Accounts([str(paths[0].parent)]))
    rows = iter(audit(Plan(), Accounts([str(paths[0].parent)])).rows)
    # What is made ready before the first account.
    next(reading), list(islice(rows, roles))
    rounds = [
        (
            _seconds(lambda path=path: json.loads(path.read_bytes())),
            _seconds(lambda: next(reading)),
            _seconds(lambda: list(islice(rows, roles))),
        )
        for path in paths[1:]
    ]
    return [statistics.median(column) * len(paths) for column in zip(*rounds, strict=True)]


def _alone(paths: list[Path]) -> float:
    """Seconds of parsing all accounts with nothing in between, from the median account."""
    rounds = [_seconds(lambda path=path: json.loads(path.read_bytes())) for path in paths[1:]]
    return statistics.median(rounds) * len(paths)


def _organization_figures(accounts: int, roles: int, own: int) -> list[tuple[str, str]]:
    from mantle_iam.audit.matrix import Plan, audit_account
    from mantle_iam.workflow.audit import audit
    from mantle_iam.workflow.audit_inputs import Accounts

    with tempfile.TemporaryDirectory() as name:
        paths = organization(accounts, roles, Path(name), own)
        size = sum(path.stat().st_size for path in paths)
        # Once unmeasured, for what is compiled and imported only once.
        list(audit(Plan(), Accounts([str(paths[0])])).rows)
        alone = _alone(paths)
        parsing, reading, whole = _in_turns(paths, roles)
        kept = list(Accounts([str(path) for path in paths[:5]]))
        judging = _seconds(lambda: [audit_account(Plan(), one) for one in kept]) / len(kept)
        process = _whole_process(paths[:1], "--no-findings")
        with_findings = _whole_process(paths[:1])
        more = min(5, accounts - 1)
        each = (_whole_process(paths[: more + 1]) - with_findings) / more
    per_role = 1e6 / (accounts * roles)
    same = "all different" if own == 1 else f"{own - 1} of {own} shared"
    return [
        (f"{accounts} x {roles} roles, inline policies {same}", f"{size / 1e6:>9.1f} MB of JSON"),
        ("  json.loads of all of it", f"{parsing:>9.2f} s of CPU, {parsing * per_role:.1f} us a role"),
        ("  json.loads, nothing in between", f"{alone:>9.2f} s of CPU, {alone * per_role:.1f} us a role"),
        ("  reading it (collect)", f"{reading:>9.2f} s of CPU, {reading / parsing:.1f} x parsing"),
        ("  reading and auditing it", f"{whole:>9.2f} s of CPU, {whole / parsing:.1f} x parsing"),
        ("  auditing alone", f"{judging * 1000:>9.2f} ms an account, {judging * accounts / parsing:.1f} x parsing"),
        ("  10,000 accounts x 200 roles, at that rate", f"{whole * per_role * 2:>9.0f} s of CPU on one core"),
        (f"  one account of {roles} roles, whole process", f"{process:>9.2f} s without findings"),
        (f"  one account of {roles} roles, whole process", f"{with_findings:>9.2f} s with findings"),
        ("  every further account, with findings", f"{each * 1000:>9.0f} ms"),
    ]


def _whole_process(paths: list[Path], *options: str) -> float:
    """Seconds of the command, the best of three."""
    command = [
        sys.executable,
        "-c",
        "from mantle_iam.cli.main import main; main()",
        "audit",
        "--output",
        "jsonl",
        *options,
    ]
    found = []
    for _ in range(3):
        before = time.perf_counter()
        # Findings make no exit code of their own; what is unknown would.
        subprocess.run([*command, *map(str, paths)], check=True, capture_output=True)
        found.append(time.perf_counter() - before)
    return min(found)


def figures() -> list[tuple[str, str]]:
    """Labels and values, as ``python -m benchmarks`` prints them."""
    from mantle_iam.workflow.engines import collect_less

    accounts = int(os.environ.get("MANTLE_IAM_BENCHMARK_ACCOUNTS", "30"))
    roles = int(os.environ.get("MANTLE_IAM_BENCHMARK_ROLES", "200"))
    # As the command does it; parsing gains from it as well.
    collect_less()
    found = [line for own in (1, 5) for line in _organization_figures(accounts, roles, own)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*found, ("peak memory of this process", f"{peak:>9.0f} MB")]
