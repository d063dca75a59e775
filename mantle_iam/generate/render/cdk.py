"""The AWS Cloud Development Kit: a stack class in Python or TypeScript.

The document goes into an L1 construct, which CloudFormation gets as it is; ``PolicyDocument.from_json`` may merge and reorder
statements (feature flag ``@aws-cdk/aws-iam:minimizePolicies``).

Sources: https://docs.aws.amazon.com/cdk/v2/guide/cfn-layer.html,
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_iam-readme.html
"""

from __future__ import annotations

from typing import Final

from mantle_iam.generate.artifact import Kind
from mantle_iam.generate.render.engine import Format, boundary_of_nobody
from mantle_iam.generate.render.literals import python_constant, python_value, typescript_constant, typescript_property
from mantle_iam.generate.render.program import program

_MISSING: Final = {
    Kind.SESSION: "CloudFormation stores no session policy, it is passed with AssumeRole",
    Kind.LONG_TERM_KEY: "CloudFormation has no resource type for service-specific credentials",
}

CDK_PYTHON = Format(
    program("cdk/python", ".py.j2", {"constant": python_constant, "value": python_value}, boundary_of_nobody),
    _MISSING,
)
CDK_TYPESCRIPT = Format(
    program(
        "cdk/typescript",
        ".ts.j2",
        {"constant": typescript_constant, "property": typescript_property},
        boundary_of_nobody,
    ),
    _MISSING,
)
