"""Rules about what a statement reaches: actions whose resource it does not name, and resources that no action has.

IAM stores such statements without a word; they grant or refuse nothing.
Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import islice
from json import dumps
from typing import Final

from mantle_iam.audit.findings import Certainty, Severity
from mantle_iam.audit.lint.arns import fault_of
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
    spells_service,
)
from mantle_iam.iam.inventory import UNRESOLVED
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_REFERENCE, SERVICE
from mantle_iam.mantle.sources import DATA_RETENTION, PROJECT_SECURITY, SERVICE_AUTHORIZATION, Source

_ARN_FIELDS: Final = 6
_LONG: Final = 80
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


@lru_cache(maxsize=1)
def dead_actions(view: View) -> tuple[tuple[Rule, Hit], ...]:
    """Named actions that their statement's resources never reach, each under the rule that explains it.

    Each of the four rules asks it of a view in its turn.
    """
    # Most documents name nothing of Mantle.
    return tuple(_dead_actions(view)) if view.names_mantle else ()


def _dead_actions(view: View) -> Iterator[tuple[Rule, Hit]]:
    for statement in view.known:
        if not statement.statement.actions:
            continue
        for pattern in statement.patterns:
            names = [name for name in pattern.names if not is_preview(name)]
            if not names or any(statement.reaches(name) for name in names):
                continue
            # `bedrock*:*` on models is written for bedrock-runtime; the use of keys has no resource on either endpoint.
            if not spells_service(pattern.text) and (names != [BEARER_ACTION] or not pattern.ours):
                continue
            rule = _explaining(names, statement)
            if rule is WRONG_TYPE and all(
                service_of(each) == SERVICE and fault_of(each) for each in statement.statement.resources
            ):
                continue  # each of these ARNs has a finding of its own
            yield rule, _dead(view, statement, pattern, names, rule)


def _explaining(names: list[str], statement: StatementView) -> Rule:
    if names == [BEARER_ACTION]:
        return BEARER_ON_RESOURCE
    if not any(resource_kinds(name) for name in names):
        return ACCOUNT_ACTION
    runtime = any(service_of(each) == MODEL_SERVICE for each in statement.statement.resources)
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
    return Hit(
        f"`{one_line(pattern.text)}`, {where}, is never {does} by this statement"
        + ("; another one does it" if harmless else ""),
        pattern.pointer,
        statement.index,
        "take it out" if harmless else f"{_alone(statement, pattern)} {_resource(statement, kinds)}",
        severity=Severity.INFO if harmless else None,
    )


def _alone(statement: StatementView, pattern: Pattern) -> str:
    """Whether the statement can be changed, or has other actions that need what it names."""
    return "use" if all(each is pattern for each in statement.patterns) else "give it a statement with"


def _resource(statement: StatementView, kinds: Iterable[str]) -> str:
    """The element as it is to be written, in the statement's own partition."""
    arns = [_any_of(statement, kind) for kind in kinds] or ["*"]
    return f'`"Resource": {dumps(arns if len(arns) > 1 else arns[0])}`'


def _any_of(statement: StatementView, kind: str) -> str:
    """All resources of a type, in the partition, region and account that the statement has already."""
    written = next((each.split(":") for each in statement.statement.resources if each.startswith("arn:aws")), [])
    if len(written) != _ARN_FIELDS or written[2] not in (SERVICE, MODEL_SERVICE) or len(":".join(written[:5])) > _LONG:
        return f"arn:{written[1] if written and len(written[1]) < _LONG else 'aws'}:{SERVICE}:*:*:{kind}/*"
    return f"arn:{written[1]}:{SERVICE}:{written[3] or '*'}:{written[4] or '*'}:{kind}/*"


def _of(rule: Rule) -> DocumentRule:
    def check(view: View) -> Iterator[Hit]:
        return (hit for found, hit in dead_actions(view) if found is rule)

    return DocumentRule(rule, check)


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

    @cache
    def unreached(name: str) -> tuple[str, ...]:
        granting = [each for each in view.granting if name in each.names]
        return tuple(kind for kind in required_kinds(name) if not any(each.reaches_kind(kind) for each in granting))

    for statement in view.granting:
        for pattern in statement.patterns if statement.statement.actions else ():
            name = pattern.names[0] if pattern.exact and pattern.names else ""
            kinds = required_kinds(name)
            if len(kinds) < 2:
                continue
            missing = unreached(name)
            if missing and len(missing) < len(kinds):
                yield Hit(
                    f"`{name}` needs {' and '.join(f'`{kind}/…`' for kind in kinds)}, and the document allows it on no "
                    f"{' or '.join(missing)}",
                    pattern.pointer,
                    statement.index,
                    f"add {' and '.join(f'`{_any_of(statement, kind)}`' for kind in missing)} to its `Resource`",
                )


REACHES_LESS: Final = Rule(
    id="wildcard-reaches-less",
    title="A wildcard that reaches less than it seems to",
    severity=Severity.INFO,
    confidence=Certainty.HIGH,
    purposes=GRANTING,
    what="Finds action patterns such as `bedrock-mantle:Get*` or `bedrock-mantle:*` on projects, and names the actions that the "
    "pattern covers and the resource does not, where no other statement allows them. Where `CallWithBearerToken` is among them "
    "and callers use a key (`--auth`), or where nothing is left that is granted, it is a warning.",
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
            lost = [name for name in names if not (_reaches_all(statement, name) or view.allows(name))]
            if not lost or not any(statement.reaches(name) for name in names):
                continue  # that it reaches nothing at all is another rule's to say
            bearer = BEARER_ACTION in lost and view.auth is not None and view.auth.is_bearer
            lost.sort(key=lambda name: name != BEARER_ACTION)
            short = [name.partition(":")[2] for name in lost]
            yield Hit(
                f"`{one_line(pattern.text)}` does not grant {some(short)} here: "
                f"{'they are' if len(lost) > 1 else 'it is'} not authorised on {_reach(statement)} alone",
                pattern.pointer,
                statement.index,
                "add a statement for those that are needed, on `*` or on their own type of resource",
                severity=Severity.WARNING if bearer or len(lost) == len(names) else None,
            )


def _reaches_all(statement: StatementView, name: str) -> bool:
    return statement.reaches(name) and all(statement.reaches_kind(kind) for kind in required_kinds(name))


def _reach(statement: StatementView) -> str:
    if statement.statement.resources:
        return some(statement.statement.resources, 2)
    return f"what is not {some(statement.statement.not_resources, 2)}"


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

    @cache
    def wider(name: str) -> tuple[StatementView, ...]:
        # Of whichever statement is looked at, two tell whether there is another.
        alive = (each for each in view.granting if each.alive(name))
        return tuple(islice((each for each in alive if not all(map(_single_project, each.statement.resources))), 2))

    for statement in view.granting:
        resources = [each for each in statement.statement.resources if overlaps(each, "project")]
        if statement.unresolved or not resources or not all(_single_project(each) for each in resources):
            continue
        for pattern in statement.patterns:
            name = pattern.names[0] if pattern.exact and pattern.names else ""
            if name in _OF_NO_PROJECT and all(each is statement for each in wider(name)):
                yield Hit(
                    f"`{name}` names no project in its call, and {some(resources, 2)} likely does not cover it",
                    pattern.pointer,
                    statement.index,
                    f"{_alone(statement, pattern)} {_resource(statement, ('project',))}",
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
    DocumentRule(SECOND_ARN, second_arn),
    DocumentRule(REACHES_LESS, reaches_less),
    DocumentRule(ONE_PROJECT, one_project),
)
