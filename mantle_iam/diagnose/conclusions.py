"""A hypothesis that stood its ground -> the diagnosis that it is.

Decides wording only; which hypothesis stands, and how surely, is ``differential``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mantle_iam.diagnose.classify import BEARER_ACTION, needed_actions
from mantle_iam.diagnose.compose import heard, make, refusal_title, spoken
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.hypotheses import Hypothesis
from mantle_iam.diagnose.observation import Answered, shorten
from mantle_iam.diagnose.rules import model as models
from mantle_iam.diagnose.rules.authorization import condition_keys
from mantle_iam.diagnose.rules.policies import call_resource, key_principal
from mantle_iam.diagnose.rules.routing import bare_404, served_at
from mantle_iam.diagnose.subject import Subject
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.denial import LAYER_NAMES
from mantle_iam.mantle.exchange import Auth

Support = tuple[Evidence, ...]
Conclude = Callable[[Subject, Support, Confidence], Diagnosis]

READ_POLICIES: Final = "the policies of the principal (`--read-policies`, or evaluate)"
BARE: Final = "the same method and path without any credential: 401 shows that the route exists"


def conclude(hypothesis: Hypothesis, subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    """The diagnosis of ``hypothesis`` for ``subject``, with the observations that speak for it."""
    diagnosis = _CONCLUSIONS[hypothesis.name](subject, support, confidence)
    return replace(diagnosis, evidence=tuple(dict.fromkeys((*diagnosis.evidence, *support))))


def undecided(
    subject: Subject, remaining: tuple[Hypothesis, ...], support: Support, probes: tuple[str, ...]
) -> Diagnosis:
    """``inconclusive``: what was met, what may have caused it, what would decide."""
    names = "; ".join(hypothesis.name for hypothesis in remaining)
    observation = subject.reading.observation
    return make(
        "inconclusive",
        Confidence.INCONCLUSIVE,
        (heard(observation), *support),
        title=f"the evidence does not decide why {observation.label} failed",
        explanation=f"What was received fits several causes: {names}."
        if names
        else "What was received fits no known cause.",
        remedy="Run `mantle-iam probe` with the same credential: it sends the requests that tell these causes apart."
        if names
        else "Give the whole answer (`curl -i`), with the status line and the body.",
        would_decide=probes or (BARE, READ_POLICIES),
    )


def nothing(case_is_empty: bool) -> Diagnosis:
    """``inconclusive`` where there is nothing to reason about."""
    return make(
        "inconclusive",
        Confidence.INCONCLUSIVE,
        (
            Evidence(
                "the input", "holds no answer of the service" if case_is_empty else "holds no refusal and no result"
            ),
        ),
        title="nothing to diagnose was found",
        explanation="No HTTP answer, error message, AccessDenied sentence or transport failure was recognised.",
        remedy="Give the whole error: the output of `curl -i`, the SDK's traceback, the log line or the CloudTrail record; "
        "or run "
        "`mantle-iam probe`.",
        would_decide=("the status code and the body of the answer",),
    )


def unread_layer(subject: Subject, layers: tuple[PolicyType, ...], support: Support) -> Diagnosis:
    """Refused without words although everything that was read allows it: a layer that was not read refuses."""
    observation = subject.reading.observation
    names = " or ".join(LAYER_NAMES[layer] for layer in layers)
    principal = subject.case.principal or key_principal(subject.case)
    return make(
        "explicit-deny",
        Confidence.LIKELY,
        (heard(observation), *support),
        title=f"what was read allows {spoken(needed_actions(observation)) or 'the call'}: a {names} that was not read "
        "refuses it",
        explanation="The policies that could be read were evaluated, and they allow the call; another policy for the identity "
        f"changes nothing. What could not be read is any {names}.",
        remedy="Ask who may read that layer (the organization's administrator for SCPs, the owner of the VPC endpoint) for a "
        "Deny, or a missing Allow, for these actions.",
        policy_type=layers[0] if len(layers) == 1 else None,
        actions=needed_actions(observation),
        resource=call_resource(observation, subject.case, principal),
        principal=principal,
        would_decide=tuple(f"the {LAYER_NAMES[layer]}" for layer in layers),
    )


def same_for_everybody(subject: Subject, support: Support) -> Diagnosis:
    """One and the same answer with a credential and without."""
    status = subject.reading.exchange.status
    return make(
        "not-the-service",
        Confidence.LIKELY,
        (heard(subject.reading.observation), *support),
        title=f"{status} without words, with a credential and without: something before the service answers",
        explanation="The service refuses a call without a credential in its own words; the same answer to everybody comes from "
        "a proxy, a firewall or a gateway, and says nothing about this credential.",
        remedy="Call from another network, or ask who runs the proxy or gateway between here and the endpoint.",
        would_decide=("the same call from another network", "the certificate's issuer"),
    )


def _no_route(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    return bare_404(subject.reading.observation, subject.case, confidence)


def _hidden_action(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    observation = subject.reading.observation
    actions = tuple(action for action in needed_actions(observation) if action != BEARER_ACTION)
    principal = subject.case.principal or key_principal(subject.case)
    resource = call_resource(observation, subject.case, principal)
    # A call that passed with the same key shows that the key may be used.
    in_doubt = subject.bearer and not any(
        other.answered is Answered.RESULT and other.exchange.auth is Auth.BEARER for other in subject.readings
    )
    bearer = (
        f" A call with a key needs {BEARER_ACTION} on * as well, and the answer does not tell which is missing."
        if in_doubt
        else ""
    )
    exists = any("without a credential" in item.source or item.source == "other calls" for item in support)
    return make(
        "missing-permission",
        confidence,
        (heard(observation),),
        title=refusal_title("missing-permission", actions, resource, None)
        + ("" if confidence is Confidence.CONCLUSIVE else ", as far as can be told"),
        explanation=(
            "The route exists, since it asks for a credential when none is sent; with the credential it hides the refusal."
            if exists
            else "The service refused without saying what; a missing permission is one cause of that."
        )
        + bearer,
        remedy=f"Allow {spoken(actions) or 'the action of the call'} on {resource or 'the project'} to the principal"
        + (f", and {BEARER_ACTION} on *." if in_doubt else "."),
        effect="implicit",
        actions=actions,
        resource=resource,
        principal=principal,
        would_decide=() if confidence is Confidence.CONCLUSIVE else _hidden_deciders(subject, exists),
    )


def _hidden_deciders(subject: Subject, exists: bool) -> tuple[str, ...]:
    found = [] if exists else [BARE]
    found.append(READ_POLICIES)
    if subject.bearer:
        found.append("the same call signed with SigV4, which needs no CallWithBearerToken")
    return tuple(found)


def _hidden_bearer(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    principal = subject.case.principal or key_principal(subject.case)
    return make(
        "missing-permission",
        confidence,
        (heard(subject.reading.observation),),
        title=f"{BEARER_ACTION} on * may be what is missing",
        explanation="Every call with a key needs it beside the action of the call, and the answer hides which of them was "
        "refused.",
        remedy=f"Allow {BEARER_ACTION} on resource * to the principal of the key.",
        effect="implicit",
        actions=(BEARER_ACTION,),
        resource="*",
        principal=principal,
        would_decide=("the same call signed with SigV4", READ_POLICIES),
    )


def _hidden_explicit(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    observation = subject.reading.observation
    return make(
        "explicit-deny",
        confidence,
        (heard(observation),),
        title="a Deny in some layer may refuse the call",
        explanation="An SCP, a boundary, a session, endpoint or identity policy may deny; without the sentence that cannot "
        "be told.",
        remedy="Read the policies of every layer before granting anything: no Allow overrules a Deny.",
        effect="explicit",
        actions=tuple(action for action in needed_actions(observation) if action != BEARER_ACTION),
        principal=subject.case.principal,
        would_decide=(READ_POLICIES, "the same call on another network path, for VPC endpoint policies"),
    )


def _hidden_key(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    return make(
        "bearer-token-invalid",
        confidence,
        (heard(subject.reading.observation),),
        title="the credential may be invalid",
        explanation="A 401 without words may mean the credential as well as a permission.",
        remedy="Look at the key with `mantle-iam key inspect`, and make a new one to compare.",
        would_decide=("the same path with a certainly invalid key: other words mean that this key was recognised",),
    )


def _own(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    """The diagnosis that the answer's own words carry, now with this confidence."""
    own = subject.reading.diagnoses[0]
    return replace(
        own, confidence=confidence, would_decide=() if confidence is Confidence.CONCLUSIVE else own.would_decide
    )


def _own_denial(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    """A sentence stays as sure as it was read, whatever else is observed."""
    return next(entry for entry in subject.reading.diagnoses if entry.code == "missing-permission")


def _model_condition(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    return _condition(
        subject,
        confidence,
        "bedrock-mantle:Model",
        f"`{shorten(subject.model or 'the model', 120)}`",
        "The same credential may do the same with another model, so the action is granted, and a condition leaves this one "
        "out. "
        "The key holds the exact id that was sent.",
        f"Add {shorten(subject.model or 'the model', 120)} to the values of bedrock-mantle:Model in the statement that allows "
        "it.",
    )


def _token_condition(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    way = "with a key" if subject.reading.exchange.auth is Auth.BEARER else "when signed"
    keys = condition_keys(subject.denied)
    return _condition(
        subject,
        confidence,
        "how the call is made",
        way,
        "The same call passes when authenticated the other way, so the action is granted to that principal; a condition, or "
        "another principal behind the key, refuses this way.",
        "Look for conditions in the statement that allows it (token type, source, tags), and compare the principals of both "
        "credentials.",
        deciders=("the principals of both credentials", READ_POLICIES, *keys),
    )


def _condition(
    subject: Subject,
    confidence: Confidence,
    key: str,
    value: str,
    explanation: str,
    remedy: str,
    deciders: tuple[str, ...] = (READ_POLICIES,),
) -> Diagnosis:
    own = _own_denial(subject, (), confidence)
    return make(
        "condition-not-met",
        confidence,
        own.evidence,
        title=f"{', '.join(own.actions)} is granted, but not for {value}: a condition on {key}",
        explanation=explanation,
        remedy=remedy,
        policy_type=own.policy_type,
        effect=own.effect,
        actions=own.actions,
        resource=own.resource,
        principal=own.principal,
        would_decide=() if confidence is Confidence.CONCLUSIVE else deciders,
    )


def _other_projects(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    own = _own_denial(subject, support, confidence)
    return replace(
        own,
        explanation="The same call passes in the default project, so the action is granted there and not on this project's "
        "ARN. "
        "A grant counts only for the ARNs that it names.",
    )


def _now_in_force(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    own = _own_denial(subject, support, confidence)
    return make(
        "allowed",
        confidence,
        own.evidence,
        title=f"{', '.join(own.actions)} was refused first and is allowed now",
        explanation="The same call passed some moments later: a changed policy takes a while to be in force everywhere.",
        remedy="Nothing to mend; wait some seconds after changing a policy.",
        actions=own.actions,
        resource=own.resource,
        principal=own.principal,
    )


def _key_region(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    own = subject.reading.diagnoses[0]
    if own.code == "bearer-token-wrong-region":
        return _own(subject, support, confidence)
    called = subject.reading.observation.region or subject.case.region or "the Region called"
    key = subject.case.credential
    made = key.region if key and key.region else None
    return make(
        "bearer-token-wrong-region",
        confidence,
        own.evidence,
        title=f"the short-term key belongs to {made}, not {called}" if made else f"the key is not for {called}",
        explanation="A short-term key is usable only in the Region that it was made for.",
        remedy=f"Call https://bedrock-mantle.{made or '<its Region>'}.api.aws, or make a key for {called}.",
        would_decide=() if confidence is Confidence.CONCLUSIVE else ("the same call in the key's Region",),
    )


def _model(make_diagnosis: Callable[..., Diagnosis]) -> Conclude:
    def build(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
        evidence = support[0] if support else Evidence("the answer", "names the model as unknown")
        return make_diagnosis(subject.reading.observation, subject.model or "the model", evidence, confidence)

    return build


def _stalled(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    own = subject.reading.diagnoses[0]
    if own.code == "wrong-base-path":
        return replace(own, confidence=confidence)
    observation = subject.reading.observation
    elsewhere = served_at(observation, subject.case)
    return make(
        "wrong-base-path",
        confidence,
        own.evidence,
        title=f"{observation.path or 'the path'} hangs while the service answers elsewhere: probably a wrong base path",
        explanation="The host answers other calls at once. A model called under a base path that does not serve it may hang "
        "instead of failing.",
        remedy=f"Try {elsewhere or 'the other base paths (/v1, /openai/v1, /anthropic/v1)'}, and keep a client timeout.",
        would_decide=("the same call under the other base path",),
    )


def _misled_region(subject: Subject, support: Support, confidence: Confidence) -> Diagnosis:
    evidence = (
        support[0] if support else Evidence("the answer", "speaks of the route, and was seen for absent models too")
    )
    return models.elsewhere(subject.reading.observation, subject.model or "the model", evidence, confidence)


_CONCLUSIONS: Final[dict[str, Conclude]] = {
    "no such route": _no_route,
    "the action is not allowed, and the answer hides it": _hidden_action,
    "CallWithBearerToken is not allowed, and the answer hides it": _hidden_bearer,
    "an explicit deny, and the answer hides it": _hidden_explicit,
    "the key is invalid, and the answer hides it": _hidden_key,
    "nothing allows the action": _own_denial,
    "a condition on the model": _model_condition,
    "a condition on how the call is made": _token_condition,
    "the grant covers other projects": _other_projects,
    "the policy was not yet in force": _now_in_force,
    "the key is invalid": _own,
    "the key belongs to another Region": _key_region,
    "no such model": _model(models.unlisted),
    "the model is in another Region": _model(models.elsewhere),
    "the model waits for a form, or refuses a beta header": _model(models.gated),
    "a wrong base path that hangs": _stalled,
    "the network or the service is slow": _own,
    "a wrong base path in disguise": _own,
    "the Region lacks the model": _misled_region,
}
