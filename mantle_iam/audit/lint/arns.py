"""The rule about ARNs of the service that no resource has.

A part with a wildcard or a variable may stand for anything; what is written out has to be what it should be.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import MANTLE, DocumentRule, Hit, Rule, one_line
from mantle_iam.audit.lint.view import View, overlaps, service_of, without_variables
from mantle_iam.mantle import catalog
from mantle_iam.mantle.endpoint import is_region_name, partition_of
from mantle_iam.mantle.overlay import SERVICE
from mantle_iam.mantle.sources import SERVICE_AUTHORIZATION

_LONGEST: Final = 512
_FIELDS: Final = 6
_ACCOUNT_DIGITS: Final = 12

NO_SUCH_RESOURCE: Final = Rule(
    id="resource-never-matches",
    title="An ARN of Mantle that no resource has",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds ARNs with the service field `bedrock-mantle` that fit no project, customized model or reservation: a "
    "misspelt type (`projects/…`, `workspace/…`), a region or an account that is empty, a placeholder or no such thing, a "
    "partition that the region does not belong to.",
    why="A pattern that matches nothing grants and refuses nothing, and IAM does not say so. A workspace of the "
    "Messages API *is* a project: its ARN reads `project/…`.",
    bad='"Resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:workspace/proj_abc"',
    instead='"Resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_abc"',
    reference=SERVICE_AUTHORIZATION,
)


def no_such_resource(view: View) -> Iterator[Hit]:
    """Resource patterns of the service that cover nothing."""
    for statement in view.statements:
        element = "Resource" if statement.statement.resources else "NotResource"
        for at, pattern in enumerate(statement.statement.resources or statement.statement.not_resources):
            fault = fault_of(pattern) if service_of(pattern) == SERVICE and len(pattern) <= _LONGEST else ""
            if fault:
                yield Hit(
                    f"`{one_line(pattern)}` {fault}, so that it covers no resource",
                    f"{statement.pointer}/{element}/{at}",
                    statement.index,
                    f"write `{one_line(_mended(pattern))}`",
                )


@lru_cache(maxsize=1024)
def fault_of(pattern: str) -> str:
    """Why a resource pattern of the service can cover nothing, as a part of a sentence; empty where it can."""
    fields = without_variables(pattern).split(":", _FIELDS - 1)
    if len(fields) == _FIELDS:
        _, partition, _, region, account, _ = fields
        if _written(region) and not is_region_name(region):
            return f"has `{one_line(region)}` for a region"
        if _written(account) and not _is_account(account):
            return f"has `{one_line(account)}` for an account"
        if _written(region) and _written(partition) and partition_of(region) != partition:
            return f"names the region `{region}`, which is in the partition `{partition_of(region)}`"
    kinds = tuple(catalog.resource_types())
    if any(overlaps(pattern, kind) for kind in kinds):
        return ""
    return f"fits none of {', '.join(f'`{kind}/…`' for kind in kinds)} in a region and an account"


def _written(field: str) -> bool:
    return bool(field) and "*" not in field and "?" not in field


def _is_account(text: str) -> bool:
    return len(text) == _ACCOUNT_DIGITS and text.isascii() and text.isdigit()


def _mended(pattern: str) -> str:
    """The ARN that was likely meant: its parts where they can be right, and ``*`` or a project where they cannot."""
    _, partition, _, region, account, resource, *_ = [*pattern.split(":", _FIELDS - 1), "*", "*", "*"]
    written, _, name = resource.replace(":", "/").rpartition("/")
    kinds = list(catalog.resource_types())
    kind = next(iter(get_close_matches(written.lower(), kinds, n=1)), "project")
    name = "*" if name in ("", *kinds) else name
    region = region.lower() if is_region_name(region.lower()) or not _written(region) else "*"
    account = account if _is_account(account) or not _written(account) else "*"
    partition = partition_of(region) if _written(region) else partition
    mended = f"arn:{partition}:{SERVICE}:{region or '*'}:{account or '*'}:{kind}/{name}"
    return f"arn:{partition}:{SERVICE}:*:*:{kind}/*" if fault_of(mended) else mended


RULES: Final = (DocumentRule(NO_SUCH_RESOURCE, no_such_resource),)
