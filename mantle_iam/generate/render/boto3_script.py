"""boto3: a Python program that makes the policy, or brings an existing one up to date.

Sources: https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/iam.html and the pages beside it.
"""

from __future__ import annotations

from mantle_iam.generate.render.engine import Format
from mantle_iam.generate.render.literals import python_constant, python_value
from mantle_iam.generate.render.program import program

BOTO3 = Format(
    program("boto3", ".py.j2", {"constant": python_constant, "value": python_value}),
)
