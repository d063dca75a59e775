"""The policy that somebody needs to attach something, from the command line alone: nobody is asked."""

from __future__ import annotations

from typing import Any

from mantle_iam.attach.names import TargetName
from mantle_iam.attach.plan import PERMISSION_SET_INLINE, Change, CustomerChange, InlineChange
from mantle_iam.attach.rights import needs_policy, subject_named
from mantle_iam.attach.target import TargetKind
from mantle_iam.iam.grammar import write_policy
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.workflow.attach import Wanted, managed_change


def needed_rights(
    name: TargetName, wanted: Wanted, *, region: str | None, account: str | None, instance: str | None
) -> dict[str, Any]:
    """What planning, applying, verifying and taking back ``wanted`` may need, as a policy document."""
    partition = name.partition or (partition_of(region) if region else None) or "aws"
    subject = subject_named(name, partition=partition, account=account, instance_arn=instance)
    changes: tuple[Change, ...]
    if wanted.managed is not None:
        changes = (managed_change(wanted.managed, subject.partition)[0],)
    elif name.kind is TargetKind.PERMISSION_SET:
        changes = tuple(InlineChange(PERMISSION_SET_INLINE, one.document) for one in wanted.documents)
    elif wanted.customer:
        before = f"arn:{subject.partition}:iam::{subject.account}:policy/"
        changes = tuple(CustomerChange(d.name, before + d.name, d.document) for d in wanted.documents)
    else:
        changes = wanted.documents
    return write_policy(needs_policy(subject, changes))
