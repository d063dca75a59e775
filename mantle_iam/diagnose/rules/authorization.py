"""AccessDenied sentences: what was refused, by which layer, and what ends it.

A sentence is conclusive on what was refused.  That a condition failed reads exactly like a missing action (seen with
``bedrock-mantle:Model``), so for actions that carry condition keys the diagnosis says how to tell.
Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
"""

from __future__ import annotations

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.codes import USER_GUIDE
from mantle_iam.diagnose.compose import heard, is_quarantine, make, opening, refusal_title, spoken
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation
from mantle_iam.diagnose.rules.wording import Wording, by_table
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle import catalog
from mantle_iam.mantle.denial import LAYER_NAMES, Denial

MARKETPLACE_ACTIONS = ("aws-marketplace:Subscribe", "aws-marketplace:ViewSubscriptions")

WORDINGS = (
    Wording(
        "marketplace-permission-missing",
        ("required aws marketplace actions", "aws-marketplace:"),
        title="the AWS Marketplace actions for {model} are missing",
        explanation="The first call to a third-party model subscribes the account through AWS Marketplace, in the name of the "
        "caller.",
        remedy="Allow aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions on * with the condition StringEquals "
        "aws:CalledViaLast = bedrock-mantle.amazonaws.com, or let an administrator call the model once.",
        actions=MARKETPLACE_ACTIONS,
    ),
    Wording(
        "missing-permission",
        ("vpceaccessdenied",),
        title="the VPC endpoint's policy refused the call",
        explanation="A VpceAccessDenied event is written when an endpoint policy refuses; it does not say by which "
        "statement, nor "
        "whether explicitly.",
        remedy="Allow the action for this principal in the policy of the VPC endpoint, bedrock-mantle:CallWithBearerToken on * "
        "included if keys are used; bypass the endpoint to compare.",
        confidence=Confidence.LIKELY,
        reference=f"{USER_GUIDE}/vpc-interface-endpoints.html",
        would_decide=("the policy of the VPC endpoint (ec2:DescribeVpcEndpoints)", "the same call outside the VPC"),
    ),
    Wording(
        "missing-permission",
        ("you are not authorized to perform this operation",),
        title="the call was refused, and the answer names neither action nor layer",
        explanation="A policy refused the call. The answer gives no reason, so an explicit Deny is not excluded.",
        remedy="Look the call up in CloudTrail, whose errorMessage often names action and layer, and allow that action.",
        confidence=Confidence.LIKELY,
        would_decide=("the CloudTrail event of the call",),
    ),
)

_REMEDIES: dict[PolicyType, str] = {
    PolicyType.IDENTITY: "Allow {actions} on {resource} in an identity policy of {principal}.",
    PolicyType.PERMISSIONS_BOUNDARY: "Add {actions} on {resource} to the permissions boundary of {principal}; no identity policy "
    "can go beyond it.",
    PolicyType.SESSION: "Add {actions} on {resource} to the session policy that is passed when the role is assumed "
    "(AssumeRole, AssumeRoleWithWebIdentity, GetFederationToken), or pass none.",
    PolicyType.SCP: "Have {actions} allowed by an SCP at every level from the organization's root to the account; that is the "
    "organization administrator's to change.",
    PolicyType.RCP: "Have the resource control policy changed by the organization's administrator.",
    PolicyType.VPC_ENDPOINT: "Allow {actions} on {resource} for {principal} in the policy of the VPC endpoint that the call went "
    "through, or go around the endpoint.",
    PolicyType.RESOURCE: "Allow {actions} for {principal} in the policy of the resource.",
}

_UNDENY: dict[PolicyType, str] = {
    PolicyType.IDENTITY: "Take the denying statement out of the identity policies of {principal} (its groups included), or "
    "narrow it; no Allow overrules a Deny.",
    PolicyType.PERMISSIONS_BOUNDARY: "Take the Deny out of the permissions boundary of {principal}, or narrow it.",
    PolicyType.SESSION: "Pass another session policy, without the Deny, when the role is assumed.",
    PolicyType.SCP: "Ask the organization's administrator to narrow the Deny in the SCP, or call from an account that it does "
    "not bind.",
    PolicyType.RCP: "Ask the administrator of the resource's organization to narrow the Deny in the RCP.",
    PolicyType.VPC_ENDPOINT: "Narrow the Deny in the policy of the VPC endpoint, or go around the endpoint.",
    PolicyType.RESOURCE: "Narrow the Deny in the policy of the resource.",
}


def denials(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """Every AccessDenied sentence of the answer, each as a diagnosis; any AWS service."""
    return tuple(read_denial(denial, observation, case) for denial in observation.denials)


def by_words(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """Refusals that come without the sentence."""
    found = by_table(WORDINGS, observation, case)
    if found and "vpceaccessdenied" in observation.words:
        only = found[0]
        return (
            make(
                only.code,
                only.confidence,
                only.evidence,
                title=only.title,
                explanation=only.explanation,
                remedy=only.remedy,
                reference=only.reference,
                policy_type=PolicyType.VPC_ENDPOINT,
                actions=_needed(observation),
                would_decide=only.would_decide,
            ),
        )
    return found


def read_denial(denial: Denial, observation: Observation, case: Case) -> Diagnosis:
    """One sentence as a diagnosis."""
    actions = _actions(denial)
    if any(action.lower().startswith("aws-marketplace:") for action in actions) and denial.effect != "explicit":
        return _marketplace(denial, actions, observation)
    if denial.effect == "explicit":
        return _explicit(denial, actions, observation, case)
    return _implicit(denial, actions, observation, case)


def _actions(denial: Denial) -> tuple[str, ...]:
    several: tuple[str, ...] = getattr(denial, "actions", ())
    return tuple(dict.fromkeys((*((denial.action,) if denial.action else ()), *several)))


def _implicit(denial: Denial, actions: tuple[str, ...], observation: Observation, case: Case) -> Diagnosis:
    layer = denial.policy_type
    said = denial.effect is not None
    explanations = [
        f"The service names what it refused{' and the layer that did not allow it' if layer else ''}."
        if said
        else "The sentence gives no reason, so an explicit Deny is not excluded."
    ]
    if layer not in {None, PolicyType.IDENTITY, PolicyType.RESOURCE}:
        explanations.append(
            f"{opening(LAYER_NAMES[layer]) if layer else ''} and identity policy must both allow: this layer only limits."
        )
    elif "bedrock-mantle:callwithbearertoken" in (action.lower() for action in actions):
        explanations.append(
            "CallWithBearerToken is checked for every call with a key, on resource *: a statement on a project's ARN does "
            "not cover it."
        )
    elif any(action.lower().startswith("bedrock-mantle:") for action in actions):
        explanations.append("Grants of bedrock:* (InvokeModel …) do not count: Mantle has its own service prefix.")
    keys = condition_keys(actions)
    if keys and layer is not None:
        explanations.append(f"A condition that fails reads the same ({', '.join(keys)}).")
    evidence = [heard(observation, denial.text or None)]
    remedy = _REMEDIES[layer or PolicyType.IDENTITY].format(
        actions=spoken(actions) or "the action",
        resource=denial.resource or "the resource",
        principal=_who(denial.principal),
    )
    other = other_principal(denial, case)
    if other:
        evidence.append(other)
        remedy += " If another principal was meant, the wrong credential is being sent: see the evidence."
    return make(
        "missing-permission",
        Confidence.CONCLUSIVE if said else Confidence.LIKELY,
        evidence,
        title=refusal_title("missing-permission", actions, denial.resource, layer),
        explanation=" ".join(explanations[:3]),
        remedy=remedy,
        policy_type=layer,
        effect=denial.effect,
        actions=actions,
        resource=denial.resource,
        principal=denial.principal,
        policy=denial.policy,
        would_decide=_deciders(keys, denial, said),
    )


def _deciders(keys: tuple[str, ...], denial: Denial, said: bool) -> tuple[str, ...]:
    found = []
    if "bedrock-mantle:Model" in keys:
        found.append(
            "the same call with a model of another vendor: if that is authorised, a condition on the model failed"
        )
    if "bedrock-mantle:BearerTokenType" in keys:
        found.append("the same call signed with SigV4, or with the other type of key")
    if keys or not said:
        found.append("the policies of the principal (evaluate)")
    if denial.authorization_id:
        found.append(f"iam:GetRequestAuthorizationDetails with the id {denial.authorization_id}, within 24 hours")
    if denial.encoded_message:
        found.append("sts:DecodeAuthorizationMessage on the encoded message")
    return tuple(found)


def _explicit(denial: Denial, actions: tuple[str, ...], observation: Observation, case: Case) -> Diagnosis:
    layer = denial.policy_type
    evidence = [heard(observation, denial.text or None)]
    other = other_principal(denial, case)
    if other:
        evidence.append(other)
    who = _who(denial.principal)
    if is_quarantine(denial.policy):
        return make(
            "explicit-deny",
            Confidence.CONCLUSIVE,
            (*evidence, Evidence("the policy's name", "AWS attaches it to a principal whose key was found in public")),
            title=f"the key has leaked: AWS has quarantined {who}",
            explanation="AWS attaches AWSCompromisedKeyQuarantine to a principal when it finds one of its keys in public. The "
            "refusal protects the account; granting more is the wrong answer.",
            remedy=f"Delete the exposed keys of {who}, look in CloudTrail for what was done with them, make new keys, and only "
            "then detach the quarantine policy.",
            reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds-programmatic-access.html",
            policy_type=layer,
            effect="explicit",
            actions=actions,
            resource=denial.resource,
            principal=denial.principal,
            policy=denial.policy,
        )
    named = f" The policy is {denial.policy}." if denial.policy else ""
    remedy = _UNDENY[layer] if layer else "Find the Deny statement that matches, in every layer, and narrow it."
    return make(
        "explicit-deny",
        Confidence.CONCLUSIVE,
        evidence,
        title=refusal_title("explicit-deny", actions, denial.resource, layer),
        explanation=f"A Deny statement{' in this layer' if layer else ''} matched, and no Allow anywhere overrules it.{named}",
        remedy=remedy.format(principal=who),
        policy_type=layer,
        effect="explicit",
        actions=actions,
        resource=denial.resource,
        principal=denial.principal,
        policy=denial.policy,
        would_decide=()
        if denial.policy
        else ("which policy denies: read the policies of that layer, or GetRequestAuthorizationDetails",),
    )


def _marketplace(denial: Denial, actions: tuple[str, ...], observation: Observation) -> Diagnosis:
    row = WORDINGS[0]
    return make(
        row.code,
        Confidence.CONCLUSIVE,
        (heard(observation, denial.text or None),),
        title="the AWS Marketplace actions that the model needs are missing: " + ", ".join(actions),
        explanation=row.explanation,
        remedy=row.remedy,
        policy_type=denial.policy_type,
        effect=denial.effect or "implicit",
        actions=actions,
        resource=denial.resource or "*",
        principal=denial.principal,
        policy=denial.policy,
    )


def condition_keys(actions: tuple[str, ...]) -> tuple[str, ...]:
    """Service condition keys that requests for Mantle's ``actions`` carry: where a failed condition can be meant."""
    keys: dict[str, None] = {}
    for action in actions:
        if action.lower().startswith("bedrock-mantle:"):
            keys.update(
                dict.fromkeys(key for key in catalog.condition_keys(action) if key.startswith("bedrock-mantle:"))
            )
    return tuple(keys)


def other_principal(denial: Denial, case: Case) -> Evidence | None:
    """Another principal was refused than the caller believes to be: another credential was sent."""
    if not (denial.principal and case.principal) or same_principal(denial.principal, case.principal):
        return None
    places = [found.where for found in case.found]
    where = f"; credentials were found in {', '.join(places)}" if len(places) > 1 else ""
    return Evidence("the principal", f"the sentence names {denial.principal}, expected was {case.principal}{where}")


def same_principal(one: str, other: str) -> bool:
    """Whether two ARNs are the same user, or the same role whatever the session."""
    return _role_or_self(one) == _role_or_self(other)


def _role_or_self(principal: str) -> tuple[str, ...]:
    arn = Arn.try_parse(principal)
    if arn is None:
        return (principal,)
    kind, _, rest = arn.resource.partition("/")
    if kind == "assumed-role":
        # The session's ARN lacks the path of the role, so only its name can be compared.
        return (arn.account, "role", rest.partition("/")[0])
    if kind == "role":
        return (arn.account, "role", rest.rpartition("/")[2])
    return (arn.account, kind, rest)


def _who(principal: str | None) -> str:
    arn = Arn.try_parse(principal) if principal else None
    if arn is None:
        return principal or "the principal"
    kind, _, rest = arn.resource.partition("/")
    if kind == "assumed-role":
        return f"the role {rest.partition('/')[0]}"
    if kind in {"user", "role"}:
        return f"the {kind} {rest}"
    return principal or "the principal"


def _needed(observation: Observation) -> tuple[str, ...]:
    operation = observation.operation
    return tuple(entry.action for entry in operation.actions if entry.when is None) if operation else ()
