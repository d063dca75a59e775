"""Makes ``mantle_iam/collect/aws_managed.json`` of the managed policies that moto carries.

    python tests/collect/aws_managed_table.py

Moto's copy is renewed from AWS with its releases, so the table is renewed after moto is; the test beside this says when.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "mantle_iam" / "collect" / "aws_managed.json"


def table() -> str:
    """The text of the file."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    policies = json.loads(aws_managed_policies_data)
    documents: dict[str, Any] = {}
    without = []
    for name, policy in sorted(policies.items()):
        path = f"{policy['Path'].removeprefix('/')}{name}"
        kept = [statement for each in _many(policy["Document"]["Statement"]) for statement in _reaching(each)]
        if kept:
            documents[path] = {"Version": policy["Document"]["Version"], "Statement": kept}
        else:
            without.append(path)
    as_of = max(policy["UpdateDate"] for policy in policies.values())[:10]
    return json.dumps({"as_of": as_of, "documents": documents, "without": without}, indent=1) + "\n"


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _reaching(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """The statement, if it can match an action of the service, with those of its actions that can."""
    if "NotAction" in statement:
        return [statement]
    kept = [action for action in _many(statement["Action"]) if _matches(action)]
    return [{**statement, "Action": kept}] if kept else []


def _matches(action: str) -> bool:
    return action == "*" or fnmatchcase("bedrock-mantle", action.partition(":")[0].lower())


if __name__ == "__main__":
    FILE.write_text(table(), "utf-8")
