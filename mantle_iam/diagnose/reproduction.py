"""What the policies that were read say of one refused call: do they reproduce the refusal, and what else is missing?

Decides whether sentence and policies agree; the evaluation itself is ``rules/policies.py``'s, hypotheses are ``differential``'s.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
"""

from __future__ import annotations

from dataclasses import replace

from mantle_iam.diagnose.classify import BEARER_ACTION
from mantle_iam.diagnose.compose import heard
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Answered
from mantle_iam.diagnose.rules import policies as computed
from mantle_iam.diagnose.subject import Subject
from mantle_iam.iam.request import Decision, PolicyType

HIDING = frozenset((Answered.BARE_404, Answered.HIDDEN))
"""Answers that hide what was refused."""


def judge(subject: Subject) -> tuple[computed.Judged, ...]:
    """Every permission that the refused call needs, evaluated; empty where the policies are unknown or bind somebody else."""
    if subject.answered not in {Answered.DENIED, *HIDING} or subject.case.policies is None:
        return ()
    named = next((denial.principal for denial in subject.reading.observation.denials if denial.principal), None)
    if named and subject.case.principal and any(_other_principal(entry) for entry in subject.reading.diagnoses):
        # The policies that were read bind somebody else than the one who was refused.
        return ()
    return computed.judge(subject.reading.observation, subject.case, named)


def _other_principal(diagnosis: Diagnosis) -> bool:
    return any(item.source == "the principal" for item in diagnosis.evidence)


def passes(judged: tuple[computed.Judged, ...]) -> bool:
    """Whether the policies allow all of it."""
    return bool(judged) and all(entry.result.decision is Decision.ALLOWED for entry in judged)


def unread_layers(judged: tuple[computed.Judged, ...]) -> tuple[PolicyType, ...]:
    """The layers on which it hangs, where all that could be read allows the call and no context key is in doubt."""
    if not judged or any(entry.refused for entry in judged):
        return ()
    names = computed.pending(judged)
    layers = tuple(layer for layer in PolicyType if layer.value in names)
    # An unread identity policy may simply not allow it: that is the everyday case, not this one.
    return layers if len(layers) == len(names) and PolicyType.IDENTITY not in layers else ()


def reproduced(subject: Subject, judged: tuple[computed.Judged, ...]) -> tuple[Diagnosis, ...] | None:
    """The refusal as the policies reproduce it, with everything else that the call lacks; ``None`` when they do not."""
    policies = subject.case.policies
    if policies is None or not any(entry.refused for entry in judged):
        return None
    passed = _authorised_actions(subject)
    found = [
        entry
        for entry in computed.diagnoses(judged, policies)
        if not any((action, entry.resource) in passed for action in entry.actions)
    ]
    if not found:
        return None
    if subject.answered in HIDING:
        seen = heard(subject.reading.observation)
        return tuple(replace(entry, evidence=(seen, *entry.evidence)) for entry in found)
    own = list(subject.reading.diagnoses)
    told = []
    for entry in found:
        match = next((mine for mine in own if set(mine.actions) & set(entry.actions)), None)
        if match is None:
            told.append(entry)
            continue
        own.remove(match)
        told.append(_confirmed(match, entry))
    return (*told, *(with_policies(entry, judged) for entry in own))


def _confirmed(said: Diagnosis, reproduced: Diagnosis) -> Diagnosis:
    """The sentence and what the policies say of it: the sentence names, the policies explain."""
    if reproduced.code != said.code or (said.policy_type and reproduced.policy_type is not said.policy_type):
        if said.effect == "explicit" or reproduced.code == "missing-permission":
            # Another layer refuses as well; the service told the one that it met first.
            return replace(said, evidence=(*said.evidence, *reproduced.evidence))
        return replace(
            reproduced,
            evidence=(*said.evidence, *reproduced.evidence),
            resource=said.resource or reproduced.resource,
            principal=said.principal or reproduced.principal,
        )
    return replace(
        said,
        confidence=Confidence.CONCLUSIVE,
        explanation=reproduced.explanation,
        evidence=(*said.evidence, *reproduced.evidence),
        policy_type=said.policy_type or reproduced.policy_type,
        effect=said.effect or reproduced.effect,
        would_decide=(),
    )


def _authorised_actions(subject: Subject) -> set[tuple[str, str | None]]:
    """Actions that were seen to pass, with the resource: whatever the policies say of them, they are allowed."""
    found: set[tuple[str, str | None]] = set()
    for other in subject.readings:
        if other.answered is not Answered.RESULT or other.exchange.auth is not subject.reading.exchange.auth:
            continue
        if other.exchange.model != subject.reading.exchange.model or other.observation.control:
            continue
        resource = computed.call_resource(other.observation, subject.case, None)
        found |= {(action, "*" if action == BEARER_ACTION else resource) for action in other.outcome.actions}
    return found


def with_policies(own: Diagnosis, judged: tuple[computed.Judged, ...]) -> Diagnosis:
    """A sentence beside policies that do not reproduce it."""
    about = [entry for entry in judged if entry.permission.action in own.actions]
    if own.code not in {"missing-permission", "explicit-deny"} or not about:
        return own
    if all(entry.result.decision is Decision.ALLOWED for entry in about):
        return replace(
            own,
            explanation="The service refused it, yet the policies that were read allow it. A change that is not yet in force, "
            "a layer that was not read, or another principal would explain that.",
            evidence=(*own.evidence, Evidence(computed.SOURCE, f"computed: {about[0].permission.action} is allowed")),
            would_decide=("the same call after a pause", "the layers that were not read", *own.would_decide),
        )
    hanging = computed.pending(tuple(about))
    if not hanging:
        return own
    says = f"computed: {about[0].permission.action} depends on {', '.join(hanging)}"
    return replace(
        own,
        evidence=(*own.evidence, Evidence(computed.SOURCE, says)),
        would_decide=(
            *(f"the value of {name}" if ":" in name else f"the {name} policies" for name in hanging),
            *own.would_decide,
        ),
    )
