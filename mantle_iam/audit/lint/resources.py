"""Rules about what a statement reaches: actions whose resource it does not name, and resources that no action has.

IAM stores such statements without a word; they grant or refuse nothing.
Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.rule import GRANTING, MANTLE, DocumentRule, Hit, Rule, one_line, some
from mantle_iam.audit.lint.view import (
    MODEL_SERVICE,
    Pattern,
    StatementView,
    View,
    is_preview,
    overlaps,
    required_kinds,
    resource_kinds,
    service_of,
    without_variables,
)
from mantle_iam.iam.inventory import UNRESOLVED
from mantle_iam.mantle import catalog
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_REFERENCE, SERVICE
from mantle_iam.mantle.sources import DATA_RETENTION, PROJECT_SECURITY, SERVICE_AUTHORIZATION, Source

_PROJECTS: Final = "arn:aws:bedrock-mantle:*:*:project/*"

MODEL_ARN: Final = Rule(
    id="mantle-action-on-model-arn",
    title="An action of Mantle on the ARN of a foundation model",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds actions of `bedrock-mantle` in a statement that names resources of `bedrock` (foundation models, "
    "inference profiles) and none of the action's own.",
    why="Mantle authorises a call on a *project*; models are no resources there. A statement taken over from "
    "bedrock-runtime never applies. Single models are chosen by the condition key `bedrock-mantle:Model`.",
    bad='"Action": "bedrock-mantle:CreateInference", "Resource": '
    '"arn:aws:bedrock:*::foundation-model/openai.gpt-oss-120b"',
    instead=f'"Action": "bedrock-mantle:CreateInference", "Resource": "{_PROJECTS}", '
    '"Condition": {"StringEquals": {"bedrock-mantle:Model": "openai.gpt-oss-120b"}}',
    reference=SERVICE_AUTHORIZATION,
)
BEARER_ON_RESOURCE: Final = Rule(
    id="bearer-token-on-resource",
    title="`CallWithBearerToken` scoped to a project",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds `bedrock-mantle:CallWithBearerToken` in a statement whose resources do not include `*`.",
    why="The action has no resource: the service asks for it on `*`, and an ARN does not cover `*`. Every call with a"
    " key is refused with `not authorized to perform: bedrock-mantle:CallWithBearerToken on resource: *`; a Deny "
    "refuses nothing.",
    bad=f'"Action": ["bedrock-mantle:CreateInference", "{BEARER_ACTION}"], "Resource": "{_PROJECTS}"',
    instead=f'two statements, the second: "Action": "{BEARER_ACTION}", "Resource": "*"',
    reference=BEARER_REFERENCE,
)
ACCOUNT_ACTION: Final = Rule(
    id="account-action-on-resource",
    title="An action of the account on a resource",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds `GetAccountDataRetention` and `PutAccountDataRetention` in a statement whose resources do not include "
    "`*`.",
    why="They concern the account and have no resource; the service asks for them on `*`, which no ARN covers.",
    bad=f'"Action": "bedrock-mantle:GetAccountDataRetention", "Resource": "{_PROJECTS}"',
    instead='"Action": "bedrock-mantle:GetAccountDataRetention", "Resource": "*"',
    reference=DATA_RETENTION,
)
WRONG_TYPE: Final = Rule(
    id="wrong-resource-type",
    title="An action on resources of another type",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds actions of Mantle in a statement that names no resource of a type that they work on.",
    why="Projects, customized models and reservations are types of their own. `GetReservation` on `project/*` is "
    "never granted.",
    bad=f'"Action": "bedrock-mantle:GetReservation", "Resource": "{_PROJECTS}"',
    instead='"Action": "bedrock-mantle:GetReservation", "Resource": "arn:aws:bedrock-mantle:*:*:reservation/*"',
    reference=SERVICE_AUTHORIZATION,
)


def dead_actions(view: View) -> Iterator[tuple[Rule, Hit]]:
    """Named actions that their statement's resources never reach, each under the rule that explains it."""
    for statement in view.known:
        if not statement.statement.actions:
            continue
        runtime = any(service_of(each) == MODEL_SERVICE for each in statement.statement.resources)
        for pattern in statement.patterns:
            names = [name for name in pattern.names if not is_preview(name)]
            if not names or any(statement.reaches(name) for name in names):
                continue
            if not statement.speaks_of_mantle:
                continue
            rule = _explaining(names, runtime=runtime)
            yield rule, _dead(view, statement, pattern, names, rule)


def _explaining(names: list[str], *, runtime: bool) -> Rule:
    if names == [BEARER_ACTION]:
        return BEARER_ON_RESOURCE
    if not any(resource_kinds(name) for name in names):
        return ACCOUNT_ACTION
    return MODEL_ARN if runtime else WRONG_TYPE


def _dead(view: View, statement: StatementView, pattern: Pattern, names: list[str], rule: Rule) -> Hit:
    does = "granted" if statement.allow else "refused"
    kinds = sorted({kind for name in names for kind in resource_kinds(name)})
    own = " or ".join(f"`{kind}/…`" for kind in kinds)
    where = {
        BEARER_ON_RESOURCE.id: "which is asked for on `*` only",
        ACCOUNT_ACTION.id: "which is asked for on `*` only",
        MODEL_ARN.id: f"which works on {own} and never on an ARN of `bedrock`",
        WRONG_TYPE.id: f"which works on {own}, not on {some(statement.statement.resources, 2)}",
    }[rule.id]
    harmless = statement.allow and all(view.allows(name, but=statement) for name in names)
    arns = " and ".join(f"`arn:aws:{SERVICE}:*:*:{kind}/*`" for kind in kinds)
    return Hit(
        f"`{one_line(pattern.text)}`, {where}, is never {does} by this statement"
        + ("; another one does it" if harmless else ""),
        pattern.pointer,
        statement.index,
        "take it out"
        if harmless
        else f"use {arns} as `Resource`"
        if kinds
        else 'give it a statement with `"Resource": "*"`',
        severity=Severity.INFO if harmless else None,
    )


def _of(rule: Rule) -> DocumentRule:
    def check(view: View) -> Iterator[Hit]:
        return (hit for found, hit in dead_actions(view) if found is rule)

    return DocumentRule(rule, check)


NO_SUCH_RESOURCE: Final = Rule(
    id="resource-never-matches",
    title="An ARN of Mantle that no resource has",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=MANTLE,
    what="Finds ARNs with the service field `bedrock-mantle` that fit no project, customized model or reservation: a "
    "misspelt type (`projects/…`, `workspace/…`), an empty region or account, a partition that the region does "
    "not belong to.",
    why="A pattern that matches nothing grants and refuses nothing, and IAM does not say so. A workspace of the "
    "Messages API *is* a project: its ARN reads `project/…`.",
    bad='"Resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:workspace/proj_abc"',
    instead='"Resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_abc"',
    reference=SERVICE_AUTHORIZATION,
)


def no_such_resource(view: View) -> Iterator[Hit]:
    """Resource patterns of the service that cover nothing."""
    kinds = tuple(catalog.resource_types())
    for statement in view.statements:
        element = "Resource" if statement.statement.resources else "NotResource"
        for at, pattern in enumerate(statement.statement.resources or statement.statement.not_resources):
            if service_of(pattern) != SERVICE or len(pattern) > 512:
                continue
            reason = _foreign_partition(pattern)
            if reason is None and not any(overlaps(pattern, kind) for kind in kinds):
                reason = f"fits none of {', '.join(f'`{kind}/…`' for kind in kinds)} in a region and an account"
            if reason is not None:
                yield Hit(
                    f"`{one_line(pattern)}` {reason}, so that it covers no resource",
                    f"{statement.pointer}/{element}/{at}",
                    statement.index,
                    f"write arn:PARTITION:{SERVICE}:REGION:ACCOUNT:project/ID, with `*` for what is any",
                )


def _foreign_partition(pattern: str) -> str | None:
    fields = without_variables(pattern).split(":", 4)
    if len(fields) < 5 or "*" in fields[1] + fields[3] or "?" in fields[1] + fields[3]:
        return None
    if not fields[3] or partition_of(fields[3]) == fields[1]:
        return None
    return f"names the region `{one_line(fields[3])}`, which is in the partition `{partition_of(fields[3])}`"


SECOND_ARN: Final = Rule(
    id="missing-second-arn",
    title="An action on two resources, allowed on one",
    severity=Severity.ERROR,
    confidence=Certainty.HIGH,
    purposes=GRANTING,
    what="Finds `CreateReservation`, `UpdateReservation`, `DeleteReservation`, `AssociateCustomizedModel` and "
    "`DisassociateCustomizedModel` where the document allows them on one of the two types of resource that they need.",
    why="Such an action is authorised on both ARNs, and both have to be allowed.",
    bad=f'"Action": "bedrock-mantle:CreateReservation", "Resource": "{_PROJECTS}"',
    instead=f'"Resource": ["{_PROJECTS}", "arn:aws:bedrock-mantle:*:*:reservation/*"]',
    reference=SERVICE_AUTHORIZATION,
)


def second_arn(view: View) -> Iterator[Hit]:
    """Actions on two types of resource that are allowed on one of them."""
    if not view.resolved:
        return
    for statement in view.statements:
        if not statement.allow or not statement.statement.actions:
            continue
        for pattern in statement.patterns:
            name = pattern.names[0] if pattern.exact and pattern.names else ""
            kinds = required_kinds(name)
            if len(kinds) < 2:
                continue
            granting = [each for each in view.statements if each.allow and name in each.names]
            missing = [kind for kind in kinds if not any(each.reaches_kind(kind) for each in granting)]
            if missing and len(missing) < len(kinds):
                yield Hit(
                    f"`{name}` needs {' and '.join(f'`{kind}/…`' for kind in kinds)}, and the document allows it on no "
                    f"{' or '.join(missing)}",
                    pattern.pointer,
                    statement.index,
                    f"add {' and '.join(f'`arn:aws:{SERVICE}:*:*:{kind}/*`' for kind in missing)} to its `Resource`",
                )


REACHES_LESS: Final = Rule(
    id="wildcard-reaches-less",
    title="A wildcard that reaches less than it seems to",
    severity=Severity.INFO,
    confidence=Certainty.HIGH,
    purposes=GRANTING,
    what="Finds action patterns such as `bedrock-mantle:Get*` or `bedrock-mantle:*` on projects, and names the actions that the "
    "pattern covers and the resource does not, where no other statement allows them. Where `CallWithBearerToken` is among them "
    "and callers use a key (`--auth`), it is a warning.",
    why="`Get*` covers `GetReservation`, and `project/*` does not cover a reservation: the call is refused. "
    "`bedrock-mantle:*` on `project/*` looks like everything and refuses every call with a key, since "
    "`CallWithBearerToken` is asked for on `*`. AWS's managed policies have `Get*` and `List*` on `project/*`, "
    "too, and grant just as little by them.",
    bad=f'"Action": "bedrock-mantle:*", "Resource": "{_PROJECTS}"',
    instead=f'in addition "Action": ["{BEARER_ACTION}", "bedrock-mantle:GetAccountDataRetention"], "Resource": "*"',
    reference=SERVICE_AUTHORIZATION,
    own=True,
)


def reaches_less(view: View) -> Iterator[Hit]:
    """Action patterns of which only a part is reached."""
    if not view.resolved:
        return
    for statement in view.statements:
        if not statement.allow or not statement.speaks_of_mantle or not statement.statement.actions:
            continue
        for pattern in statement.patterns:
            names = () if pattern.exact else tuple(name for name in pattern.names if not is_preview(name))
            lost = [name for name in names if not statement.reaches(name) and not view.allows(name)]
            if not lost or len(lost) == len(names):
                continue
            bearer = BEARER_ACTION in lost and view.auth is not None and view.auth.is_bearer
            lost.sort(key=lambda name: name != BEARER_ACTION)
            short = [name.partition(":")[2] for name in lost]
            yield Hit(
                f"`{one_line(pattern.text)}` does not grant {some(short)} here: "
                f"{'they are' if len(lost) > 1 else 'it is'} not asked for on {some(statement.statement.resources, 2)}",
                pattern.pointer,
                statement.index,
                "add a statement for those that are needed, on `*` or on their own type of resource",
                severity=Severity.WARNING if bearer else None,
            )


ONE_PROJECT: Final = Rule(
    id="list-of-projects-on-one-project",
    title="`ListProjects` or `CreateProject` on one project",
    severity=Severity.WARNING,
    confidence=Certainty.LOW,
    purposes=GRANTING,
    what="Finds an Allow of `ListProjects` or `CreateProject` whose resources are single projects.",
    why="Neither call names a project, so that the ARN of one project very likely does not cover it. No page says on "
    "which ARN they are authorised; AWS's managed policies allow `List*` on `project/*`.",
    bad='"Action": "bedrock-mantle:ListProjects", "Resource": '
    '"arn:aws:bedrock-mantle:us-east-1:111122223333:project/proj_abc"',
    instead='"Action": "bedrock-mantle:ListProjects", "Resource": '
    '"arn:aws:bedrock-mantle:us-east-1:111122223333:project/*"',
    reference=PROJECT_SECURITY,
    source=Source.INF,
)
_OF_NO_PROJECT: Final = (f"{SERVICE}:ListProjects", f"{SERVICE}:CreateProject")


def one_project(view: View) -> Iterator[Hit]:
    """ListProjects and CreateProject on single projects alone."""
    for statement in view.known:
        resources = [each for each in statement.statement.resources if overlaps(each, "project")]
        if not statement.allow or not resources or not all(_single_project(each) for each in resources):
            continue
        for pattern in statement.patterns:
            name = pattern.names[0] if pattern.exact and pattern.names else ""
            if name in _OF_NO_PROJECT and not _elsewhere(view, statement, name):
                yield Hit(
                    f"`{name}` names no project in its call, and {some(resources, 2)} likely does not cover it",
                    pattern.pointer,
                    statement.index,
                    "allow it on `project/*`",
                )


def _elsewhere(view: View, statement: StatementView, name: str) -> bool:
    return any(
        each.allow
        and each is not statement
        and each.alive(name)
        and not all(_single_project(pattern) for pattern in each.statement.resources)
        for each in view.statements
    )


def _single_project(pattern: str) -> bool:
    _, mark, project = pattern.rpartition(":project/")
    # A variable stands for one project; `${*}` is the rare text that is not.
    return bool(mark) and "*" not in project and "?" not in project and UNRESOLVED not in project


RULES: Final = (
    _of(MODEL_ARN),
    _of(BEARER_ON_RESOURCE),
    _of(ACCOUNT_ACTION),
    _of(WRONG_TYPE),
    DocumentRule(NO_SUCH_RESOURCE, no_such_resource),
    DocumentRule(SECOND_ARN, second_arn),
    DocumentRule(REACHES_LESS, reaches_less),
    DocumentRule(ONE_PROJECT, one_project),
)
