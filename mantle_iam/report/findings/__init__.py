"""Findings, and the matrix, in the formats of the field; one module for each format.

Those named here need nothing but the results.  ``text.text`` takes a width and colours besides, ``html.html`` the source of
templates and the matrix; ``grid`` has the matrix's own.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from mantle_iam.report.findings.results import Results

FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    # name: module of this package and its function
    "json": ("document", "findings_json"),
    "csv": ("separated", "findings_csv"),
    "markdown": ("markdown", "findings_markdown"),
    "sarif": ("sarif", "sarif"),
    "junit": ("junit", "junit"),
    "github": ("github", "annotations"),
    "gitlab": ("gitlab", "code_quality"),
}
"""In the order in which help shows them."""


def written(name: str, results: Results) -> str:
    """The whole text, which can be encoded as UTF-8; to be written as it is, its line ends too.

    Imports only the module of that format, since most runs need one.  Raises ``KeyError`` for a name that is none.
    """
    module, function = FORMATS[name]
    return str(getattr(import_module(f"{__name__}.{module}"), function)(results))
