"""Denials about what calls may reach and change: models, regions, costly resources, data retention.

Sources: https://github.com/aws-samples/service-control-policy-examples (narrowed to the actions that carry the model),
https://docs.aws.amazon.com/bedrock/latest/userguide/data-retention.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.kinds.denial import (
    OTHER_REGION,
    Built,
    actions_on,
    deny,
    preview_note,
    request_for,
    sample,
    spellings,
    with_key,
)
from mantle_iam.generate.kinds.wish import Wish
from mantle_iam.generate.patterns import example
from mantle_iam.iam.policy import Condition
from mantle_iam.mantle import catalog
from mantle_iam.mantle.endpoint import partition_of
from mantle_iam.mantle.overlay import MODEL_KEY, SERVICE

RETENTION_KEY: Final = "bedrock-mantle:DataRetentionMode"


def other_models(wish: Wish) -> Built:
    """Calls to every model but those of the scope.

    Raises:
        InputError: the scope has no model.
    """
    models = tuple(sorted(set(wish.scope.models)))
    if not models:
        raise InputError("`other-models` needs the models that stay allowed", help="--model takes an id; repeat it")
    actions = tuple(info.name for info in catalog.actions() if catalog.carries(info.name, MODEL_KEY))
    # Of many approved ids a few stand for what only looks like one of them.
    near = [text for model in models[:3] for text in (f"{model}-2", model.swapcase()) if text not in models]
    others = ["example.not-approved-1", *near]
    calls = [
        request_for(name, resource) for action in actions for name in spellings(action) for resource in sample(action)
    ]
    return Built(
        (deny("OnlyApprovedModels", *actions, conditions=(Condition("StringNotEquals", MODEL_KEY, models),)),),
        denied=(*(with_key(call, MODEL_KEY, other) for call in calls for other in others), *calls),
        kept=tuple(with_key(call, MODEL_KEY, model) for call in calls for model in models),
        notes=(
            f"{MODEL_KEY} is compared with the whole id, case included: a dated alias of an approved model is another one",
            "a call that carries no model is denied; only actions that carry the key are named, so that listing models and "
            "calling with a key go on",
            "it binds Mantle alone: bedrock-runtime's models are resources of bedrock:InvokeModel",
        ),
    )


def other_regions(wish: Wish) -> Built:
    """Everything that has a resource, outside of the scope's regions.

    Raises:
        InputError: the scope has no region.
    """
    regions = tuple(sorted(set(wish.scope.regions)))
    if not regions:
        raise InputError(
            "`other-regions` needs the regions that stay allowed", help="--region takes a region; repeat it"
        )
    actions = actions_on(("project", "customized-model", "reservation"))
    approved = tuple(f"arn:{partition_of(region)}:{SERVICE}:{region}:*:*" for region in regions)
    elsewhere = _elsewhere(regions)
    # Also for the approved projects, so that a denial of other projects does not pass for one of other regions.
    projects = ("default", *_project_ids(wish))
    statement = replace(deny("OnlyApprovedRegions", *actions), resources=(), not_resources=approved)
    left_out = ", ".join(sorted(n.partition(":")[2] for n in _without_resource()))
    return Built(
        (statement,),
        denied=tuple(
            request_for(name, resource)
            for action in actions
            for name in spellings(action)
            for project in projects
            for resource in sample(action, elsewhere, project)
        ),
        kept=tuple(
            request_for(action, resource)
            for action in actions
            for region in regions
            for resource in sample(action, region)
        ),
        notes=(
            "the region is taken from the resource's ARN: whether Mantle sends aws:RequestedRegion is disputed (two reports "
            "against, one for)",
            f"{left_out} have no resource and so no region in their ARN; they stay as they are",
            *preview_note(),
        ),
    )


def plain(sid: str, *actions: str, notes: tuple[str, ...] = ()) -> Callable[[Wish], Built]:
    """A denial of ``actions`` whatever they are on."""

    def build(_: Wish) -> Built:
        return Built(
            (deny(sid, *actions),),
            denied=tuple(
                request_for(name, arn) for action in actions for name in spellings(action) for arn in sample(action)
            ),
            kept=(),
            notes=notes,
        )

    return build


def retention(_: Wish) -> Built:
    """Setting a data retention mode, of the account or of a project."""
    put = "bedrock-mantle:PutAccountDataRetention"
    setting = ("bedrock-mantle:CreateProject", "bedrock-mantle:UpdateProject")
    calls = [request_for(name, arn) for action in setting for name in spellings(action) for arn in sample(action)]
    return Built(
        (
            deny("NoAccountRetentionChanges", put),
            deny("NoProjectRetentionChanges", *setting, conditions=(Condition("Null", RETENTION_KEY, ("false",)),)),
        ),
        denied=(
            *(request_for(name) for name in spellings(put)),
            *(with_key(call, RETENTION_KEY, mode) for call in calls for mode in ("none", "default", "inherit")),
        ),
        kept=(*calls, request_for("bedrock-mantle:GetAccountDataRetention")),
        notes=(
            "projects can still be made and changed as long as the call sets no retention mode; that such a call lacks "
            f"{RETENTION_KEY} is an inference",
        ),
    )


def _without_resource() -> tuple[str, ...]:
    return tuple(info.name for info in catalog.actions(preview=False) if not info.resource_types)


def _elsewhere(regions: tuple[str, ...]) -> str:
    """A region that is not among ``regions``, of the partition of one of them where there is such a one."""
    partition = partition_of(regions[0])
    candidates = {"aws": (OTHER_REGION, "us-east-2", "sa-east-1"), "aws-us-gov": ("us-gov-west-1", "us-gov-east-1")}
    known = (*candidates.get(partition, ()), *(region for many in candidates.values() for region in many))
    # A region that nobody has is as far from being approved as any.
    return next((region for region in known if region not in regions), "us-test-9")


def _project_ids(wish: Wish) -> tuple[str, ...]:
    texts = (project.rpartition("/")[2] for project in wish.scope.projects)
    return tuple(dict.fromkeys(example(text, "x7q4") for text in texts if "${" not in text))
