"""What all formats share: the record of a format, and the template engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mantle_iam.generate.artifact import Artifact, Kind

TemplateSource = Callable[[str], str]
"""The text of a template by its name under ``templates/``.  Raises ``FileNotFoundError``."""

Filters = Mapping[str, Callable[..., object]]


@dataclass(frozen=True, slots=True)
class Format:
    """One way of writing an artifact."""

    name: str
    title: str
    """One line for the help."""
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
