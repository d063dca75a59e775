"""A finished policy document as text: JSON, JSON without white space, Terraform.

A format is a function from a ``Rendering`` to text; a template wraps the finished document and decides nothing.  The text of
the templates comes from the caller.  Knows no file, no terminal, no permission.
Sources: https://developer.hashicorp.com/terraform/language/expressions/strings (escapes, ``$${`` and ``%%{``),
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document (``&{``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.iam.grammar import policy_json
from mantle_iam.iam.policy import PolicyDocument

TemplateSource = Callable[[str], str]
"""The text of a template by its name under ``templates/``.  Raises ``FileNotFoundError``."""

MANAGED_POLICY_LIMIT: Final = 6144
"""Characters without white space (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
USER_INLINE_LIMIT: Final = 2048
NAME_LIMIT: Final = 128


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is rendered: the document, its name, and to whom it is to be attached."""

    document: PolicyDocument
    name: str = "mantle-iam"
    """Name of the policy in IAM."""
    description: str = ""
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Names; where all three are empty, a format leaves them to variables."""


def policy_size(document: PolicyDocument) -> int:
    """Characters of ``document`` as IAM counts them: without white space outside strings."""
    return len(policy_json(document, indent=None))


def checked_policy_name(name: str) -> str:
    """``name``, when IAM takes it as a policy's name.

    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html

    Raises:
        InputError: it is empty, too long, or has other characters than letters, digits and ``+=,.@_-``.
    """
    if not name or len(name) > NAME_LIMIT or not all(c.isascii() and (c.isalnum() or c in "+=,.@_-") for c in name):
        raise InputError(
            f"`{name}` is not a name that IAM takes", help="up to 128 letters, digits and any of + = , . @ _ -"
        )
    return name


def render(rendering: Rendering, format_name: str, template: TemplateSource) -> str:
    """``rendering`` in the format ``format_name``, ending with a line end.

    Raises:
        InputError: there is no such format, or it cannot express the document.
    """
    for name, function in FORMATS:
        if name == format_name:
            return function(rendering, template)
    raise InputError(f"no format `{format_name}`", help=f"formats: {', '.join(format_names())}")


def format_names() -> tuple[str, ...]:
    """The formats, in the order of the help."""
    return tuple(name for name, _ in FORMATS)


def _json(rendering: Rendering, _: TemplateSource) -> str:
    return policy_json(rendering.document, indent=2) + "\n"


def _json_min(rendering: Rendering, _: TemplateSource) -> str:
    return policy_json(rendering.document, indent=None) + "\n"


def _terraform(rendering: Rendering, template: TemplateSource) -> str:
    for text in _strings(rendering.document):
        # The provider turns `&{` into `${`, and there is no escape for it.
        if "&{" in text:
            raise InputError(
                f"`{text}` cannot be written in an aws_iam_policy_document, which reads `&{{` as `${{`",
                help="use --format json",
            )
    if any(s.principals or s.not_principals for s in rendering.document.statements):
        raise InputError("a policy with principals is no identity policy", help="use --format json")
    attachments = [
        {"kind": kind, "names": names}
        for kind, names in (("role", rendering.roles), ("user", rendering.users), ("group", rendering.groups))
    ]
    return _rendered(
        "terraform/policy.tf.j2",
        template,
        document=rendering.document,
        name=rendering.name,
        label=_identifier(rendering.name),
        description=rendering.description,
        attachments=attachments,
        by_variable=not (rendering.roles or rendering.users or rendering.groups),
    )


FORMATS: Final[tuple[tuple[str, Callable[[Rendering, TemplateSource], str]], ...]] = (
    # The order is that of the help; the first is the default.
    ("json", _json),
    ("json-min", _json_min),
    ("terraform", _terraform),
)


def _rendered(path: str, template: TemplateSource, **values: object) -> str:
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
    environment.filters["hcl"] = hcl_string
    return environment.get_template(path).render(**values)


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def hcl_string(text: str) -> str:
    """``text`` as a quoted HCL string: no interpolation, no directive, no line end inside."""
    parts: list[str] = []
    for position, character in enumerate(text):
        if character in _ESCAPES:
            parts.append(_ESCAPES[character])
        elif character in "$%" and text[position + 1 : position + 2] == "{":
            parts.append(character * 2)
        elif character.isprintable():
            parts.append(character)
        else:
            parts.append(f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}")
    return f'"{"".join(parts)}"'


def _identifier(name: str) -> str:
    """``name`` as a Terraform identifier: letters, digits, ``_``; does not begin with a digit."""
    letters = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_").lower()
    return letters if letters[:1].isalpha() else f"policy_{letters}".rstrip("_")


def _strings(document: PolicyDocument) -> Iterator[str]:
    for statement in document.statements:
        yield from statement.actions
        yield from statement.not_actions
        yield from statement.resources
        yield from statement.not_resources
        for condition in statement.conditions:
            yield condition.key
            yield from condition.values
