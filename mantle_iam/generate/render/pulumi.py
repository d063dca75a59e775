"""Pulumi: a program in Python or TypeScript for the classic AWS provider.

Sources: https://www.pulumi.com/registry/packages/aws/api-docs/, https://www.pulumi.com/docs/iac/concepts/config/
"""

from __future__ import annotations

from typing import Final

from mantle_iam.generate.artifact import Kind
from mantle_iam.generate.render.engine import Format, boundary_of_nobody
from mantle_iam.generate.render.literals import python_constant, python_value, typescript_constant, typescript_property
from mantle_iam.generate.render.program import program

_MISSING: Final = {Kind.SESSION: "no resource stores a session policy, it is passed with AssumeRole"}

PULUMI_PYTHON = Format(
    program("pulumi/python", ".py.j2", {"constant": python_constant, "value": python_value}, boundary_of_nobody),
    _MISSING,
)
PULUMI_TYPESCRIPT = Format(
    program(
        "pulumi/typescript",
        ".ts.j2",
        {"constant": typescript_constant, "property": typescript_property},
        boundary_of_nobody,
    ),
    _MISSING,
)
