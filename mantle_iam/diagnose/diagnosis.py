"""The record of a diagnosis.  Codes and their texts are in ``codes.py``; nothing here decides anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from mantle_iam.iam.request import PolicyType
from mantle_iam.mantle.exchange import Probe


class Confidence(StrEnum):
    """How sure a diagnosis is (``docs/diagnoses.md`` says what each takes)."""

    CONCLUSIVE = "conclusive"
    LIKELY = "likely"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation that a diagnosis rests on."""

    source: str
    """What was seen: ``GET /v1/models -> 404``, ``the key itself``, ``AWS_REGION``."""
    says: str
    """What it says, quoting the words received."""
    exchange: int | None = None
    """Index of the exchange in the case."""
    probe: Probe | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One cause, with its evidence and its remedy."""

    code: str
    confidence: Confidence
    title: str
    """One line: what is wrong, with the names that matter in it."""
    explanation: str
    """At most three sentences."""
    evidence: tuple[Evidence, ...]
    remedy: str
    reference: str
    """URL of the rule's source, or the anchor of its page in the docs."""
    policy_type: PolicyType | None = None
    effect: Literal["implicit", "explicit"] | None = None
    actions: tuple[str, ...] = ()
    """Missing (or denied) actions, full names."""
    resource: str | None = None
    principal: str | None = None
    policy: str | None = None
    """Policy that denies, where it is named."""
    would_decide: tuple[str, ...] = ()
    """What would make it conclusive: probes, rights, questions."""
