"""An artifact as text, in the format that was asked for.

A format is one function from an ``Artifact`` to text; a template wraps the finished documents and decides nothing.  The text of
the templates comes from the caller.  Knows no file, no terminal, no permission.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact
from mantle_iam.generate.render.engine import Format, TemplateSource


@dataclass(frozen=True, slots=True)
class Registered:
    """A format by name, and where it is: only the one that is asked for is imported."""

    name: str
    title: str
    """One line for the help."""
    module: str
    """Module of this package."""
    attribute: str
    """The ``Format`` in it."""

    def load(self) -> Format:
        """The format itself."""
        found: Format = getattr(importlib.import_module(f"{__name__}.{self.module}"), self.attribute)
        return found


FORMATS: Final[tuple[Registered, ...]] = (
    # The order is that of the help; the first is the default.
    Registered("json", "The document, indented.", "plain", "JSON"),
    Registered("json-min", "The document without white space.", "plain", "JSON_MIN"),
    Registered("terraform", "HCL: aws_iam_policy_document and the resources around it.", "terraform", "TERRAFORM"),
    Registered("terraform-json", "The same in Terraform's JSON syntax (.tf.json).", "terraform", "TERRAFORM_JSON"),
    Registered("cloudformation", "A CloudFormation template, in YAML.", "cloudformation", "CLOUDFORMATION"),
    Registered("cloudformation-json", "The same in JSON.", "cloudformation", "CLOUDFORMATION_JSON"),
    Registered("sam", "An AWS SAM template: a function that has the policy.", "sam", "SAM"),
    Registered("cdk-python", "AWS CDK: a stack in Python.", "cdk", "CDK_PYTHON"),
    Registered("cdk-typescript", "AWS CDK: a stack in TypeScript.", "cdk", "CDK_TYPESCRIPT"),
    Registered("pulumi-python", "Pulumi: a program in Python.", "pulumi", "PULUMI_PYTHON"),
    Registered("pulumi-typescript", "Pulumi: a program in TypeScript.", "pulumi", "PULUMI_TYPESCRIPT"),
    Registered("cli", "A bash script that calls the AWS CLI.", "shell", "CLI"),
    Registered("boto3", "A Python program that calls boto3.", "boto3_script", "BOTO3"),
)


def format_names() -> tuple[str, ...]:
    """The formats, in the order of the help."""
    return tuple(one.name for one in FORMATS)


def render(artifact: Artifact, format_name: str, template: TemplateSource) -> str:
    """``artifact`` in the format ``format_name``, ending with a line end.  The same artifact gives the same text.

    Raises:
        InputError: there is no such format, it has no form for this kind, or it cannot express the document.
    """
    registered = next((one for one in FORMATS if one.name == format_name), None)
    if registered is None:
        raise InputError(f"no format `{format_name}`", help=f"formats: {', '.join(format_names())}")
    found = registered.load()
    reason = found.missing.get(artifact.kind)
    if reason is not None:
        usable = [one.name for one in FORMATS if artifact.kind not in one.load().missing]
        raise InputError(
            f"`{format_name}` has no form for a {artifact.kind} policy: {reason}", help=f"formats: {', '.join(usable)}"
        )
    return found.function(artifact, template)
