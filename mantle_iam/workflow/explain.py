"""Pasted text to a result: read the exchanges, diagnose them, propose the fix.  Offline; nothing is sent or looked up.

The clock is not read: what a text says about time is compared with the times in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.differential import diagnose
from mantle_iam.errors import InputError
from mantle_iam.mantle.endpoint import Endpoint, parse_base_url
from mantle_iam.mantle.exchange import Exchange
from mantle_iam.mantle.transcript import read_transcript
from mantle_iam.report.result import Part, Result
from mantle_iam.workflow.fix import propose_fix

_BINARY_SHARE = 0.1
"""More undecodable or control characters than this and it is no text that somebody pasted."""

_SAMPLE = 65536


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What the user says beside the text."""

    region: str | None = None
    with_fix: bool = True
    now: datetime | None = None


def explain(text: str, options: ExplainOptions | None = None) -> Result:
    """Diagnose ``text``.

    Raises:
        InputError: it is empty, or binary.
    """
    options = options or ExplainOptions()
    _check(text)
    exchanges = read_transcript(text)
    case = case_of(exchanges, options)
    report = diagnose(case)
    fix = propose_fix(report, case) if options.with_fix else None
    return Result((Part(case, report),), fix)


def _check(text: str) -> None:
    if not text.strip():
        raise InputError(
            "the input is empty", help="paste the error, the log lines or the output of curl -i, or give a file"
        )
    sample = text[:_SAMPLE]
    odd = sum(
        1
        for character in sample
        if character == "\ufffd" or (character < " " and character not in "\t\n\r\x0b\x0c\x1b\x08")
    )
    if odd > len(sample) * _BINARY_SHARE:
        raise InputError("the input is binary, not text", help="give the log or the error as text")


def case_of(exchanges: tuple[Exchange, ...], options: ExplainOptions) -> Case:
    """The case that pasted exchanges make, with what they say about endpoint, region, model and project."""
    endpoint = _endpoint(exchanges)
    told = next((exchange.region for exchange in exchanges if exchange.region), None)
    region = options.region or (endpoint.region if endpoint else None) or told
    return Case(
        exchanges=exchanges,
        endpoint=endpoint,
        region=region,
        model=next((exchange.model for exchange in exchanges if exchange.model), None),
        project=next((exchange.project for exchange in exchanges if exchange.project), None),
        principal=next((exchange.principal for exchange in exchanges if exchange.principal), None),
        now=options.now,
    )


def _endpoint(exchanges: tuple[Exchange, ...]) -> Endpoint | None:
    for exchange in exchanges:
        if exchange.url:
            try:
                return parse_base_url(exchange.url)
            except InputError:
                continue
    return None
