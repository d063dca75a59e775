"""Diagnoses put together from their parts, and told together when they say the same thing.

Decides wording that is the same for every rule (titles of refusals, evidence, order); decides no cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from mantle_iam.diagnose.codes import code_info, rank
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation
from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.denial import LAYER_NAMES

_CONFIDENCES = (Confidence.CONCLUSIVE, Confidence.LIKELY, Confidence.INCONCLUSIVE)


def make(
    code: str,
    confidence: Confidence,
    evidence: Sequence[Evidence],
    *,
    title: str,
    explanation: str,
    remedy: str,
    reference: str | None = None,
    policy_type: PolicyType | None = None,
    effect: Literal["implicit", "explicit"] | None = None,
    actions: Iterable[str] = (),
    resource: str | None = None,
    principal: str | None = None,
    policy: str | None = None,
    would_decide: Iterable[str] = (),
) -> Diagnosis:
    """A diagnosis of a known code.  Raises ``KeyError`` for a code that is not in the vocabulary."""
    return Diagnosis(
        code=code,
        confidence=confidence,
        title=title,
        explanation=explanation,
        evidence=tuple(evidence),
        remedy=remedy,
        reference=reference or code_info(code).references[0],
        policy_type=policy_type,
        effect=effect,
        actions=tuple(dict.fromkeys(actions)),
        resource=resource,
        principal=principal,
        policy=policy,
        would_decide=tuple(would_decide),
    )


def heard(observation: Observation, says: str | None = None) -> Evidence:
    """The evidence of one exchange: its words, unless ``says`` tells what about it counts."""
    return Evidence(
        source=observation.label,
        says=observation.quote if says is None else says,
        exchange=observation.index,
        probe=observation.exchange.probe,
    )


def refusal_title(code: str, actions: Sequence[str], resource: str | None, layer: PolicyType | None) -> str:
    """The title of a refusal: the actions, the resource, the layer."""
    what = _listing(actions) or "the call"
    where = f" on {resource}" if resource else ""
    name = LAYER_NAMES[layer] if layer else None
    if code == "explicit-deny":
        return f"{what}{where} is explicitly denied" + (f" in {_article(name)} {name}" if name else "")
    if code == "missing-permission":
        return f"no {name or 'policy'} allows {what}{where}"
    return f"{what}{where} is refused"


def opening(text: str) -> str:
    """``text`` with a capital at its beginning; names within it keep their case."""
    return text[:1].upper() + text[1:]


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"


def _listing(names: Sequence[str]) -> str:
    if len(names) > 4:
        return ", ".join(names[:3]) + f" and {len(names) - 3} more actions"
    return spoken(names)


def spoken(names: Sequence[str]) -> str:
    """All of ``names`` as a sentence lists them."""
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names)


def merge(diagnoses: Iterable[Diagnosis]) -> tuple[Diagnosis, ...]:
    """The same cause told once: evidence and actions together, the rest from the strongest; then sorted.

    Refusals of several actions are one diagnosis when layer, effect, resource, principal and policy are the same.
    """
    groups: dict[tuple[object, ...], Diagnosis] = {}
    for diagnosis in sorted(diagnoses, key=lambda entry: _CONFIDENCES.index(entry.confidence)):
        key = _identity(diagnosis)
        known = groups.get(key)
        groups[key] = diagnosis if known is None else _joined(known, diagnosis)
    return tuple(sorted(groups.values(), key=importance))


def importance(diagnosis: Diagnosis) -> tuple[int, int, int, int, int]:
    """Key of the order of diagnoses: ``allowed`` last, the surer first, ``inconclusive`` before what it hesitates between."""
    first = min((item.exchange for item in diagnosis.evidence if item.exchange is not None), default=0)
    # A leaked key comes before everything: whatever else is wrong, somebody else may be using it.  Then a project that does
    # not exist: nothing needs to be granted on it.
    leaked = is_quarantine(diagnosis.policy)
    nowhere = diagnosis.code == "project-not-found" and diagnosis.confidence is Confidence.CONCLUSIVE
    # Candidates that nothing decides between stay in the order of the hypotheses.
    open_question = diagnosis.confidence is Confidence.INCONCLUSIVE
    return (
        1 if diagnosis.code == "allowed" else 0,
        0 if leaked else 1 if nowhere else 2,
        _CONFIDENCES.index(diagnosis.confidence),
        (-1 if diagnosis.code == "inconclusive" else 0) if open_question else rank(diagnosis.code),
        first,
    )


def is_quarantine(policy: str | None) -> bool:
    """Whether ``policy`` is what AWS attaches to a principal whose key was found in public."""
    return policy is not None and "awscompromisedkeyquarantine" in policy.lower()


def _identity(diagnosis: Diagnosis) -> tuple[object, ...]:
    if diagnosis.code in {"missing-permission", "explicit-deny"}:
        return (
            diagnosis.code,
            diagnosis.confidence is Confidence.INCONCLUSIVE,
            diagnosis.policy_type,
            diagnosis.effect,
            diagnosis.resource,
            diagnosis.principal,
            diagnosis.policy,
        )
    if diagnosis.code == "allowed":
        return (diagnosis.code, diagnosis.confidence)
    if diagnosis.code in {"condition-not-met", "marketplace-permission-missing"}:
        return (diagnosis.code, diagnosis.actions, diagnosis.resource, diagnosis.principal)
    return (diagnosis.code, diagnosis.title)


def _joined(known: Diagnosis, other: Diagnosis) -> Diagnosis:
    actions = tuple(dict.fromkeys((*known.actions, *other.actions)))
    title = known.title
    if known.code in {"missing-permission", "explicit-deny"} and actions != known.actions:
        # One title for all the actions; whoever wrote a special title (a leaked key) keeps it.
        plain = refusal_title(known.code, known.actions, known.resource, known.policy_type)
        if title.startswith(plain):
            title = refusal_title(known.code, actions, known.resource, known.policy_type) + title[len(plain) :]
    return replace(
        known,
        title=title,
        remedy=known.remedy.replace(f"{spoken(known.actions)} on ", f"{spoken(actions)} on ", 1),
        actions=actions,
        evidence=tuple(dict.fromkeys((*known.evidence, *other.evidence))),
        would_decide=tuple(dict.fromkeys((*known.would_decide, *other.would_decide))),
    )
