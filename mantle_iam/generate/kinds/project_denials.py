"""The denial of everything on projects that are not approved, by id or by tag.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/security-iam-projects.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mantle_iam.errors import InputError
from mantle_iam.generate.kinds.denial import (
    Built,
    actions_on,
    deny,
    mantle_arn,
    preview_note,
    request_for,
    sample,
    spellings,
    two_regions,
)
from mantle_iam.generate.kinds.wish import Wish
from mantle_iam.generate.witness import requests_for
from mantle_iam.iam.matching import glob
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.request import AuthorizationRequest, ContextValue
from mantle_iam.mantle import catalog
from mantle_iam.mantle.operations import Permission, takes_any_project
from mantle_iam.mantle.overlay import SERVICE


def other_projects(wish: Wish) -> Built:
    """Everything on projects but those of the scope, by id or by tag.

    Raises:
        InputError: the scope names no project and no tag, or every project.
    """
    if not wish.scope.projects and not wish.scope.project_tags:
        raise InputError(
            "`other-projects` needs the projects that stay allowed", help="--project takes an id or ARN; repeat it"
        )
    actions = tuple(name for name in actions_on(("project",)) if not takes_any_project(name))
    parts = [_by_id(wish, actions), _by_tag(wish, actions)]
    left_out = " and ".join(sorted(n.partition(":")[2] for n in actions_on(("project",)) if takes_any_project(n)))
    return Built(
        tuple(statement for part in parts for statement in part.statements),
        tuple(request for part in parts for request in part.denied),
        tuple(request for part in parts for request in part.kept),
        (
            f"{left_out} are left out: no single project's ARN was seen to cover them (creation: --deny project-creation)",
            "a call that names no project in its header is authorised on project/default, and denied unless that is approved",
            *preview_note(),
        ),
    )


def _by_id(wish: Wish, actions: tuple[str, ...]) -> Built:
    """Everything on projects of another id; customized models and reservations, which the same actions name, are let be."""
    if not wish.scope.projects:
        return Built((), (), ())
    # Regions are another denial's; an id is approved wherever it is.
    anywhere = replace(wish.scope, regions=(), partition=wish.own_partition)
    approved = catalog.resource_arns("bedrock-mantle:CreateInference", anywhere)
    apart = tuple(f"arn:{wish.own_partition}:{SERVICE}:*:*:{name}/*" for name in ("customized-model", "reservation"))
    patterns = tuple(sorted({*approved, *apart}))
    statement = replace(deny("OnlyApprovedProjects", *actions), resources=(), not_resources=patterns)
    # With the right tags, where those are asked for too: so that what is shown is what the id does.
    right = _right_tags(wish)
    return Built(
        (statement,),
        denied=tuple(
            replace(request_for(name, arn), context=right)
            for action in actions
            for name in spellings(action)
            for arn in _strange_projects(wish)
        ),
        kept=(
            # A permission's own representatives: also of patterns, and of variables with a value for them.
            *(
                replace(one, context={**one.context, **right})
                for action in actions
                for arn in approved
                for one in requests_for(Permission(action, arn))
            ),
            *_on_other_types(actions, wish.own_partition),
        ),
    )


def _by_tag(wish: Wish, actions: tuple[str, ...]) -> Built:
    """Everything on projects without the tags; on those alone, since the same actions also name other things with tags."""
    tags: dict[str, list[str]] = {}
    for key, value in wish.scope.project_tags:
        tags.setdefault(key, []).append(value)
    projects = f"arn:{wish.own_partition}:{SERVICE}:*:*:project/*"
    statements = tuple(
        deny(
            f"OnlyProjectsWithTag{number or ''}",
            *actions,
            resources=(projects,),
            conditions=(Condition("StringNotEquals", f"aws:ResourceTag/{key}", tuple(sorted(set(values)))),),
        )
        for number, (key, values) in enumerate(sorted(tags.items()))
    )
    right = _right_tags(wish)
    wrong = [{**right, f"aws:ResourceTag/{key}": _unlike(values)} for key, values in tags.items()]
    absent = [{name: value for name, value in right.items() if name != key} for key in right]
    calls = [call for action in actions for name in spellings(action) for call in _approved_calls(wish, name)]
    alternatives = [{**right, f"aws:ResourceTag/{key}": value} for key, values in tags.items() for value in values]
    return Built(
        statements,
        denied=tuple(replace(one, context={**one.context, **tag}) for one in calls for tag in (*wrong, *absent)),
        kept=(
            *(replace(one, context={**one.context, **tag}) for one in calls for tag in alternatives),
            *(_on_other_types(actions, wish.own_partition) if tags else ()),
        ),
    )


def _right_tags(wish: Wish) -> dict[str, ContextValue]:
    """One approved value of each tag."""
    return {f"aws:ResourceTag/{key}": value for key, value in reversed(wish.scope.project_tags)}


def _approved_calls(wish: Wish, action: str) -> tuple[AuthorizationRequest, ...]:
    """``action`` on a project whose id is approved; of any id where none is named."""
    if not wish.scope.projects:
        return (request_for(action, mantle_arn(two_regions(wish.own_partition)[0], "project/proj_x7q4")),)
    anywhere = replace(wish.scope, regions=(), partition=wish.own_partition)
    first = catalog.resource_arns("bedrock-mantle:CreateInference", anywhere)[0]
    return requests_for(Permission(action, first))[:1]


def _strange_projects(wish: Wish) -> tuple[str, ...]:
    """A project that is not approved, in two regions.

    Raises:
        InputError: the approved ones are every project.
    """
    approved = [glob(project.rpartition("/")[2]) for project in wish.scope.projects]
    for name in ("proj_notapprovedx7q4", "default", "x7q4"):
        if not any(pattern.matches(name) for pattern in approved):
            return tuple(mantle_arn(region, f"project/{name}") for region in two_regions(wish.own_partition))
    raise InputError(
        "the approved projects are every project, so there is no other one to deny", help="--project takes an id"
    )


def _unlike(values: list[str]) -> str:
    """A value that is none of ``values``."""
    text = "x7q4"
    while text in values:
        text += "-"
    return text


def _on_other_types(actions: tuple[str, ...], partition: str) -> Iterator[AuthorizationRequest]:
    """The actions on customized models and reservations, where they take such."""
    for action in actions:
        for arn in sample(action):
            if ":project/" not in arn:
                yield request_for(action, arn.replace("arn:aws:", f"arn:{partition}:", 1))
