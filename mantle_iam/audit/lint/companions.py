"""Rules about permissions that a call needs besides the one it is named after.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html, .../tagging.html, .../model-access.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import GRANTING, DocumentRule, Hit, Rule, one_line
from mantle_iam.audit.lint.view import StatementView, View
from mantle_iam.iam.conditions import CompiledCondition
from mantle_iam.iam.inventory import Principal, Purpose
from mantle_iam.iam.kleene import Truth
from mantle_iam.mantle.operations import AuthMethod
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_REFERENCE, BEARER_TYPE_KEY, SERVICE, SERVICE_PRINCIPAL
from mantle_iam.mantle.sources import AGENTS_SECURITY, MODEL_ACCESS, PROJECT_SECURITY, TAGGING, Source

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
    "not allow `CallWithBearerToken` on `*` for that type of key, or deny it. In an audit: users with an active "
    "long-term key of whom that is true.",
    why="A call with a key needs `bedrock-mantle:CallWithBearerToken` besides its own action. Some SDKs make keys "
    "from a role's credentials without being told, so that a role that signs nothing itself needs it, too. "
    "Another document may grant it: of one document alone the confidence is medium.",
    bad='"Action": "bedrock-mantle:CreateInference" as the only Allow',
    instead=f'in addition "Action": "{BEARER_ACTION}", "Resource": "*"',
    reference=BEARER_REFERENCE,
)


def no_bearer(view: View) -> Iterator[Hit]:
    """A document for callers with a key that does not let them use one."""
    if view.auth not in _TOKEN_TYPES or not view.resolved:
        return
    statement, refusing = next(calls_of([view]), None), denies_bearer([view], view.auth)
    if statement is not None and refusing is not None:
        yield Hit(
            f"calls are allowed, and `{BEARER_ACTION}` is denied to keys of this type",
            refusing.pointer,
            refusing.index,
            "take the denial out, or let callers sign with SigV4",
        )
    elif statement is not None and not grants_bearer([view], view.auth):
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
    """Whether some Allow can apply to the use of a key of this type."""
    return any(
        each.allow and each.alive(BEARER_ACTION) and all(held is not False for held in _held(each, auth))
        for view in views
        for each in view.statements
    )


def denies_bearer(views: Iterable[View], auth: AuthMethod) -> StatementView | None:
    """The Deny that is sure to apply to it, if there is one."""
    for view in views:
        for each in view.known:
            denies = not each.allow and BEARER_ACTION in each.names and each.any_resource
            if denies and all(held is True for held in _held(each, auth)):
                return each
    return None


def _held(statement: StatementView, auth: AuthMethod) -> Iterator[Truth]:
    """Whether its conditions hold for a call with a key of this type, of which nothing else is known."""
    call = _KeyCall(_TOKEN_TYPES[auth])
    return (CompiledCondition(each.condition, variables=True).holds(call) for each in statement.conditions)


@dataclass(frozen=True, slots=True)
class _KeyCall:
    """The context of a call with a key, of which the key's type is known."""

    bearer_type: str

    def get(self, key: str, asked_as: str) -> str | frozenset[str]:
        return self.bearer_type if key == BEARER_TYPE_KEY.lower() else frozenset({asked_as})


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
    yield from _unbound(
        view,
        ("aws-marketplace:subscribe", "aws-marketplace:*", "aws-marketplace:sub*"),
        "allows subscribing to any product of AWS Marketplace",
        f'add "Condition": {{"StringEquals": {{"aws:CalledViaLast": "{SERVICE_PRINCIPAL}"}}}}',
    )


def _unbound(view: View, patterns: tuple[str, ...], does: str, remedy: str) -> Iterator[Hit]:
    """Allows of other services' actions, in a document for Mantle, on everything and without a condition."""
    if not view.names_mantle:
        return
    for statement in view.known:
        if not statement.allow or statement.conditions or not statement.any_resource:
            continue
        for pattern in statement.patterns if statement.statement.actions else ():
            if pattern.text.strip().lower() in patterns:
                yield Hit(
                    f"`{one_line(pattern.text)}` without a condition {does}", pattern.pointer, statement.index, remedy
                )


def principal_without_bearer(principal: Principal) -> Iterator[Hit]:
    """A user whose long-term key cannot be used on Mantle, although its policies allow calls there."""
    active = [key for key in principal.keys or () if key.active]
    if not active or principal.unknown or any(policy.unresolved for policy in principal.identity):
        return
    views = [View(policy) for policy in principal.identity]
    statement = next(calls_of(views), None)
    if statement is None:
        return
    refusing = denies_bearer(views, AuthMethod.LONG_TERM_KEY)
    if refusing is not None or not grants_bearer(views, AuthMethod.LONG_TERM_KEY):
        yield Hit(
            "the user has a long-term key and may call Mantle, but not with it: "
            + (f"`{BEARER_ACTION}` is denied" if refusing else f"no policy allows `{BEARER_ACTION}` on `*`"),
            remedy="delete the key" if refusing else f'allow `{BEARER_ACTION}` on `"Resource": "*"`, or delete the key',
            confidence=Certainty.HIGH,
        )


PASS_ROLE: Final = Rule(
    id="pass-role-without-service",
    title="Passing every role to every service",
    severity=Severity.WARNING,
    confidence=Certainty.HIGH,
    purposes=(Purpose.IDENTITY,),
    what="In documents for Mantle: finds an Allow of `iam:PassRole` on `*` without a condition.",
    why="Sessions of Managed Agents run under a role that their creator passes. Who may pass any role to any service may "
    "take over the rights of every role of the account. IAM Access Analyzer reports it as well.",
    bad='"Action": ["bedrock-mantle:CreateAgentSession", "iam:PassRole"], "Resource": "*"',
    instead='"Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/agents", '
    f'"Condition": {{"StringEquals": {{"iam:PassedToService": "{SERVICE_PRINCIPAL}"}}}}',
    reference=AGENTS_SECURITY,
    own=True,
)


def pass_role(view: View) -> Iterator[Hit]:
    """PassRole that is bound to no role and no service."""
    yield from _unbound(
        view,
        ("iam:passrole",),
        "lets every role of the account be passed to every service",
        f'name the role, and add "Condition": {{"StringEquals": {{"iam:PassedToService": "{SERVICE_PRINCIPAL}"}}}}',
    )


RULES: Final = (
    DocumentRule(NO_BEARER, no_bearer),
    DocumentRule(NO_TAGS, list_without_tags),
    DocumentRule(NO_TAGGING, tagged_without_permission),
    DocumentRule(MARKETPLACE, marketplace),
    DocumentRule(PASS_ROLE, pass_role),
)
