"""Rules about permissions that a call needs besides the one it is named after.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html, .../tagging.html, .../model-access.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import GRANTING, DocumentRule, Hit, Rule, one_line
from mantle_iam.audit.lint.view import ConditionView, StatementView, View
from mantle_iam.iam.inventory import Principal, Purpose
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_REFERENCE, BEARER_TYPE_KEY, SERVICE, SERVICE_PRINCIPAL
from mantle_iam.mantle.sources import MODEL_ACCESS, PROJECT_SECURITY, TAGGING, Source

_LIST_PROJECTS: Final = f"{SERVICE}:ListProjects"
_LIST_TAGS: Final = f"{SERVICE}:ListTagsForResource"
_CREATE_PROJECT: Final = f"{SERVICE}:CreateProject"
_TAG: Final = f"{SERVICE}:TagResource"
_TOKEN_TYPES: Final = {AuthMethod.SHORT_TERM_KEY: "SHORT_TERM", AuthMethod.LONG_TERM_KEY: "LONG_TERM"}

NO_BEARER: Final = Rule(
    id="key-without-bearer-token-permission",
    title="Calls with a key, and no `CallWithBearerToken`",
    severity=Severity.ERROR,
    confidence=Certainty.MEDIUM,
    purposes=(Purpose.IDENTITY, Purpose.SESSION, Purpose.BOUNDARY, Purpose.VPC_ENDPOINT),
    what="With `--auth short-term-key` or `--auth long-term-key`: finds documents that allow calls to Mantle and do "
    "not allow `CallWithBearerToken` on `*` for that type of key. In an audit: users with an active long-term key"
    " and no such Allow.",
    why="A call with a key needs `bedrock-mantle:CallWithBearerToken` besides its own action. Some SDKs make keys "
    "from a role's credentials without being told, so that a role that signs nothing itself needs it, too. "
    "Another document may grant it: of one document alone the confidence is medium.",
    bad='"Action": "bedrock-mantle:CreateInference" as the only Allow',
    instead=f'in addition "Action": "{BEARER_ACTION}", "Resource": "*"',
    reference=BEARER_REFERENCE,
)


def no_bearer(view: View) -> Iterator[Hit]:
    """A document for callers with a key that does not let them use one."""
    if view.auth not in _TOKEN_TYPES or not view.resolved or grants_bearer([view], view.auth):
        return
    statement = next(calls_of([view]), None)
    if statement is not None:
        yield Hit(
            f"calls are allowed and `{BEARER_ACTION}` is not, so that every call with a key "
            "is refused unless another policy allows it",
            statement.pointer,
            statement.index,
            f'allow `{BEARER_ACTION}` on `"Resource": "*"`',
        )


def calls_of(views: Iterable[View]) -> Iterator[StatementView]:
    """Statements that allow a call to Mantle by naming the service, other than the use of a key itself."""
    for view in views:
        for statement in view.statements:
            if (
                statement.allow
                and statement.speaks_of_mantle
                and any(name != BEARER_ACTION for name in statement.names)
            ):
                yield statement


def grants_bearer(views: Iterable[View], auth: AuthMethod) -> bool:
    """Whether some statement allows the use of a key of this type."""
    wanted = _TOKEN_TYPES.get(auth, "")
    return any(
        each.allow and each.alive(BEARER_ACTION) and all(_admits(condition, wanted) for condition in each.conditions)
        for view in views
        for each in view.statements
    )


def _admits(condition: ConditionView, wanted: str) -> bool:
    if condition.key != BEARER_TYPE_KEY.lower() or not condition.operator.startswith("StringE"):
        return True
    return wanted in condition.condition.values


NO_TAGS: Final = Rule(
    id="list-projects-without-tags",
    title="`ListProjects` without `ListTagsForResource`",
    severity=Severity.WARNING,
    confidence=Certainty.MEDIUM,
    purposes=GRANTING,
    what="Finds documents that allow `ListProjects` by name and do not allow `ListTagsForResource`.",
    why="The list shows tags, and the service asks for `ListTagsForResource` as well: with `ListProjects` alone the "
    "whole request was refused, not only the tags. Seen in the field; AWS's examples have the action in the "
    "plural, which does not exist.",
    bad='"Action": ["bedrock-mantle:GetProject", "bedrock-mantle:ListProjects"]',
    instead='"Action": ["bedrock-mantle:GetProject", "bedrock-mantle:ListProjects", "bedrock-mantle:ListTagsForResource"]',
    reference=PROJECT_SECURITY,
    source=Source.OBS,
)


def list_without_tags(view: View) -> Iterator[Hit]:
    """ListProjects without what its answer needs."""
    if not view.resolved or view.allows(_LIST_TAGS):
        return
    for statement in view.statements:
        for pattern in statement.patterns if statement.allow and statement.statement.actions else ():
            if pattern.exact and pattern.names == (_LIST_PROJECTS,):
                yield Hit(
                    f"`{_LIST_PROJECTS}` without `{_LIST_TAGS}`: the list shows tags, and the whole call is refused",
                    pattern.pointer,
                    statement.index,
                    f"allow `{_LIST_TAGS}` on the same projects",
                )
                return


NO_TAGGING: Final = Rule(
    id="tagged-projects-without-tag-permission",
    title="Projects that must have tags, and no `TagResource`",
    severity=Severity.WARNING,
    confidence=Certainty.MEDIUM,
    purposes=GRANTING,
    what="Finds an Allow of `CreateProject` that demands a tag (`aws:RequestTag/…`) in a document that does not allow "
    "`TagResource`.",
    why="Creating a project with tags is two permissions: `CreateProject` and `TagResource` on the new project. "
    "Without the second the call is refused, and CloudTrail names `TagResource` as the denied action.",
    bad='"Action": "bedrock-mantle:CreateProject", "Condition": {"StringEquals": {"aws:RequestTag/team": "search"}}',
    instead='"Action": ["bedrock-mantle:CreateProject", "bedrock-mantle:TagResource"] with the same condition',
    reference=TAGGING,
    source=Source.OBS,
)


def tagged_without_permission(view: View) -> Iterator[Hit]:
    """CreateProject with tags demanded, and no permission to set any."""
    if not view.resolved or view.allows(_TAG):
        return
    for statement in view.statements:
        if not statement.allow or _CREATE_PROJECT not in statement.names or not statement.speaks_of_mantle:
            continue
        for condition in statement.conditions:
            if condition.key.startswith("aws:requesttag/") and condition.needs_key:
                yield Hit(
                    f"a project needs `{one_line(condition.condition.key)}` here, and `{_TAG}`, which sets tags, is not allowed",
                    condition.pointer,
                    statement.index,
                    f"add `{_TAG}` to the statement",
                )


MARKETPLACE: Final = Rule(
    id="marketplace-without-called-via",
    title="Subscribing in AWS Marketplace beyond Mantle",
    severity=Severity.WARNING,
    confidence=Certainty.HIGH,
    purposes=(Purpose.IDENTITY,),
    what="In documents for Mantle: finds an Allow of `aws-marketplace:Subscribe` without a condition on "
    "`aws:CalledViaLast` or `aws:CalledVia`, or on products.",
    why="The first call to a model that is sold through AWS Marketplace subscribes the account. Without the condition"
    " the principal may subscribe to any product there, outside of Bedrock, at a price. AWS's managed policies "
    "carry it.",
    bad='"Action": ["aws-marketplace:Subscribe", "aws-marketplace:ViewSubscriptions"], "Resource": "*"',
    instead=f'the same with "Condition": {{"StringEquals": {{"aws:CalledViaLast": "{SERVICE_PRINCIPAL}"}}}}',
    reference=MODEL_ACCESS,
)


def marketplace(view: View) -> Iterator[Hit]:
    """Subscriptions that are not bound to calls through the service."""
    if not any(each.speaks_of_mantle for each in view.statements):
        return
    for statement in view.known:
        if not statement.allow or statement.conditions or not statement.statement.actions:
            continue
        for pattern in statement.patterns:
            if pattern.text.strip().lower() in ("aws-marketplace:subscribe", "aws-marketplace:*"):
                yield Hit(
                    f"`{one_line(pattern.text)}` without a condition allows subscribing to any product of AWS Marketplace",
                    pattern.pointer,
                    statement.index,
                    f'add "Condition": {{"StringEquals": {{"aws:CalledViaLast": "{SERVICE_PRINCIPAL}"}}}}',
                )


def principal_without_bearer(principal: Principal) -> Iterator[Hit]:
    """A user whose long-term key cannot be used on Mantle, although its policies allow calls there."""
    active = [key for key in principal.keys or () if key.active]
    if not active or principal.unknown or any(policy.unresolved for policy in principal.identity):
        return
    views = [View(policy) for policy in principal.identity]
    statement = next(calls_of(views), None)
    if statement is not None and not grants_bearer(views, AuthMethod.LONG_TERM_KEY):
        yield Hit(
            f"the user has a long-term key and may call Mantle, but not with it: no policy allows `{BEARER_ACTION}` on `*`",
            remedy=f'allow `{BEARER_ACTION}` on `"Resource": "*"`, or delete the key',
            confidence=Certainty.HIGH,
        )


RULES: Final = (
    DocumentRule(NO_BEARER, no_bearer),
    DocumentRule(NO_TAGS, list_without_tags),
    DocumentRule(NO_TAGGING, tagged_without_permission),
    DocumentRule(MARKETPLACE, marketplace),
)
