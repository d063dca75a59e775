"""Terraform: ``aws_iam_policy_document`` data sources and the resources around them.

Sources: https://developer.hashicorp.com/terraform/language/expressions/strings (escapes, ``$${`` and ``%%{``),
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document (``&{``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact
from mantle_iam.generate.render.engine import Format, TemplateSource, rendered
from mantle_iam.iam.policy import PolicyDocument


def _terraform(artifact: Artifact, template: TemplateSource) -> str:
    for text in _strings(artifact.document):
        # The provider turns `&{` into `${`, and there is no escape for it.
        if "&{" in text:
            raise InputError(
                f"`{text}` cannot be written in an aws_iam_policy_document, which reads `&{{` as `${{`",
                help="use --format json",
            )
    if any(s.principals or s.not_principals for s in artifact.document.statements):
        raise InputError("a policy with principals is no identity policy", help="use --format json")
    attachments = [
        {"kind": kind, "names": names}
        for kind, names in (("role", artifact.roles), ("user", artifact.users), ("group", artifact.groups))
    ]
    return rendered(
        "terraform/policy.tf.j2",
        template,
        {"hcl": hcl_string},
        document=artifact.document,
        name=artifact.name,
        label=_identifier(artifact.name),
        description=artifact.description,
        attachments=attachments,
        by_variable=not (artifact.roles or artifact.users or artifact.groups),
    )


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


TERRAFORM = Format("terraform", "HCL: aws_iam_policy_document and the resources around it.", _terraform)
