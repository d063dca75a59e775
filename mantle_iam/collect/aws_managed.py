"""What AWS's managed policies say of the service: for code that attaches them by ARN and does not hold their documents.

The data (``aws_managed.json``) is that of the day of the newest policy in it: of policies that can match an action of the service
the statements that can, of all others the names.  It is made of the copy of AWS's texts that moto (Apache-2.0) carries, by
``tests/collect/aws_managed_table.py``.  AWS may change a policy on any day; one that is in neither is unknown.  Documents that
somebody else holds (a dump, the shipped texts) come first.  AWS has the same policies in every partition, by the same names.
Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument

PREFIX: Final = "arn:aws:iam::aws:policy/"
_ARN: Final = re.compile(r"arn:(aws[a-z-]{0,20}):iam::aws:policy/(.{1,300})")


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """What is known of a managed policy.  ``document`` has no statements where none can match an action of the service."""

    document: PolicyDocument
    as_of: str
    """The day, in ISO 8601."""


def managed_policy(arn: str) -> ManagedPolicy | None:
    """What the policy says of the service; ``None`` where that is not known."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return None
    partition, name = found.groups()
    data, without = _data()
    document = data["documents"].get(name)
    if document is None and name not in without:
        return None
    text = json.dumps(document or {"Version": "2012-10-17", "Statement": []})
    return ManagedPolicy(parse_policy(text.replace("arn:aws:", f"arn:{partition}:")), data["as_of"])


@cache
def _data() -> tuple[dict[str, Any], frozenset[str]]:
    data: dict[str, Any] = json.loads(Path(__file__).with_name("aws_managed.json").read_text("utf-8"))
    return data, frozenset(data["without"])
