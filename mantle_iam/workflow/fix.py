"""From diagnoses to the smallest policy that ends the refusal, with a proof, or to the layer that makes any policy useless.

The last step of the reasoning (DESIGN, "Prove the fix"): what is missing becomes a policy, the policy is evaluated together
with the policies that bind the principal, and only what holds is offered.  Makes no call; prints nothing.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mantle_iam.diagnose.case import Case, Report
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.errors import MantleIamError
from mantle_iam.generate.witness import requests_for
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import PolicyDocument, Principals
from mantle_iam.iam.principals import is_principal
from mantle_iam.iam.request import (
    AuthorizationRequest,
    Decision,
    EvaluationResult,
    PolicySet,
    PolicyType,
)
from mantle_iam.mantle import overlay
from mantle_iam.report.proposal import Blocker, Change, Fix, ManagedAlternative, Proof, Reason, Target
from mantle_iam.report.result import Part
from mantle_iam.workflow.circumstances import circumstances
from mantle_iam.workflow.target import attach_commands, find_target
from mantle_iam.workflow.wanted import GRANTABLE, Wanted, auth_method, wanted_permissions, without_placeholders

if TYPE_CHECKING:
    from mantle_iam.report.managed_records import ManagedPolicy

_ADDABLE = frozenset(
    (
        PolicyType.IDENTITY,
        PolicyType.PERMISSIONS_BOUNDARY,
        PolicyType.SESSION,
        PolicyType.SCP,
        PolicyType.VPC_ENDPOINT,
        PolicyType.RESOURCE,
    )
)
"""Layers to which an Allow can be added.  An RCP only denies: its one Allow, RCPFullAWSAccess, is AWS's own."""

_HOW = {
    PolicyType.PERMISSIONS_BOUNDARY: "a permissions boundary is a managed policy: add the statements in a new default version "
    "(aws iam create-policy-version --set-as-default)",
    PolicyType.SESSION: "a session policy is passed by whoever assumes the role (Policy and PolicyArns of AssumeRole and its "
    "kin): add the statements there",
    PolicyType.SCP: "an SCP is edited in AWS Organizations, and every level from the root to the account has to allow it",
    PolicyType.VPC_ENDPOINT: "aws ec2 modify-vpc-endpoint --policy-document replaces the whole policy: add the statements to "
    "what is there",
    PolicyType.RESOURCE: "add the statements to the policy of the resource",
}
"""How the statements get into a layer that is not the identity's own."""

_WITH_PRINCIPAL = frozenset((PolicyType.VPC_ENDPOINT, PolicyType.RESOURCE))


def propose_fix(report: Report, case: Case) -> Fix | None:
    """What would end the refusals that ``report`` diagnoses in ``case``; ``None`` when no policy is at fault."""
    return propose_fix_for((Part(case, report),))


def propose_fix_for(parts: Sequence[Part], managed: Callable[[], Iterable[ManagedPolicy]] | None = None) -> Fix | None:
    """One fix for several parts of one principal (Regions, say).

    ``managed``: the managed policies that may be offered instead, those that are shipped when ``None``; read only when there
    is something to offer.
    """
    denied = explicit_denials(parts)
    wanted, blockers, notes = _checked([one for part in parts for one in wanted_permissions(part)])
    blockers = (*denied, *blockers)
    if blockers:
        return Fix(blocked_by=blockers, notes=tuple(notes))
    if not wanted:
        return Fix(notes=tuple(notes)) if notes else None
    try:
        changes, more = _changes(wanted)
    except MantleIamError as error:
        # What cannot be written as a proven policy (an ARN with odd characters, say) must not take the diagnosis with it.
        return Fix(notes=(*notes, f"no policy is offered: {error.message}"))
    proof, blockers = _prove(wanted, changes)
    if blockers:
        return Fix(proof=proof, blocked_by=blockers, notes=tuple(notes))
    identity = next((change for change in changes if change.policy_type is PolicyType.IDENTITY), None)
    alternative = None
    if identity is not None and len(changes) == 1:
        requests = tuple(request for one in wanted for request in _requests(one))
        alternative = _alternative(requests, identity.target, _partition(wanted[0]), managed)
    notes += [*more, *_caveats(parts, wanted)]
    return Fix(changes, _confidence(parts), proof, (), alternative, tuple(dict.fromkeys(notes)))


def _alternative(
    requests: tuple[AuthorizationRequest, ...],
    target: Target | None,
    partition: str,
    managed: Callable[[], Iterable[ManagedPolicy]] | None,
) -> ManagedAlternative | None:
    from mantle_iam.workflow.managed import managed_alternative, managed_policies

    return managed_alternative(requests, target, partition, (managed or managed_policies)())


# -- what stands in the way


def explicit_denials(parts: Iterable[Part]) -> tuple[Blocker, ...]:
    """The Denies that the diagnoses name, unless they are mere possibilities."""
    return tuple(
        Blocker(
            diagnosis.policy_type,
            "explicit",
            diagnosis.actions,
            diagnosis.policy,
            "a Deny wins over every Allow; only who owns that policy can change it",
        )
        for part in parts
        for diagnosis in part.report.diagnoses
        # That some deny is possible is no deny.
        if diagnosis.confidence is not Confidence.INCONCLUSIVE
        and (diagnosis.code == "explicit-deny" or (diagnosis.effect == "explicit" and diagnosis.code in GRANTABLE))
    )


def _checked(wanted: Iterable[Wanted]) -> tuple[tuple[Wanted, ...], tuple[Blocker, ...], list[str]]:
    """Compare what is wanted with the policies that were read: drop what they allow already, find the withholding layers.

    Returns what remains, each in the layer that withholds it, the denies that no Allow can lift, and notes.
    """
    kept: list[Wanted] = []
    blockers: list[Blocker] = []
    notes: list[str] = []
    for one in wanted:
        policies = one.part.case.policies
        if policies is None:
            kept.append(one)
            continue
        results = [evaluate(request, policies) for request in _requests(one)]
        denied = [result for result in results if result.decision is Decision.EXPLICIT_DENY]
        if denied:
            blockers.append(_denied_by(one, denied[0]))
        elif all(result.decision is Decision.ALLOWED for result in results):
            if one.observed:
                notes.append(
                    f"the policies that were read allow {one.permission.action} already: either they are not in force yet, "
                    "or the refused call was made by another principal"
                )
        else:
            layers = {layer for result in results for layer in result.withheld_by} or {one.layer}
            kept.extend(replace(one, layer=layer) for layer in PolicyType if layer in layers)
    stuck = [one for one in kept if one.layer not in _ADDABLE]
    blockers += [Blocker(one.layer, "implicit", (one.permission.action,)) for one in stuck]
    return tuple(kept), tuple(dict.fromkeys(blockers)), notes


def _denied_by(wanted: Wanted, result: EvaluationResult) -> Blocker:
    reference = result.determining[0] if result.determining else None
    if reference is None:
        return Blocker(None, "explicit", (wanted.permission.action,))
    level = f" of level {reference.level}" if reference.level is not None else ""
    sid = f" ({reference.sid})" if reference.sid else ""
    where = f"statement {reference.statement + 1}{sid} of document {reference.document + 1}{level} denies it"
    return Blocker(reference.policy_type, "explicit", (wanted.permission.action,), None, where)


# -- the changes


def _changes(wanted: Sequence[Wanted]) -> tuple[tuple[Change, ...], list[str]]:
    principal = next((one.principal for one in wanted if one.principal), None)
    target, note = find_target(principal, wanted[0].part.case.credential)
    changes = []
    notes: list[str] = []
    # The order of PolicyType: the identity's own policy first.
    for layer in PolicyType:
        own = [one for one in wanted if one.layer is layer]
        if not own:
            continue
        change, more = _change(layer, own, target if layer is PolicyType.IDENTITY else None, principal)
        changes.append(change)
        notes += more
        if layer is PolicyType.IDENTITY and note:
            notes.append(note)
        if layer in _HOW:
            notes.append(_HOW[layer])
    return tuple(changes), notes


def _change(
    layer: PolicyType, wanted: Sequence[Wanted], target: Target | None, principal: str | None
) -> tuple[Change, list[str]]:
    # Most diagnoses need no policy, and its proof is the dearest import of `explain`.
    from mantle_iam.generate.least_privilege import least_privilege

    policy = least_privilege(tuple(dict.fromkeys(one.permission for one in wanted)))
    document = policy.document
    if layer in _WITH_PRINCIPAL:
        document = _for_principal(document, principal)
    by_permission = {one.permission: one for one in wanted}
    reasons = [
        Reason(
            index,
            permission.action,
            permission.resource,
            permission.because,
            by_permission[permission].observed,
            permission.source,
            permission.reference,
        )
        for index, permission in policy.causes
    ]
    # What refusals name comes first.
    reasons.sort(key=lambda reason: (not reason.observed, reason.statement, reason.action))
    commands = attach_commands(target, document)
    return Change(layer, document, tuple(reasons), target, commands), list(policy.notes)


def _for_principal(document: PolicyDocument, principal: str | None) -> PolicyDocument:
    """With the Principal element that endpoint and resource-based policies need.

    An endpoint policy takes any principal here: who may pass is the identity policies' business, and AWS accepts a session
    ARN in it only together with conditions (https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html).
    """
    anyone = Principals((("AWS", ("*",)),))
    return replace(document, statements=tuple(replace(one, principals=anyone) for one in document.statements))


# -- the proof


def _prove(wanted: Sequence[Wanted], changes: Sequence[Change]) -> tuple[Proof, tuple[Blocker, ...]]:
    """Evaluate every wanted request with the changes in force."""
    decisions: dict[str, Decision] = {}
    depends: dict[str, None] = {}
    blockers: list[Blocker] = []
    read = any(one.part.case.policies is not None for one in wanted)
    for one in wanted:
        policies = _applied(one.part.case.policies or _unread(one.principal), changes)
        for request in _requests(one):
            result = evaluate(request, policies)
            decisions[f"{request.action} {request.resources} {sorted(request.context.items())}"] = result.decision
            depends.update(dict.fromkeys(result.depends_on))
            if result.decision is Decision.EXPLICIT_DENY:
                blockers.append(_denied_by(one, result))
            elif result.decision is Decision.IMPLICIT_DENY:
                blockers += [Blocker(layer, "implicit", (request.action,)) for layer in result.withheld_by]
    # From worst to best: one request that stays refused is what the whole proof says.
    order = (Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY, Decision.UNKNOWN, Decision.ALLOWED)
    decision = next(word for word in order if word in decisions.values())
    return Proof(decision, tuple(depends), len(decisions), read), tuple(dict.fromkeys(blockers))


def _unread(principal: str | None) -> PolicySet:
    """The policies of a principal of whom nothing was read: every layer that may bind it is unknown."""
    layers = set(PolicyType) - {PolicyType.RESOURCE}
    # Only a session has session policies; a user signs with its own keys.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
    if principal is not None and ":user/" in principal:
        layers.discard(PolicyType.SESSION)
    return PolicySet(unknown=frozenset(layers))


def _applied(policies: PolicySet, changes: Iterable[Change]) -> PolicySet:
    """``policies`` with every change in its layer."""
    result = policies
    for change in changes:
        added = (change.document,)
        match change.policy_type:
            case PolicyType.IDENTITY:
                result = replace(result, identity=(*result.identity, *added))
            case PolicyType.PERMISSIONS_BOUNDARY:
                result = replace(result, permissions_boundary=(*(result.permissions_boundary or ()), *added))
            case PolicyType.SESSION:
                result = replace(result, session=(*(result.session or ()), *added))
            case PolicyType.SCP:
                # Every level must allow, so the statements go where a level does not; adding them to all does no harm.
                result = replace(result, scp=tuple((*level, *added) for level in result.scp or ((),)))
            case PolicyType.VPC_ENDPOINT:
                result = replace(result, vpc_endpoint=(*(result.vpc_endpoint or ()), *added))
            case _:
                result = replace(result, resource=(*(result.resource or ()), *added))
    return result


def _requests(wanted: Wanted) -> tuple[AuthorizationRequest, ...]:
    """The requests that stand for ``wanted``, made by the principal, in the circumstances of the case."""
    case = wanted.part.case
    auth = auth_method(case, wanted.principal)
    requests = requests_for(wanted.permission)
    principal = wanted.principal if wanted.principal and is_principal(wanted.principal) else None
    return tuple(
        circumstances(replace(request, principal=principal) if principal else request, case, auth)
        for request in requests
    )


# -- what else to say


def _partition(wanted: Wanted) -> str:
    for text in (wanted.principal, wanted.permission.resource):
        arn = Arn.try_parse(text) if text else None
        if arn is not None and arn.partition.startswith("aws"):
            return arn.partition
    return "aws"


def _causes(parts: Iterable[Part]) -> list[Diagnosis]:
    return [diagnosis for part in parts for diagnosis in part.report.diagnoses if diagnosis.code in GRANTABLE]


def _confidence(parts: Iterable[Part]) -> Confidence:
    sure = any(diagnosis.confidence is Confidence.CONCLUSIVE for diagnosis in _causes(parts))
    return Confidence.CONCLUSIVE if sure else Confidence.LIKELY


def _caveats(parts: Sequence[Part], wanted: Sequence[Wanted]) -> list[str]:
    notes = []
    if _confidence(parts) is not Confidence.CONCLUSIVE:
        notes.append("the cause is not certain (see confidence), so this policy may not be what is missing")
    if any(diagnosis.code == "condition-not-met" for diagnosis in _causes(parts)):
        notes.append(
            "somebody limited this grant on purpose; the statement goes beside that limit, so ask whoever set it"
        )
    notes += [
        f"{one.permission.action} is granted on every resource, since the refusal names none"
        for one in wanted
        if one.permission.resource == "*" and not one.permission.action.lower().startswith(_RESOURCELESS)
    ]
    if any(_is_hidden(diagnosis.resource) for diagnosis in _causes(parts)):
        notes.append("the refusal hides an account or a Region; the policy has * in its place: put yours there")
    projects = [one for one in wanted if f":{overlay.SERVICE}:" in one.permission.resource]
    if projects and not any("*" in one.permission.resource for one in projects):
        notes.append(
            "it reaches as far as the refusal and no further; for all projects or Regions: mantle-iam generate"
        )
    actions = {one.permission.action.lower() for one in wanted}
    mantle = any(action.startswith(f"{overlay.SERVICE}:") for action in actions)
    unknown_auth = all(auth_method(one.part.case, one.principal) is None for one in wanted)
    if mantle and unknown_auth and overlay.BEARER_ACTION.lower() not in actions:
        notes.append(f"if the call carries an API key, it needs {overlay.BEARER_ACTION} on * as well")
    return notes


def _is_hidden(resource: str | None) -> bool:
    arn = Arn.try_parse(resource) if resource else None
    return arn is not None and without_placeholders(arn) != arn


_RESOURCELESS = (f"{overlay.SERVICE}:", "aws-marketplace:", "bedrock:callwithbearertoken", "sts:getcalleridentity")
