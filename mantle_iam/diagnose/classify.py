"""One exchange -> its row in the table of operations, its answer class, and what it says by itself.

Knows one exchange at a time; what follows from several together is ``differential``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from mantle_iam.diagnose.case import Answer, Case, Outcome
from mantle_iam.diagnose.codes import Family, code_info
from mantle_iam.diagnose.diagnosis import Diagnosis
from mantle_iam.diagnose.observation import FREE_INFERENCE, Answered, Observation, observe, shorten
from mantle_iam.diagnose.rules import read
from mantle_iam.mantle.error_body import Envelope
from mantle_iam.mantle.exchange import Auth, Exchange, Probe, TransportFailureKind
from mantle_iam.mantle.models import read_model_id

BEARER_ACTION: Final = "bedrock-mantle:CallWithBearerToken"

EXPLORATORY: Final = frozenset(
    (
        Probe.BARE,
        Probe.JUNK,
        Probe.OTHER_PATH,
        Probe.NO_PROJECT,
        Probe.SIGV4,
        Probe.BEARER,
        Probe.OTHER_REGION,
        Probe.RUNTIME,
        Probe.AGAIN,
    )
)
"""Probes sent to tell causes apart: what they meet is evidence about other calls, not trouble of its own."""

_ANSWERS: Final[dict[str, Answered]] = {
    "allowed": Answered.RESULT,
    "endpoint-unreachable": Answered.NO_ANSWER,
    "region-not-served": Answered.NO_ANSWER,
    "tls-failure": Answered.NO_ANSWER,
    "timeout": Answered.TIMED_OUT,
    "not-the-service": Answered.OTHER_SERVICE,
    "wrong-base-path": Answered.WRONG_ROUTE,
    "wrong-endpoint": Answered.OTHER_SERVICE,
    "credential-missing": Answered.AUTHENTICATION_REQUIRED,
    "bearer-token-invalid": Answered.INVALID_CREDENTIAL,
    "bearer-token-wrong-region": Answered.INVALID_CREDENTIAL,
    "wrong-kind-of-key": Answered.CREDENTIAL_PROBLEM,
    "bearer-token-malformed": Answered.CREDENTIAL_PROBLEM,
    "bearer-token-expired": Answered.CREDENTIAL_PROBLEM,
    "security-token-invalid": Answered.CREDENTIAL_PROBLEM,
    "security-token-expired": Answered.CREDENTIAL_PROBLEM,
    "signature-scope-mismatch": Answered.CREDENTIAL_PROBLEM,
    "signature-mismatch": Answered.CREDENTIAL_PROBLEM,
    "clock-skew": Answered.CREDENTIAL_PROBLEM,
    "missing-permission": Answered.DENIED,
    "explicit-deny": Answered.DENIED,
    "condition-not-met": Answered.DENIED,
    "marketplace-permission-missing": Answered.DENIED,
    "model-not-found": Answered.NOT_FOUND,
    "model-not-in-region": Answered.NOT_FOUND,
    "model-id-prefixed": Answered.NOT_FOUND,
    "project-not-found": Answered.NOT_FOUND,
    "response-not-found": Answered.NOT_FOUND,
    "model-api-unsupported": Answered.AFTER_AUTHORIZATION,
    "model-not-entitled": Answered.UNAVAILABLE_TO_ACCOUNT,
    "use-case-form-missing": Answered.UNAVAILABLE_TO_ACCOUNT,
    "preview-not-enabled": Answered.UNAVAILABLE_TO_ACCOUNT,
    "data-retention-conflict": Answered.UNAVAILABLE_TO_ACCOUNT,
    "invalid-request-body": Answered.REJECTED,
    "invalid-parameter": Answered.REJECTED,
    "throttled": Answered.THROTTLED,
    "service-unavailable": Answered.FAILED,
    "service-error": Answered.FAILED,
}

_WORDS: Final[dict[Answered, str]] = {
    Answered.RESULT: Answer.ALLOWED,
    Answered.AFTER_AUTHORIZATION: Answer.ALLOWED,
    Answered.DENIED: Answer.DENIED,
    Answered.HIDDEN: Answer.DENIED,
    Answered.AUTHENTICATION_REQUIRED: Answer.DENIED,
    Answered.INVALID_CREDENTIAL: Answer.DENIED,
    Answered.CREDENTIAL_PROBLEM: Answer.DENIED,
    Answered.UNAVAILABLE_TO_ACCOUNT: Answer.DENIED,
    Answered.WRONG_ROUTE: Answer.FAILED,
    Answered.FAILED: Answer.FAILED,
    Answered.TIMED_OUT: Answer.FAILED,
    Answered.NO_ANSWER: Answer.FAILED,
    Answered.OTHER_SERVICE: Answer.FAILED,
}
"""What is not here is undecided: the answer does not tell whether the call is allowed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An observation, its answer class, and the diagnoses that its own words carry."""

    observation: Observation
    answered: Answered
    diagnoses: tuple[Diagnosis, ...]
    outcome: Outcome

    @property
    def index(self) -> int:
        """Index of the exchange in the case."""
        return self.observation.index

    @property
    def exchange(self) -> Exchange:
        """The exchange itself."""
        return self.observation.exchange

    @property
    def authorised(self) -> bool:
        """Whether the call got past authorisation."""
        return self.answered in {Answered.RESULT, Answered.AFTER_AUTHORIZATION}

    @property
    def exploratory(self) -> bool:
        """Sent only to tell causes apart."""
        return self.exchange.probe in EXPLORATORY or self.observation.control


def classify(index: int, exchange: Exchange, case: Case) -> Reading:
    """Read ``exchange``, the ``index``-th of ``case``.  Never raises."""
    observation = observe(index, exchange)
    diagnoses = read(observation, case)
    answered = _answered(observation, diagnoses)
    if exchange.probe in FREE_INFERENCE:
        answered, diagnoses = _free_inference(observation, answered, diagnoses)
    if not _asked_for(observation, case):
        diagnoses = tuple(entry for entry in diagnoses if code_info(entry.code).family is not Family.MODEL)
    return Reading(observation, answered, diagnoses, _outcome(observation, answered, diagnoses))


def _answered(observation: Observation, diagnoses: tuple[Diagnosis, ...]) -> Answered:
    exchange, status = observation.exchange, observation.exchange.status
    if exchange.failure is not None:
        return Answered.TIMED_OUT if exchange.failure.kind is TransportFailureKind.TIMEOUT else Answered.NO_ANSWER
    if diagnoses and diagnoses[0].code == "not-the-service":
        return Answered.OTHER_SERVICE
    if status in {401, 403} and (exchange.auth is Auth.NONE or exchange.probe is Probe.BARE):
        # Whatever its words, an answer to nobody tells only that somebody is wanted.
        return Answered.AUTHENTICATION_REQUIRED
    if status in {401, 403} and observation.control:
        return Answered.INVALID_CREDENTIAL
    if observation.success:
        return Answered.RESULT
    if diagnoses:
        return _ANSWERS.get(diagnoses[0].code, Answered.UNREADABLE)
    if status == 404:
        return Answered.BARE_404 if without_error_object(observation) else Answered.NOT_FOUND
    if status in {401, 403}:
        return Answered.HIDDEN
    if "access_denied" in observation.words or "permission_denied" in observation.words:
        return Answered.HIDDEN
    return Answered.UNREADABLE


def without_error_object(observation: Observation) -> bool:
    """A 404 as the router gives it: an empty body, ``{}``, or "Not Found" and nothing that names a thing."""
    error = observation.error
    if error.envelope in {Envelope.EMPTY, Envelope.RESULT}:
        return True
    said = (error.message or observation.exchange.body).strip().strip("\"'.").lower()
    # Clients put their own words where the body was empty.
    return error.code in {None, "404"} and said in {
        "",
        "{}",
        "not found",
        "404 not found",
        "404 page not found",
        "null",
    }


def _free_inference(
    observation: Observation, answered: Answered, diagnoses: tuple[Diagnosis, ...]
) -> tuple[Answered, tuple[Diagnosis, ...]]:
    """The probe names a model on an API that does not serve it, so being told so is its success, and no trouble."""
    codes = {diagnosis.code for diagnosis in diagnoses}
    if observation.exchange.status == 400 and codes & {
        "model-api-unsupported",
        "wrong-base-path",
        "model-not-in-region",
    }:
        return Answered.AFTER_AUTHORIZATION, ()
    if codes & {"wrong-base-path", "timeout", "invalid-request-body", "invalid-parameter", "model-api-unsupported"}:
        return Answered.UNREADABLE, ()
    if codes & {"model-not-found", "model-not-in-region"} and observation.exchange.probe is Probe.INFER_FREE_2:
        return Answered.UNREADABLE, ()
    return answered, diagnoses


def _asked_for(observation: Observation, case: Case) -> bool:
    """Whether the model of a probe is the caller's: one that we chose ourselves troubles nobody by being absent."""
    if observation.exchange.probe not in {Probe.GET, Probe.OPERATION, *FREE_INFERENCE}:
        return True
    named = observation.exchange.model
    if named is None and observation.operation is not None and observation.operation.name == "get-model":
        named = unquote((observation.path or "").rpartition("/")[2])
    return named is None or (case.model is not None and named in {case.model, read_model_id(case.model).bare})


def _outcome(observation: Observation, answered: Answered, diagnoses: tuple[Diagnosis, ...]) -> Outcome:
    operation = observation.operation
    return Outcome(
        exchange=observation.index,
        operation=operation.name if operation else None,
        actions=needed_actions(observation),
        answer=Answer.CONTROL if _is_refused_control(observation, answered) else _WORDS.get(answered, Answer.UNDECIDED),
        detail=_detail(observation, answered, diagnoses),
    )


def _is_refused_control(observation: Observation, answered: Answered) -> bool:
    return observation.control and answered in {Answered.AUTHENTICATION_REQUIRED, Answered.INVALID_CREDENTIAL}


def needed_actions(observation: Observation) -> tuple[str, ...]:
    """Actions that the call always needs, ``CallWithBearerToken`` included where a key is sent."""
    operation = observation.operation
    if operation is None:
        return ()
    actions = [entry.action for entry in operation.actions if entry.when is None]
    if observation.exchange.auth in {Auth.BEARER, Auth.JUNK}:
        actions.insert(0, BEARER_ACTION)
    return tuple(dict.fromkeys(actions))


def _detail(observation: Observation, answered: Answered, diagnoses: tuple[Diagnosis, ...]) -> str:
    exchange = observation.exchange
    status = str(exchange.status) if exchange.status is not None else ""
    if exchange.failure is not None:
        return f"no answer: {exchange.failure.kind.value}"
    if answered is Answered.RESULT:
        return status or "a result"
    if _is_refused_control(observation, answered):
        how = "without a credential" if answered is Answered.AUTHENTICATION_REQUIRED else "with an invalid key"
        return f"{status} {how}, as it should be"
    if answered is Answered.BARE_404:
        return "404 without an error object"
    if answered is Answered.AFTER_AUTHORIZATION:
        return f"{status} after authorisation".strip()
    if observation.denials and observation.denials[0].action:
        word = "denied explicitly" if observation.denials[0].effect == "explicit" else "not authorized"
        return f"{status} {word}: {observation.denials[0].action}".strip()
    if diagnoses:
        return f"{status} {diagnoses[0].code}: {shorten(observation.quote, 100)}".strip()
    return f"{status} {shorten(observation.quote, 100)}".strip()
