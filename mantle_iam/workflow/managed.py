"""AWS's managed policies for Mantle as an alternative to the smallest policy: which one covers, and what more it gives.

Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mantle_iam import bundled
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import Effect, PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.report.proposal import ManagedAlternative, Target
from mantle_iam.workflow.target import managed_command

# The narrowest first, so that the first that covers is the one to name; the words are those of `attach --managed`.
CANDIDATES = (
    ("AmazonBedrockMantleReadOnly", "read-only"),
    ("AmazonBedrockMantleInferenceAccess", "inference"),
    ("AmazonBedrockMantleFullAccess", "full"),
)


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy as it ships in ``policies/managed/``."""

    name: str
    arn: str
    version: str
    short_name: str
    """Its word for ``attach --managed``."""
    document: PolicyDocument


def managed_policies() -> tuple[ManagedPolicy, ...]:
    """The shipped managed policies that may be offered, the narrowest first."""
    found = []
    folder = bundled.policies() / "managed"
    for name, short_name in CANDIDATES:
        wrapper = json.loads((folder / f"{name}.json").read_text("utf-8"))
        document = parse_policy(wrapper["document"])
        found.append(ManagedPolicy(name, wrapper["arn"], wrapper["version"], short_name, document))
    return tuple(found)


def managed_alternative(
    requests: Iterable[AuthorizationRequest], target: Target | None, partition: str, policies: Iterable[ManagedPolicy]
) -> ManagedAlternative | None:
    """The first of ``policies`` under which every one of ``requests`` is allowed, or ``None``."""
    wanted = tuple(requests)
    for policy in policies:
        document = _in_partition(policy.document, partition)
        alone = PolicySet(identity=(document,))
        if wanted and all(evaluate(request, alone).decision is Decision.ALLOWED for request in wanted):
            allows = [statement for statement in document.statements if statement.effect is Effect.ALLOW]
            return ManagedAlternative(
                name=policy.name,
                arn=policy.arn.replace("arn:aws:", f"arn:{partition}:", 1),
                version=policy.version,
                gives=tuple(dict.fromkeys(action for statement in allows for action in statement.actions)),
                resources=tuple(dict.fromkeys(resource for statement in allows for resource in statement.resources)),
                command=managed_command(target, policy.short_name),
            )
    return None


def _in_partition(document: PolicyDocument, partition: str) -> PolicyDocument:
    """``document`` as the partition has it.  That its ARNs name that partition there is an inference; they could match nothing
    otherwise."""
    return replace(
        document,
        statements=tuple(
            replace(
                statement,
                resources=tuple(arn.replace("arn:aws:", f"arn:{partition}:", 1) for arn in statement.resources),
            )
            for statement in document.statements
        ),
    )
