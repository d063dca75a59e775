"""What all formats share: the record of a format, and the template engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.iam.policy import PolicyDocument

TemplateSource = Callable[[str], str]
"""The text of a template by its name under ``templates/``.  Raises ``FileNotFoundError``."""

Filters = Mapping[str, Callable[..., object]]


@dataclass(frozen=True, slots=True)
class Format:
    """One way of writing an artifact."""

    function: Callable[[Artifact, TemplateSource], str]
    missing: Mapping[Kind, str] = field(default_factory=dict)
    """Kinds that it has no form for, each with the reason."""


def rendered(path: str, template: TemplateSource, filters: Filters, /, **values: object) -> str:
    """The template ``path`` with ``values``; an undefined name in it is an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(template),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - that is for HTML; here every value goes through its language's filter
    )
    environment.filters.update(filters)
    return environment.get_template(path).render(**values)


def single_document(artifact: Artifact) -> PolicyDocument:
    """The artifact's document, for a kind of which its holder has only one.

    Raises:
        InputError: there are several.
    """
    if len(artifact.documents) != 1:
        raise InputError(
            f"the {artifact.kind} policy needs {len(artifact.documents)} documents, and only one can be in force",
            help="grant less, or less finely: fewer models, projects and regions, or patterns instead of lists",
        )
    return artifact.document


def boundary_of_nobody(artifact: Artifact) -> None:
    """A format that makes the boundary can set it only for roles and users that it makes too.

    Raises:
        InputError: it is a permissions boundary, and names who has it already.
    """
    named = (*artifact.roles, *artifact.users)
    if artifact.kind is Kind.BOUNDARY and named:
        raise InputError(
            f"this format cannot set the boundary of `{named[0]}`, which it does not make",
            help="leave the names out and set it where the role or user is made, or use --format cli or boto3",
        )


def json_text(value: Any) -> str:
    """``value`` as indented JSON that a YAML reader takes for the same, ending with a line end.

    YAML has no surrogate pairs, and does not take control characters and line separators as they are.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # YAML takes everything beyond the basic plane as it is, and there JSON's escape would be a surrogate pair.
    return "".join(c if c.isprintable() or c == "\n" or ord(c) > 0xFFFF else f"\\u{ord(c):04x}" for c in text) + "\n"
