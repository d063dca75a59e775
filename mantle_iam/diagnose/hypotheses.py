"""The table of hypotheses: what each would explain, and what it predicts for each probe.

Data for ``differential``, which compares it with what was observed.  A prediction marked INF is an inference: it may raise a
hypothesis to ``likely``, never to ``conclusive``, and never strikes one out alone.
Sources of the predictions stand at the rows: OBS and DOC as the facts about the service have them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mantle_iam.diagnose.observation import Answered
from mantle_iam.diagnose.rules.authorization import condition_keys
from mantle_iam.diagnose.subject import Subject
from mantle_iam.mantle.credential import CredentialKind
from mantle_iam.mantle.exchange import Auth, Probe
from mantle_iam.mantle.operations import Source

Explains = Callable[[Subject], Source | None]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a hypothesis expects of a probe."""

    probe: Probe
    answers: frozenset[Answered]
    source: Source
    confirms: bool = True
    """Whether it counts when it comes true; not where any other cause would look the same."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One possible cause.

    ``explains`` answers how well it is known to cause what the subject met, or ``None`` when it cannot.  ``hidden`` causes
    leave no words of their own and never get better than ``likely`` from probes alone.
    """

    name: str
    code: str
    explains: Explains
    predictions: tuple[Prediction, ...]
    hidden: bool = False


_PASSED: Final = frozenset((Answered.RESULT, Answered.AFTER_AUTHORIZATION))
_DENIED: Final = frozenset((Answered.DENIED, Answered.HIDDEN, Answered.BARE_404))
_KEY_REFUSED: Final = frozenset((Answered.INVALID_CREDENTIAL, Answered.CREDENTIAL_PROBLEM))
_AUTHENTICATED: Final = _PASSED | {
    Answered.DENIED,
    Answered.NOT_FOUND,
    Answered.UNAVAILABLE_TO_ACCOUNT,
    Answered.REJECTED,
}
_QUICK: Final = _AUTHENTICATED | _KEY_REFUSED | _DENIED | {Answered.WRONG_ROUTE, Answered.AUTHENTICATION_REQUIRED}
_SILENT: Final = frozenset((Answered.TIMED_OUT, Answered.NO_ANSWER))


def _expects(probe: Probe, answers: frozenset[Answered] | set[Answered], source: Source) -> Prediction:
    return Prediction(probe, frozenset(answers), source)


def _only_strikes(probe: Probe, answers: frozenset[Answered] | set[Answered], source: Source) -> Prediction:
    return Prediction(probe, frozenset(answers), source, confirms=False)


# Routing precedes authentication (openai/codex issue 23650): a route that exists wants a credential before anything else.
_ROUTE_EXISTS: Final = _expects(Probe.BARE, {Answered.AUTHENTICATION_REQUIRED}, Source.OBS)
_NO_ROUTE: Final = _expects(Probe.BARE, {Answered.BARE_404}, Source.OBS)


def _route(subject: Subject) -> Source | None:
    if subject.answered is not Answered.BARE_404:
        return None
    # For a route of the table, absence would be news; for a path that is none, it is what was seen.
    observation = subject.reading.observation
    return Source.INF if observation.operation is not None and observation.path is not None else Source.OBS


def _hidden_denial(subject: Subject) -> Source | None:
    observation = subject.reading.observation
    if subject.answered is Answered.BARE_404:
        # Told by one article, not reproduced since; impossible where there is no such route.
        return None if observation.path is not None and observation.operation is None else Source.INF
    return Source.INF if subject.answered is Answered.HIDDEN else None


def _hidden_bearer(subject: Subject) -> Source | None:
    return _hidden_denial(subject) if subject.bearer else None


def _hidden_explicit(subject: Subject) -> Source | None:
    return Source.INF if subject.answered is Answered.HIDDEN else None


def _hidden_key(subject: Subject) -> Source | None:
    return Source.INF if subject.answered is Answered.HIDDEN and subject.reading.exchange.status == 401 else None


def _action(subject: Subject) -> Source | None:
    return Source.OBS if subject.answered is Answered.DENIED and subject.denied else None


def _model_condition(subject: Subject) -> Source | None:
    carries = "bedrock-mantle:Model" in condition_keys(subject.denied)
    return Source.OBS if _action(subject) and subject.reading.exchange.model and carries else None


def _token_condition(subject: Subject) -> Source | None:
    if _action(subject) is None or subject.reading.exchange.auth not in {Auth.BEARER, Auth.SIGV4}:
        return None
    if not _same_owner(subject):
        return None
    # The sentence that names CallWithBearerToken speaks of the key itself; nothing else is needed to explain it.
    return None if any("CallWithBearerToken" in action for action in subject.denied) else Source.INF


def _same_owner(subject: Subject) -> bool:
    """Whether the key and the signature at hand may be one principal's: a long-term key has an IAM user of its own."""
    if any(item.source == "the principal" for entry in subject.reading.diagnoses for item in entry.evidence):
        return False
    key = subject.case.credential
    return key is None or key.kind is not CredentialKind.LONG_TERM_KEY or subject.case.principal is not None


def _project(subject: Subject) -> Source | None:
    return Source.DOC if _action(subject) and subject.reading.exchange.project else None


def _not_in_force(subject: Subject) -> Source | None:
    return Source.INF if _action(subject) else None


def _key(subject: Subject) -> Source | None:
    return Source.OBS if subject.answered is Answered.INVALID_CREDENTIAL else None


def _key_region(subject: Subject) -> Source | None:
    if subject.answered is not Answered.INVALID_CREDENTIAL:
        return None
    key = subject.case.credential
    if key is None:
        return Source.INF
    called = subject.reading.observation.region or subject.case.region
    differs = key.kind is CredentialKind.SHORT_TERM_KEY and key.region and called and key.region != called
    return Source.INF if differs else None


def _model(subject: Subject) -> Source | None:
    codes = {entry.code for entry in subject.reading.diagnoses}
    return Source.OBS if codes & {"model-not-found", "model-not-in-region"} and subject.model else None


def _gated_model(subject: Subject) -> Source | None:
    if _model(subject) is None:
        return None
    return Source.OBS if (subject.model or "").startswith("anthropic.") else Source.INF


def _stalled(subject: Subject) -> Source | None:
    # xai.grok-4.3 on /v1/responses gave no answer in 20 s, while the same model elsewhere answered at once.
    posted = subject.reading.exchange.method in {"POST", None}
    return Source.OBS if subject.answered is Answered.TIMED_OUT and posted else None


def _network(subject: Subject) -> Source | None:
    return Source.OBS if subject.answered is Answered.TIMED_OUT else None


def _misled(subject: Subject) -> Source | None:
    return Source.OBS if subject.answered is Answered.WRONG_ROUTE else None


def _misled_region(subject: Subject) -> Source | None:
    on_route = "supported on this route" in subject.reading.observation.words
    return Source.OBS if subject.answered is Answered.WRONG_ROUTE and on_route and subject.model else None


# Order = preference among causes that explain equally well.
HYPOTHESES: Final = (
    Hypothesis("no such route", "route-not-found", _route, (_NO_ROUTE,)),
    Hypothesis(
        "the action is not allowed, and the answer hides it",
        "missing-permission",
        _hidden_denial,
        (_ROUTE_EXISTS,),
        hidden=True,
    ),
    Hypothesis(
        "CallWithBearerToken is not allowed, and the answer hides it",
        "missing-permission",
        _hidden_bearer,
        (
            _ROUTE_EXISTS,
            # Every call with a key needs it, and no signed call does.
            _only_strikes(Probe.LIST, _DENIED, Source.DOC),
            _only_strikes(Probe.BEARER, _DENIED, Source.DOC),
            _expects(Probe.SIGV4, _PASSED, Source.DOC),
        ),
        hidden=True,
    ),
    Hypothesis("an explicit deny, and the answer hides it", "explicit-deny", _hidden_explicit, (), hidden=True),
    Hypothesis(
        "the key is invalid, and the answer hides it",
        "bearer-token-invalid",
        _hidden_key,
        (_only_strikes(Probe.LIST, _KEY_REFUSED | {Answered.HIDDEN}, Source.DOC),),
        hidden=True,
    ),
    Hypothesis(
        "nothing allows the action",
        "missing-permission",
        _action,
        (
            _expects(Probe.INFER_FREE_2, _DENIED, Source.OBS),
            _expects(Probe.AGAIN, _DENIED, Source.OBS),
            _expects(Probe.SIGV4, _DENIED, Source.INF),
            _expects(Probe.BEARER, _DENIED, Source.INF),
            _expects(Probe.NO_PROJECT, _DENIED, Source.DOC),
        ),
    ),
    Hypothesis(
        "a condition on the model",
        "condition-not-met",
        _model_condition,
        (
            # One token got 200 for one model and 401 for fifteen others; the grant listed exact ids.
            _expects(Probe.INFER_FREE_2, _PASSED, Source.OBS),
            _expects(Probe.AGAIN, _DENIED, Source.OBS),
        ),
    ),
    Hypothesis(
        "a condition on how the call is made",
        "condition-not-met",
        _token_condition,
        (
            _expects(Probe.INFER_FREE_2, _DENIED, Source.OBS),
            _expects(Probe.SIGV4, _PASSED, Source.INF),
            _expects(Probe.BEARER, _PASSED, Source.INF),
            _expects(Probe.AGAIN, _DENIED, Source.OBS),
        ),
    ),
    Hypothesis(
        "the grant covers other projects",
        "missing-permission",
        _project,
        (_expects(Probe.NO_PROJECT, _PASSED, Source.DOC), _expects(Probe.AGAIN, _DENIED, Source.OBS)),
    ),
    Hypothesis(
        "the policy was not yet in force", "allowed", _not_in_force, (_expects(Probe.AGAIN, _PASSED, Source.OBS),)
    ),
    Hypothesis(
        "the key is invalid",
        "bearer-token-invalid",
        _key,
        (
            _expects(Probe.OTHER_REGION, _KEY_REFUSED, Source.OBS),
            _expects(Probe.AGAIN, _KEY_REFUSED, Source.OBS),
        ),
    ),
    Hypothesis(
        "the key belongs to another Region",
        "bearer-token-wrong-region",
        _key_region,
        (_expects(Probe.OTHER_REGION, _AUTHENTICATED, Source.DOC),),
    ),
    Hypothesis(
        "no such model",
        "model-not-found",
        _model,
        (
            _expects(Probe.LIST, {Answered.NOT_LISTED}, Source.OBS),
            _expects(Probe.OTHER_REGION, {Answered.NOT_LISTED}, Source.OBS),
        ),
    ),
    Hypothesis(
        "the model is in another Region",
        "model-not-in-region",
        _model,
        (
            _expects(Probe.LIST, {Answered.NOT_LISTED}, Source.OBS),
            _expects(Probe.OTHER_REGION, {Answered.LISTED}, Source.OBS),
        ),
    ),
    Hypothesis(
        "the model waits for a form, or refuses a beta header",
        "use-case-form-missing",
        _gated_model,
        (_expects(Probe.LIST, {Answered.LISTED}, Source.OBS),),
        hidden=True,
    ),
    Hypothesis(
        "a wrong base path that hangs",
        "wrong-base-path",
        _stalled,
        (
            _expects(Probe.LIST, _QUICK, Source.INF),
            _expects(Probe.OTHER_PATH, _QUICK - {Answered.BARE_404}, Source.OBS),
        ),
        hidden=True,
    ),
    Hypothesis(
        "the network or the service is slow",
        "timeout",
        _network,
        (_expects(Probe.LIST, _SILENT, Source.INF), _expects(Probe.OTHER_PATH, _SILENT, Source.OBS)),
    ),
    Hypothesis(
        "a wrong base path in disguise",
        "wrong-base-path",
        _misled,
        (
            _expects(
                Probe.OTHER_PATH,
                _PASSED | {Answered.DENIED, Answered.REJECTED, Answered.UNAVAILABLE_TO_ACCOUNT},
                Source.OBS,
            ),
            _expects(Probe.LIST, {Answered.LISTED}, Source.INF),
        ),
    ),
    Hypothesis(
        "the Region lacks the model",
        "model-not-in-region",
        _misled_region,
        (
            _expects(Probe.OTHER_PATH, {Answered.WRONG_ROUTE, Answered.NOT_FOUND}, Source.OBS),
            _expects(Probe.LIST, {Answered.NOT_LISTED}, Source.OBS),
        ),
    ),
)

COST_ORDER: Final = (
    Probe.OFFLINE,
    Probe.DNS,
    Probe.TLS,
    Probe.BARE,
    Probe.JUNK,
    Probe.LIST,
    Probe.GET,
    Probe.OTHER_PATH,
    Probe.NO_PROJECT,
    Probe.INFER_FREE,
    Probe.INFER_FREE_2,
    Probe.SIGV4,
    Probe.BEARER,
    Probe.OTHER_REGION,
    Probe.RUNTIME,
    Probe.AGAIN,
    Probe.READ_POLICIES,
    Probe.INFER,
)
"""Probes, the cheapest first."""
