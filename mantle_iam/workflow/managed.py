"""AWS's managed policies for Mantle: the shipped texts, and the one that would do instead of the smallest policy.

What a text gives is computed in ``managed_reach.py``, which one fits a purpose in ``managed_advice.py``; the account is asked in
``managed_refresh.py``.
Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from mantle_iam import bundled
from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import Effect, PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet
from mantle_iam.mantle.managed_policies import KNOWN, MadeFor, known_policy, newest_first
from mantle_iam.report.managed_records import ManagedPolicy as ManagedPolicy
from mantle_iam.report.proposal import ManagedAlternative, Target
from mantle_iam.workflow.target import managed_command

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


@cache
def shipped() -> tuple[ManagedPolicy, ...]:
    """Every shipped text: the policies in the order of ``KNOWN``, of each the newest version first."""
    found = [_read(file.read_text("utf-8")) for file in (bundled.policies() / "managed").iterdir()]
    order = {known.name: place for place, known in enumerate(KNOWN)}
    return tuple(sorted(found, key=lambda p: (order.get(p.name, len(order)), p.name, newest_first(p.version))))


def _read(text: str) -> ManagedPolicy:
    wrapper = json.loads(text)
    known = known_policy(wrapper["name"])
    return ManagedPolicy(
        name=wrapper["name"],
        arn=wrapper["arn"],
        version=wrapper["version"],
        short_name=known.words[0] if known and known.attachable else "",
        document=parse_policy(wrapper["document"]),
        date=wrapper["date"],
        source=wrapper["source"],
        summary=known.summary if known else "",
        made_for=known.made_for if known else MadeFor.SERVICE,
    )


def current_policies() -> tuple[ManagedPolicy, ...]:
    """The newest shipped text of each policy."""
    newest: dict[str, ManagedPolicy] = {}
    for policy in shipped():
        newest.setdefault(policy.name, policy)
    return tuple(newest.values())


@cache
def managed_policies() -> tuple[ManagedPolicy, ...]:
    """The shipped managed policies that may be attached, the narrowest first."""
    # Read one by one: a diagnosis needs these alone, and all texts together take longer to read than it does.
    folder = bundled.policies() / "managed"
    return tuple(_read((folder / f"{known.name}.json").read_text("utf-8")) for known in KNOWN if known.attachable)


def read_name(text: str) -> tuple[str, str | None]:
    """The name in what somebody wrote (a name, an ARN, a short word), and the ARN itself where it was one.

    Raises:
        InputError: an ARN of something else, or a text that is no name.
    """
    written = text.strip()
    if written.startswith("arn:"):
        arn = Arn.parse(written)
        kind, _, path = arn.resource.partition("/")
        if arn.service != "iam" or kind != "policy" or not path:
            raise InputError(f"`{text}` is not the ARN of a policy")
        return path.rpartition("/")[2], written
    known = known_policy(written)
    if known is not None:
        return known.name, None
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
    if not 0 < len(written) <= 128 or not all(c.isascii() and (c.isalnum() or c in "+=,.@_-") for c in written):
        raise InputError(
            f"`{text}` is not the name of a policy", help="give a name, an ARN, or read-only, inference, full"
        )
    return written, None


def find_policy(text: str, version: str | None = None, partition: str = "aws") -> ManagedPolicy:
    """The shipped text that ``text`` means, as ``partition`` has it; ``version`` is ``v4`` or ``4``, the newest if ``None``.

    Raises:
        InputError: none is shipped.
    """
    from difflib import get_close_matches

    name, arn = read_name(text)
    of_name = [policy for policy in shipped() if policy.name.lower() == name.lower()]
    if arn is not None and ":aws:policy/" not in arn:
        raise InputError(f"`{text}` is a policy of your own", help="--refresh reads it from the account")
    if not of_name:
        near = get_close_matches(name.lower(), [policy.name.lower() for policy in current_policies()], n=1)
        meant = next((policy.name for policy in current_policies() if policy.name.lower() in near), None)
        advice = f"did you mean {meant}? " if meant else ""
        raise InputError(f"no text of `{name}` is shipped", help=f"{advice}--refresh reads it from the account")
    if arn is not None:
        partition = Arn.parse(arn).partition
    if version is None:
        return in_partition(of_name[0], partition)
    wanted = f"v{version.strip().lower().removeprefix('v')}"
    for policy in of_name:
        if policy.version == wanted:
            return in_partition(policy, partition)
    have = ", ".join(policy.version for policy in of_name)
    raise InputError(
        f"no text of version `{version}` of {of_name[0].name} is at hand", help=f"versions at hand: {have}"
    )


def versions_of(name: str, partition: str = "aws") -> tuple[ManagedPolicy, ...]:
    """The shipped versions of the policy ``name``, the newest first."""
    return tuple(in_partition(policy, partition) for policy in shipped() if policy.name == name)


def managed_alternative(
    requests: Iterable[AuthorizationRequest], target: Target | None, partition: str, policies: Iterable[ManagedPolicy]
) -> ManagedAlternative | None:
    """The first of ``policies`` under which every one of ``requests`` is allowed, or ``None``."""
    wanted = tuple(requests)
    for policy in policies:
        there = in_partition(policy, partition)
        alone = PolicySet(identity=(there.document,))
        if wanted and all(evaluate(request, alone).decision is Decision.ALLOWED for request in wanted):
            allows = [statement for statement in there.document.statements if statement.effect is Effect.ALLOW]
            return ManagedAlternative(
                name=there.name,
                arn=there.arn,
                version=there.version,
                gives=tuple(dict.fromkeys(action for statement in allows for action in statement.actions)),
                resources=tuple(dict.fromkeys(resource for statement in allows for resource in statement.resources)),
                command=managed_command(target, policy.short_name),
            )
    return None


def in_partition(policy: ManagedPolicy, partition: str) -> ManagedPolicy:
    """``policy`` as ``partition`` has it.  That its ARNs name that partition there is an inference; they could match nothing
    otherwise."""
    if partition == "aws":
        return policy
    return replace(
        policy,
        arn=_moved(policy.arn, partition),
        document=document_in_partition(policy.document, partition),
    )


def document_in_partition(document: PolicyDocument, partition: str) -> PolicyDocument:
    """``document`` with the ARNs of its resources in ``partition`` (an inference)."""
    return replace(
        document,
        statements=tuple(
            replace(statement, resources=tuple(_moved(arn, partition) for arn in statement.resources))
            for statement in document.statements
        ),
    )


def _moved(arn: str, partition: str) -> str:
    return arn.replace("arn:aws:", f"arn:{partition}:", 1) if arn.startswith("arn:aws:") else arn
