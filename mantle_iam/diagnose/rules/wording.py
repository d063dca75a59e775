"""Known wordings: words that an answer may hold, and what they mean.  The tables are in the family modules.

Decides only whether a row's words are there.  Rows are compared with ``Observation.words`` (lower case, straight
apostrophes); no regular expression is involved, so a hostile text costs no more than its length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.compose import heard, make
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.diagnose.observation import Observation, shorten


@dataclass(frozen=True, slots=True)
class Wording:
    """One row: words -> code.  ``title``, ``explanation`` and ``remedy`` may name ``{model}``, ``{region}``, ``{host}``,
    ``{path}`` and ``{account}``."""

    code: str
    any_of: tuple[str, ...]
    """At least one of them is in the answer."""
    title: str
    explanation: str
    remedy: str
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    """Statuses that it may come with; empty for any.  An unknown status always passes."""
    confidence: Confidence = Confidence.CONCLUSIVE
    reference: str | None = None
    would_decide: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def matches(self, observation: Observation) -> bool:
        """Whether the words are there."""
        words, status = observation.words, observation.exchange.status
        if self.statuses and status is not None and status not in self.statuses:
            return False
        return (
            any(word in words for word in self.any_of)
            and all(word in words for word in self.all_of)
            and not any(word in words for word in self.none_of)
        )


def first_wording(table: Iterable[Wording], observation: Observation, case: Case) -> Wording | None:
    """The first row whose words are there: tables go from the special to the general."""
    return next((row for row in table if row.matches(observation)), None)


def told(row: Wording, observation: Observation, case: Case, confidence: Confidence | None = None) -> Diagnosis:
    """The diagnosis of ``row`` with the words received as its evidence."""
    names = names_of(observation, case)
    return make(
        row.code,
        confidence or row.confidence,
        (heard(observation),),
        title=row.title.format_map(names),
        explanation=row.explanation.format_map(names),
        remedy=row.remedy.format_map(names),
        reference=row.reference,
        actions=row.actions,
        would_decide=row.would_decide,
    )


def by_table(table: tuple[Wording, ...], observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """The diagnosis of the first row that matches, or none."""
    row = first_wording(table, observation, case)
    return () if row is None else (told(row, observation, case),)


def names_of(observation: Observation, case: Case) -> dict[str, str]:
    """What a row's texts may name."""
    model = model_of(observation, case)
    region = observation.region or case.region
    return {
        "model": f"`{shorten(model, 120)}`" if model else "the model",
        "region": region or "this Region",
        "host": observation.host or "the host",
        "path": observation.path or "this path",
        "quote": shorten(observation.quote, 200),
    }


def model_of(observation: Observation, case: Case) -> str | None:
    """The model that the call named: from the request, from the words, from what was asked for."""
    if observation.exchange.model:
        return observation.exchange.model
    return model_in_words(observation.quote) or case.model


def model_in_words(text: str) -> str | None:
    """A model id that an error quotes: ``The model 'x' does not exist``, ``model `x` isn't supported``."""
    folded = text.replace("\u2019", "'").replace("\u2018", "'")
    lowered = folded.lower()
    for mark in ("'", "`", '"'):
        start = lowered.find(f"model {mark}")
        if start < 0:
            continue
        begin = start + len("model ") + 1
        end = folded.find(mark, begin)
        if 0 < end - begin <= 200:
            return folded[begin:end]
    unavailable = lowered.find(" is not available for this account")
    if unavailable > 0:
        word = folded[:unavailable].split()[-1].strip("'\"`:{")
        return word if "." in word else None
    return None
