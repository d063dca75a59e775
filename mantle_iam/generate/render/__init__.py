"""An artifact as text, in the format that was asked for.

A format is one function from an ``Artifact`` to text; a template wraps the finished documents and decides nothing.  The text of
the templates comes from the caller.  Knows no file, no terminal, no permission.
"""

from __future__ import annotations

from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact
from mantle_iam.generate.render.engine import Format, TemplateSource
from mantle_iam.generate.render.plain import JSON, JSON_MIN
from mantle_iam.generate.render.terraform import TERRAFORM

FORMATS: Final[tuple[Format, ...]] = (
    # The order is that of the help; the first is the default.
    JSON,
    JSON_MIN,
    TERRAFORM,
)


def format_names() -> tuple[str, ...]:
    """The formats, in the order of the help."""
    return tuple(one.name for one in FORMATS)


def render(artifact: Artifact, format_name: str, template: TemplateSource) -> str:
    """``artifact`` in the format ``format_name``, ending with a line end.  The same artifact gives the same text.

    Raises:
        InputError: there is no such format, it has no form for this kind, or it cannot express the document.
    """
    found = next((one for one in FORMATS if one.name == format_name), None)
    if found is None:
        raise InputError(f"no format `{format_name}`", help=f"formats: {', '.join(format_names())}")
    reason = found.missing.get(artifact.kind)
    if reason is not None:
        usable = [one.name for one in FORMATS if artifact.kind not in one.missing]
        raise InputError(
            f"`{format_name}` has no form for a {artifact.kind} policy: {reason}", help=f"formats: {', '.join(usable)}"
        )
    return found.function(artifact, template)
