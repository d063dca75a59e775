"""AWS SAM: a function that has the policy.

Decides where in a function's template a policy goes.  Everything else is ``cloudformation.py``'s.

Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from __future__ import annotations

from typing import Any, Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, TrustedBy
from mantle_iam.generate.render.cloudformation import (
    Template,
    literal,
    logical_id,
    managed_policies,
    refuse_dynamic_references,
    role,
    yaml_form,
)
from mantle_iam.generate.render.engine import Format, TemplateSource, boundary_of_nobody, single_document

_YOURS = "CodeUri, Handler and Runtime stand for those of your function."
_NAMED = (
    "The role has a name: sam deploy --capabilities CAPABILITY_NAMED_IAM",
    "Logs need rights of their own: the managed policy service-role/AWSLambdaBasicExecutionRole, or as much as you want.",
)


def _sam(artifact: Artifact, template: TemplateSource) -> str:
    made = Template(notes=[_YOURS], transform="AWS::Serverless-2016-10-31")
    properties: dict[str, Any] = {"CodeUri": "src/", "Handler": "app.handler", "Runtime": "python3.13"}
    if artifact.kind is Kind.BOUNDARY:
        single_document(artifact)
        boundary_of_nobody(artifact)
        (policy,) = managed_policies(made, artifact, {})
        properties["PermissionsBoundary"] = {"Ref": policy}
    elif artifact.kind is Kind.TRUST:
        properties["Role"] = {"Fn::GetAtt": [_role_of_function(made, artifact), "Arn"]}
    else:
        properties["Policies"] = _policies(artifact)
    made.add(logical_id(artifact, "Function"), "Serverless::Function", **properties)
    refuse_dynamic_references(made)
    return yaml_form(made, template)


def _role_of_function(made: Template, artifact: Artifact) -> str:
    if artifact.trust is None or artifact.trust.by is not TrustedBy.LAMBDA:
        raise InputError("`sam` writes functions, whose role Lambda takes on", help="use --format cloudformation")
    made.notes += _NAMED
    return role(made, artifact)


def _policies(artifact: Artifact) -> list[dict[str, Any]]:
    """The documents as inline policies of the role that SAM makes for the function."""
    named = (*artifact.roles, *artifact.users, *artifact.groups)
    if named:
        raise InputError(
            f"`sam` gives the policy to the role of its function, not to `{named[0]}`",
            help="leave the names out, or use --format cloudformation",
        )
    return [literal(document) for document in artifact.documents]


_NO_FUNCTION: Final = "it is nothing that a function has"
_MISSING: Final = {
    Kind.SCP: _NO_FUNCTION,
    Kind.VPC_ENDPOINT: _NO_FUNCTION,
    Kind.PERMISSION_SET: _NO_FUNCTION,
    Kind.SESSION: "a session policy is passed with AssumeRole and stored nowhere",
    Kind.LONG_TERM_KEY: "CloudFormation has no resource type for service-specific credentials",
}

SAM = Format(_sam, _MISSING)
