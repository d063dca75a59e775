"""The matrix and the findings as one HTML page that needs nothing else: no network, no server, no script to be read.

A Content Security Policy in the page allows exactly the one script and the one style that are in it, by their hashes, so that
no name in the data can become either (W3C, Content Security Policy Level 3; ``frame-ancestors`` has no effect in a page).
The rows are in the document; the script sorts, searches and pages what is there (WAI-ARIA Authoring Practices, sortable table).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.audit.findings import Finding
from mantle_iam.report.findings.grid import Grid, Standing, totals
from mantle_iam.report.findings.results import (
    SEVERITIES,
    Results,
    count_words,
    failed,
    sound,
    subject,
    where,
    worst_first,
)
from mantle_iam.report.layout import clean

TemplateSource = Callable[[str], str]
"""The text of a template by its name under ``templates/``.  Raises ``FileNotFoundError``."""

_PAGE: Final = "html/page.html.j2"
_STYLE: Final = "html/page.css"
_SCRIPT: Final = "html/page.js"
_OF_PRINCIPALS: Final = "Who can use Amazon Bedrock Mantle"
_OF_POLICIES: Final = "Policies for Amazon Bedrock Mantle"
_SAFE_SCHEMES = ("https://", "http://")


def html(results: Results, template: TemplateSource, *, grid: Grid | None = None) -> str:
    """The page: the matrix where there is one, the findings, the inputs."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    style, script = template(_STYLE), template(_SCRIPT)
    environment = Environment(
        loader=FunctionLoader(template),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    environment.filters |= {"shown": _shown, "parts": _parts}
    # The hashes are of what stands between the tags, so both go in as they are.
    return environment.get_template(_PAGE).render(
        title=_OF_POLICIES if grid is None else _OF_PRINCIPALS,
        version=results.version,
        style=style,
        script=script,
        policy=content_security_policy(style, script),
        grid=grid,
        totals=[] if grid is None else [[(one.value, count[one]) for one in Standing] for count in totals(grid)],
        standings=[one.value for one in Standing],
        severities=[one.value for one in SEVERITIES],
        counts=count_words(results.findings),
        findings=[_finding(one) for one in worst_first(results.findings)],
        inputs=results.inputs,
        unread=len(failed(results.inputs)),
    )


def content_security_policy(style: str, script: str) -> str:
    """The policy that allows ``style`` and ``script`` and nothing else."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shown(text: str) -> str:
    """``text`` with what a browser would hide or reorder made visible; the template engine escapes the rest."""
    return clean(sound(text))


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    quoted: bool


def _parts(text: str) -> list[_Part]:
    """A sentence of ours by what it quotes in backticks; whole where they do not pair."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return [_Part(text, False)]
    return [_Part(part, number % 2 == 1) for number, part in enumerate(parts)]


def _finding(finding: Finding) -> dict[str, Any]:
    """What the template shows; a reference that is no web address is not made a link."""
    return {
        "severity": finding.severity.value,
        "rank": SEVERITIES.index(finding.severity),
        "confidence": finding.confidence.value,
        "rule": finding.rule,
        "where": where(finding),
        "message": finding.message,
        "subject": subject(finding),
        "remedy": finding.remedy,
        "reference": finding.reference,
        "link": finding.reference if finding.reference.startswith(_SAFE_SCHEMES) else "",
    }
