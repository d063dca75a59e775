"""Findings, and the matrix, in the formats of the field; one module for each format.

Those here need nothing but the results.  ``text.text`` takes a width and colours besides, ``html.html`` the source of templates
and the matrix; ``grid`` has the matrix's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mantle_iam.report.findings.document import findings_json
from mantle_iam.report.findings.github import annotations
from mantle_iam.report.findings.gitlab import code_quality
from mantle_iam.report.findings.junit import junit
from mantle_iam.report.findings.markdown import findings_markdown
from mantle_iam.report.findings.results import Results
from mantle_iam.report.findings.sarif import sarif
from mantle_iam.report.findings.separated import findings_csv


@dataclass(frozen=True, slots=True)
class Format:
    """One way of writing findings."""

    name: str
    title: str
    """One line for the help."""
    function: Callable[[Results], str]
    """The whole text, which can be encoded as UTF-8; to be written as it is, its line ends too."""


FORMATS = (
    Format("json", "the JSON document, with a published schema", findings_json),
    Format("csv", "comma-separated values (RFC 4180)", findings_csv),
    Format("markdown", "GitHub Flavored Markdown, for a step summary or a comment", findings_markdown),
    Format("sarif", "SARIF 2.1.0, for code scanning", sarif),
    Format("junit", "JUnit XML, for test servers", junit),
    Format("github", "annotations of GitHub Actions", annotations),
    Format("gitlab", "a code quality report of GitLab", code_quality),
)
"""In the order in which help shows them."""


def format_named(name: str) -> Format:
    """The format.  Raises ``KeyError`` for a name that is none."""
    return {one.name: one for one in FORMATS}[name]
