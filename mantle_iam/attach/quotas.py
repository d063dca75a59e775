"""AWS's quotas on users, roles, groups and managed policies: how much of each a plan would use.

Limits are the account's own where its summary could be read, else AWS's defaults, and say so.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mantle_iam.attach.calls import size_of
from mantle_iam.attach.plan import Change, CustomerChange, InlineChange, State, TargetKind, Usage

# Name in GetAccountSummary, AWS's default, whether an account may ask for more.
_ATTACHED = {
    TargetKind.USER: ("AttachedPoliciesPerUserQuota", 10),
    TargetKind.GROUP: ("AttachedPoliciesPerGroupQuota", 10),
    TargetKind.ROLE: ("AttachedPoliciesPerRoleQuota", 10),
}
_INLINE = {
    TargetKind.USER: ("UserPolicySizeQuota", 2048),
    TargetKind.GROUP: ("GroupPolicySizeQuota", 5120),
    TargetKind.ROLE: ("RolePolicySizeQuota", 10240),
}
_MANAGED_SIZE = ("PolicySizeQuota", 6144)
_POLICIES = ("PoliciesQuota", 1500)


def usage(state: State, changes: tuple[Change, ...], summary: Mapping[str, int] | None) -> tuple[Usage, ...]:
    """Every quota that ``changes`` count towards; ``summary`` is the map of ``GetAccountSummary``, where it could be read."""
    if state.target.kind not in _ATTACHED:
        return ()
    return tuple(_usage(state, changes, summary))


def _usage(state: State, changes: tuple[Change, ...], summary: Mapping[str, int] | None) -> Iterator[Usage]:
    kind = state.target.kind
    known = summary is not None

    def limit(entry: tuple[str, int]) -> int:
        return int((summary or {}).get(*entry))

    attached = {bound.arn for bound in state.policies if bound.arn is not None}
    after = attached | {change.arn for change in changes if not isinstance(change, InlineChange)}
    if after != attached:
        what = f"managed policies attached to a {kind}"
        yield Usage(what, len(after), limit(_ATTACHED[kind]), known, adjustable=True, now=len(attached))
    sizes = {name: size_of(document) for name, document in state.inline}
    put = {change.name: size_of(change.document) for change in changes if isinstance(change, InlineChange)}
    if put:
        what = f"characters in all inline policies of a {kind}"
        used, now = sum((sizes | put).values()), sum(sizes.values())
        yield Usage(what, used, limit(_INLINE[kind]), known, now=now)
    for change in changes:
        if isinstance(change, CustomerChange):
            yield Usage(f"characters in the policy {change.name}", size_of(change.document), limit(_MANAGED_SIZE))
    there = {policy.arn for policy in state.customer if policy.versions}
    made = [change for change in changes if isinstance(change, CustomerChange) and change.arn not in there]
    if made and summary is not None and "Policies" in summary:
        now = int(summary["Policies"])
        what = "customer managed policies in the account"
        yield Usage(what, now + len(made), limit(_POLICIES), known, adjustable=True, now=now)
