"""Differential diagnosis: what was observed strikes out hypotheses, what remains is concluded, and the next probe splits it.

Decides which hypothesis of ``hypotheses.py`` stands for each refused call, and how surely.  Knows no wording of its own and
sends nothing.

The rules: a documented or observed prediction that fails strikes its hypothesis out; an inferred one (INF) only makes it less
likely.  ``conclusive`` needs the service's own sentence, or an observed prediction that came true while every other cause is
struck out; a cause that hides its words stays ``likely`` unless the policies reproduce the refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mantle_iam.diagnose.case import Answer, Case, Outcome, Report
from mantle_iam.diagnose.classify import Reading, classify
from mantle_iam.diagnose.compose import heard, make, merge
from mantle_iam.diagnose.conclusions import (
    READ_POLICIES,
    conclude,
    nothing,
    same_for_everybody,
    undecided,
    unread_layer,
)
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.hypotheses import COST_ORDER, HYPOTHESES, Hypothesis, Prediction
from mantle_iam.diagnose.observation import FREE_INFERENCE, Answered
from mantle_iam.diagnose.reproduction import HIDING, judge, passes, reproduced, unread_layers, with_policies
from mantle_iam.diagnose.rules.model import model_ids
from mantle_iam.diagnose.rules.offline import offline
from mantle_iam.diagnose.rules.policies import Judged
from mantle_iam.diagnose.subject import Subject, applicable, comparable
from mantle_iam.mantle.exchange import Probe
from mantle_iam.mantle.models import read_model_id
from mantle_iam.mantle.operations import Source

_CONTROLS: Final = frozenset((Probe.BARE, Probe.JUNK))
_AUTHENTICATED: Final = frozenset(
    (Answered.RESULT, Answered.AFTER_AUTHORIZATION, Answered.DENIED, Answered.UNAVAILABLE_TO_ACCOUNT)
)


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a hypothesis stands after everything that was observed."""

    hypothesis: Hypothesis
    explains: Source
    struck: bool = False
    doubted: bool = False
    """An inferred prediction failed."""
    confirmed: bool = False
    supported: bool = False
    """An inferred prediction came true."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class _Resolution:
    diagnoses: tuple[Diagnosis, ...]
    probes: frozenset[Probe] = frozenset()
    hidden_denial: bool = False
    """The subject turned out to be a refusal that hides its words."""


def diagnose(case: Case, available: frozenset[Probe] = frozenset()) -> Report:
    """Reason over everything in ``case``.  Never raises; the report always has a diagnosis.

    ``available`` are the probes that could still be sent; ``Report.next_probes`` is drawn from them.
    """
    readings = tuple(classify(index, exchange, case) for index, exchange in enumerate(case.exchanges))
    found: list[Diagnosis] = []
    probes: set[Probe] = set()
    hidden: set[int] = set()
    waiting: list[Reading] = []
    for reading in readings:
        if reading.exploratory or reading.authorised:
            found.extend(_own_trouble(reading))
            continue
        if reading.answered is Answered.BARE_404 and not _controlled(reading, readings, case):
            waiting.append(reading)
            continue
        if reading.answered in {Answered.NOT_FOUND, Answered.UNAVAILABLE_TO_ACCOUNT, Answered.UNREADABLE} and (
            not reading.diagnoses and reading.exchange.probe is not Probe.PASTED
        ):
            # About something that we chose ourselves, or in no words that mean anything: the table shows it, no more.
            continue
        resolution = _resolve(Subject(reading, readings, case), available)
        found.extend(resolution.diagnoses)
        probes |= resolution.probes
        if resolution.hidden_denial:
            hidden.add(reading.index)
    alike = bool(hidden)
    for reading in waiting:
        subject = Subject(reading, readings, case)
        if alike and reading.observation.operation is not None:
            resolution = _like_the_others(subject)
        elif reading.exchange.probe in FREE_INFERENCE:
            # It names a path that may well be none: only beside refusals that are known to look so, it is one.
            continue
        else:
            resolution = _resolve(subject, available)
        found.extend(resolution.diagnoses)
        probes |= resolution.probes
        if resolution.hidden_denial:
            hidden.add(reading.index)
    found.extend(_offline(case, readings))
    found = _settled(found)
    if not any(reading.exchange.probe in _CONTROLS and reading.exchange.status == 200 for reading in readings):
        # What answers everybody has not let this credential in.
        found.extend(_allowed(readings))
    diagnoses = merge(found) or (nothing(not case.exchanges),)
    return Report(
        diagnoses=diagnoses,
        outcomes=tuple(_outcome(reading, hidden) for reading in readings),
        next_probes=tuple(probe for probe in COST_ORDER if probe in probes),
    )


# One refused call


def _resolve(subject: Subject, available: frozenset[Probe]) -> _Resolution:
    """Strike out, conclude, and say what would split the rest."""
    judged = judge(subject)
    deaf = _same_for_everybody(subject)
    if deaf is not None:
        return _Resolution((deaf,))
    standings = [
        _stand(hypothesis, source, subject)
        for hypothesis in HYPOTHESES
        if (source := hypothesis.explains(subject)) is not None
    ]
    # A path that nobody gets to is no refusal, whatever the policies lack besides.
    nowhere = any(standing.hypothesis.code == "route-not-found" and standing.confirmed for standing in standings)
    proven = None if nowhere else reproduced(subject, judged)
    if proven is not None:
        return _Resolution(proven, hidden_denial=subject.answered in HIDING)
    if passes(judged):
        standings = [
            replace(standing, struck=True)
            if standing.hypothesis.hidden and standing.hypothesis.code in {"missing-permission", "explicit-deny"}
            else standing
            for standing in standings
        ]
    unseen = None if nowhere else _by_unread_layer(subject, judged, standings)
    if unseen is not None:
        return _Resolution((unseen,), hidden_denial=True)
    own = tuple(with_policies(entry, judged) for entry in subject.reading.diagnoses)
    remaining = [standing for standing in standings if not standing.struck]
    if not remaining:
        return _Resolution(own or (undecided(subject, (), (), ()),))
    probes = _splitting(subject, remaining, available)
    if case_can_read(subject, remaining) and Probe.READ_POLICIES in available:
        probes |= {Probe.READ_POLICIES}
    favoured = _favoured(remaining)
    codes = {standing.hypothesis.code for standing in favoured}
    first = favoured[0]
    if len(codes) == 1 and (not own or first.confirmed or first.supported):
        return _concluded(subject, first, remaining, standings, own, probes)
    if own:
        return _Resolution(own, probes)
    deciders = tuple(_PROBE_WORDS[probe] for probe in COST_ORDER if probe in _all_splitting(subject, remaining))
    lead = undecided(
        subject,
        tuple(standing.hypothesis for standing in remaining),
        tuple(dict.fromkeys(item for standing in remaining for item in standing.evidence)),
        (*deciders, *((READ_POLICIES,) if case_can_read(subject, remaining) else ())),
    )
    candidates = (
        conclude(standing.hypothesis, subject, standing.evidence, Confidence.INCONCLUSIVE) for standing in remaining
    )
    return _Resolution((lead, *candidates), probes)


def _by_unread_layer(subject: Subject, judged: tuple[Judged, ...], standings: list[_Standing]) -> Diagnosis | None:
    """A refusal without words where everything that was read allows the call, and a layer was not read."""
    layers = unread_layers(judged) if subject.answered in HIDING else ()
    exists = next(
        (entry for entry in standings if entry.hypothesis.hidden and (entry.confirmed or entry.supported)), None
    )
    if not layers or (exists is None and subject.answered is Answered.BARE_404):
        return None
    return unread_layer(subject, layers, exists.evidence if exists else ())


def _same_for_everybody(subject: Subject) -> Diagnosis | None:
    """An answer without words that comes with and without a credential alike says nothing about this one."""
    mine = subject.reading.exchange
    alike = [
        other
        for other in subject.readings
        if other.exchange.probe in _CONTROLS
        and (other.exchange.url, other.exchange.status, other.exchange.body) == (mine.url, mine.status, mine.body)
    ]
    if subject.answered is not Answered.HIDDEN or not any(other.exchange.probe is Probe.BARE for other in alike):
        return None
    return same_for_everybody(subject, tuple(heard(other.observation) for other in alike))


def _concluded(
    subject: Subject,
    first: _Standing,
    remaining: list[_Standing],
    standings: list[_Standing],
    own: tuple[Diagnosis, ...],
    probes: frozenset[Probe],
) -> _Resolution:
    others_struck = all(
        other.struck
        for other in standings
        # A cause that was never seen to look like this does not keep one that was from being sure.
        if other.hypothesis.code != first.hypothesis.code and other.explains is not Source.INF
    )
    sure = first.confirmed and others_struck and not first.hypothesis.hidden and not _single_observer(subject, first)
    main = conclude(first.hypothesis, subject, first.evidence, Confidence.CONCLUSIVE if sure else Confidence.LIKELY)
    alternatives = tuple(
        conclude(other.hypothesis, subject, other.evidence, Confidence.INCONCLUSIVE)
        for other in remaining
        # Beside a sentence, what it does not rule out is said in `would_decide`; beside silence, it is told.
        if other is not first and not own and not sure
    )
    rest = tuple(entry for entry in own if entry.code not in {main.code, "missing-permission"} and entry is not own[0])
    return _Resolution(
        (main, *rest, *alternatives),
        frozenset() if sure else probes,
        hidden_denial=first.hypothesis.hidden and main.code == "missing-permission",
    )


def _stand(hypothesis: Hypothesis, explains: Source, subject: Subject) -> _Standing:
    standing = _Standing(hypothesis, explains)
    for prediction in hypothesis.predictions:
        for other in subject.readings:
            if not comparable(subject, other, prediction.probe):
                continue
            answer = _answer_for(subject, other)
            if answer is None:
                continue
            standing = _weigh(standing, prediction, answer, heard(other.observation, _says(other, answer)))
    return standing


def _weigh(standing: _Standing, prediction: Prediction, answer: Answered, evidence: Evidence) -> _Standing:
    inferred = prediction.source is Source.INF
    if answer in prediction.answers:
        if not prediction.confirms:
            return standing
        kept = (*standing.evidence, evidence)
        return (
            replace(standing, supported=True, evidence=kept)
            if inferred
            else replace(standing, confirmed=True, evidence=kept)
        )
    return replace(standing, doubted=True) if inferred else replace(standing, struck=True)


def _answer_for(subject: Subject, other: Reading) -> Answered | None:
    """The other call's answer, as it bears on the subject; ``None`` when it says nothing about it."""
    if other.answered in {Answered.THROTTLED, Answered.FAILED, Answered.UNREADABLE, Answered.OTHER_SERVICE}:
        return None
    about_model = subject.answered in {Answered.NOT_FOUND, Answered.WRONG_ROUTE}
    if about_model and other.answered is Answered.RESULT:
        ids = model_ids(other.observation)
        if ids is None or subject.model is None:
            return other.answered
        if subject.model in ids:
            return Answered.LISTED
        return Answered.BARE_ID_LISTED if read_model_id(subject.model).bare in ids else Answered.NOT_LISTED
    if about_model and other.answered is Answered.NO_ANSWER:
        return None
    return other.answered


def _says(other: Reading, answer: Answered) -> str | None:
    if answer in {Answered.LISTED, Answered.NOT_LISTED, Answered.BARE_ID_LISTED, Answered.RESULT}:
        return answer.value if answer is not Answered.RESULT else "the call is answered"
    if answer is Answered.AFTER_AUTHORIZATION:
        return f"refused only after authorisation: {other.observation.quote}"
    return None


def _favoured(remaining: list[_Standing]) -> list[_Standing]:
    """What speaks for itself, before what is doubted; what was seen to cause this, before what was only inferred to."""
    supported = [standing for standing in remaining if standing.confirmed or standing.supported]
    undoubted = [standing for standing in supported if not standing.doubted]
    pool = undoubted or [standing for standing in remaining if not standing.doubted] or remaining
    if not undoubted:
        seen = [standing for standing in pool if standing.explains is not Source.INF]
        return seen or pool
    return pool


def _single_observer(subject: Subject, standing: _Standing) -> bool:
    """The order "authorisation before the model's API" has one observer, so what rests on it alone stays likely."""
    if standing.hypothesis.name != "a condition on the model":
        return False
    passed = [
        other
        for other in subject.readings
        if comparable(subject, other, Probe.INFER_FREE_2) and other.answered is Answered.RESULT
    ]
    return not passed


_PROBE_WORDS: Final[dict[Probe, str]] = {
    Probe.BARE: "the same method and path without any credential: 401 shows that the route exists",
    Probe.LIST: "GET /v1/models with the same credential",
    Probe.OTHER_PATH: "the same call under the other base paths",
    Probe.NO_PROJECT: "the same call without the project header",
    Probe.INFER_FREE_2: "the same call with a model of another vendor",
    Probe.SIGV4: "the same call signed with SigV4",
    Probe.BEARER: "the same call with a key",
    Probe.OTHER_REGION: "the same call in another Region",
    Probe.AGAIN: "the same call after a pause",
}


def _splitting(subject: Subject, remaining: list[_Standing], available: frozenset[Probe]) -> frozenset[Probe]:
    """The available probes, not yet answered for this subject, of which two remaining hypotheses expect different answers."""
    return frozenset(_all_splitting(subject, remaining)) & available


def _all_splitting(subject: Subject, remaining: list[_Standing]) -> set[Probe]:
    answers: dict[Probe, list[frozenset[Answered]]] = {}
    for standing in remaining:
        for prediction in standing.hypothesis.predictions:
            answers.setdefault(prediction.probe, []).append(prediction.answers)
    return {
        probe
        for probe, expected in answers.items()
        # A hypothesis without a prediction for the probe keeps its own; one that fails is struck out all the same.
        if (len(expected) < len(remaining) or any(not (one & other) for one in expected for other in expected))
        and applicable(subject, probe)
        and not any(comparable(subject, other, probe) for other in subject.readings)
    }


def case_can_read(subject: Subject, remaining: list[_Standing]) -> bool:
    """Whether reading the principal's policies would tell the remaining causes apart."""
    about_policies = {"missing-permission", "explicit-deny", "condition-not-met"}
    return subject.case.policies is None and any(entry.hypothesis.code in about_policies for entry in remaining)


# The whole case


def _own_trouble(reading: Reading) -> tuple[Diagnosis, ...]:
    """What a call that passed, or was sent only to compare, has to tell by itself."""
    if reading.authorised:
        return tuple(
            entry for entry in reading.diagnoses if entry.code in {"data-retention-conflict", "model-api-unsupported"}
        )
    told = reading.exchange.probe in {Probe.BARE, Probe.JUNK}
    return tuple(entry for entry in reading.diagnoses if told and entry.code == "not-the-service")


def _controlled(reading: Reading, readings: tuple[Reading, ...], case: Case) -> bool:
    """Whether the same call was made without a credential."""
    subject = Subject(reading, readings, case)
    return any(comparable(subject, other, Probe.BARE) for other in readings)


def _like_the_others(subject: Subject) -> _Resolution:
    """A bare 404 beside others that turned out to hide a refusal."""
    judged = judge(subject)
    proven = reproduced(subject, judged)
    if proven is not None:
        return _Resolution(proven, hidden_denial=True)
    if passes(judged):
        return _Resolution(())
    hypothesis = next(entry for entry in HYPOTHESES if entry.hidden and entry.code == "missing-permission")
    seen = Evidence("other calls", "the same bare 404 turned out to hide a refusal there")
    return _Resolution((conclude(hypothesis, subject, (seen,), Confidence.LIKELY),), hidden_denial=True)


def _offline(case: Case, readings: tuple[Reading, ...]) -> tuple[Diagnosis, ...]:
    """What stands against the credential, unless the service has accepted it."""
    accepted = any(reading.answered in _AUTHENTICATED and not reading.exploratory for reading in readings)
    if accepted:
        return ()
    told = {entry.code for reading in readings if not reading.exploratory for entry in reading.diagnoses}
    return tuple(entry for entry in offline(case) if entry.code not in told)


def _settled(found: list[Diagnosis]) -> list[Diagnosis]:
    """A credential that is certainly bad explains every refusal that hides its words."""
    certain = {
        "credential-missing",
        "wrong-kind-of-key",
        "bearer-token-malformed",
        "bearer-token-expired",
        "security-token-expired",
        "security-token-invalid",
        "bearer-token-invalid",
    }
    if any(entry.code in certain and entry.confidence is Confidence.CONCLUSIVE for entry in found):
        return [entry for entry in found if entry.confidence is not Confidence.INCONCLUSIVE]
    return found


def _allowed(readings: tuple[Reading, ...]) -> list[Diagnosis]:
    """What passed, told once per confidence."""
    found = []
    for answered, confidence in (
        (Answered.RESULT, Confidence.CONCLUSIVE),
        (Answered.AFTER_AUTHORIZATION, Confidence.LIKELY),
    ):
        passed = [
            reading
            for reading in readings
            if reading.answered is answered
            and not reading.exploratory
            # Somebody's own call that failed after authorisation is told as that failure.
            and not any(entry.code == "model-api-unsupported" for entry in reading.diagnoses)
        ]
        if not passed:
            continue
        actions = tuple(dict.fromkeys(action for reading in passed for action in reading.outcome.actions))
        late = answered is Answered.AFTER_AUTHORIZATION
        found.append(
            make(
                "allowed",
                confidence,
                tuple(heard(reading.observation, _says(reading, reading.answered)) for reading in passed),
                title=f"allowed: {', '.join(actions) if actions else 'the call was answered'}",
                explanation="The model's own refusal (400) comes after authorisation, as one observer found; no token was "
                "spent."
                if late
                else "The service answered the call, so authentication and authorisation passed.",
                remedy="Nothing to mend.",
                actions=actions,
                would_decide=("one call of at most 16 output tokens (`--spend`)",) if late else (),
            )
        )
    return found


def _outcome(reading: Reading, hidden: set[int]) -> Outcome:
    if reading.index in hidden:
        return replace(reading.outcome, answer=Answer.DENIED)
    return reading.outcome
