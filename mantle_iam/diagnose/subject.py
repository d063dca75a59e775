"""A refused call whose cause is sought, and which other calls bear on it.

Decides what may be compared with what (same path, same credential, another model …); not what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.classify import Reading
from mantle_iam.diagnose.observation import FREE_INFERENCE, Answered
from mantle_iam.diagnose.rules.wording import model_of
from mantle_iam.mantle.credential import CredentialKind
from mantle_iam.mantle.exchange import Auth, Probe


@dataclass(frozen=True, slots=True)
class Subject:
    """A refused call whose cause is sought, with all that was observed beside it."""

    reading: Reading
    readings: tuple[Reading, ...]
    case: Case

    @property
    def answered(self) -> Answered:
        """How the call was answered."""
        return self.reading.answered

    @property
    def bearer(self) -> bool:
        """Whether a key was sent."""
        exchange = self.reading.exchange
        if exchange.auth is Auth.UNKNOWN:
            kind = self.case.credential.kind if self.case.credential else None
            return kind in {CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY}
        return exchange.auth is Auth.BEARER

    @property
    def model(self) -> str | None:
        """Model that the call named."""
        return model_of(self.reading.observation, self.case)

    @property
    def denied(self) -> tuple[str, ...]:
        """Actions that the sentences name as implicitly denied."""
        found = (entry.actions for entry in self.reading.diagnoses if entry.code == "missing-permission")
        return tuple(action for actions in found for action in actions)


def applicable(subject: Subject, probe: Probe) -> bool:
    """Whether ``probe`` can tell anything about ``subject``: its own request again tells nothing."""
    mine = subject.reading.observation
    if probe is Probe.SIGV4:
        return mine.exchange.auth is not Auth.SIGV4
    if probe is Probe.BEARER:
        return mine.exchange.auth is not Auth.BEARER
    if probe is Probe.NO_PROJECT:
        return bool(mine.exchange.project)
    if probe is Probe.LIST:
        return mine.operation is None or mine.operation.name != "list-models"
    return True


def comparable(subject: Subject, other: Reading, probe: Probe) -> bool:
    """Whether ``other`` is the answer to ``probe`` as far as ``subject`` is concerned."""
    mine, its = subject.reading.observation, other.observation
    if other.index == subject.reading.index:
        return False
    if probe is Probe.BARE:
        unsigned = its.exchange.auth is Auth.NONE or its.exchange.probe is Probe.BARE
        return unsigned and its.path == mine.path and (its.exchange.method or "GET") == (mine.exchange.method or "GET")
    if other.observation.control:
        return False
    same_call = _same_call(subject.reading, other)
    if probe is Probe.LIST:
        named = its.operation is not None and its.operation.name == "list-models"
        return named and its.region == mine.region and its.exchange.auth is mine.exchange.auth
    if probe is Probe.INFER_FREE_2:
        return _other_model(subject, other)
    if probe in {Probe.SIGV4, Probe.BEARER}:
        wanted = Auth.SIGV4 if probe is Probe.SIGV4 else Auth.BEARER
        return same_call and its.exchange.auth is wanted and mine.exchange.auth is not wanted
    if probe is Probe.NO_PROJECT:
        same_auth = its.exchange.auth is mine.exchange.auth
        return same_call and same_auth and bool(mine.exchange.project) and not its.exchange.project
    if probe is Probe.OTHER_REGION:
        return its.region != mine.region and its.region is not None and its.exchange.auth is mine.exchange.auth
    if probe is Probe.AGAIN:
        return its.exchange.probe is Probe.AGAIN and same_call and its.exchange.auth is mine.exchange.auth
    return its.exchange.probe is probe


def _same_call(reading: Reading, other: Reading) -> bool:
    mine, its = reading.observation, other.observation
    if mine.operation is not None and its.operation is not None:
        return mine.operation.name == its.operation.name and mine.exchange.model == its.exchange.model
    return mine.path is not None and mine.path == its.path


def _other_model(subject: Subject, other: Reading) -> bool:
    mine, its = subject.reading.exchange, other.exchange
    if not its.model or its.model == mine.model or its.auth is not mine.auth or its.project != mine.project:
        return False
    if other.observation.region != subject.reading.observation.region:
        return False
    actions = set(other.outcome.actions) & set(subject.denied)
    return bool(actions) or its.probe in FREE_INFERENCE
