"""An application of stages, nested stacks and imports, synthesised into a folder.

python synth_assembly.py FOLDER
"""

from __future__ import annotations

import sys

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct


def allow(action: str) -> iam.PolicyStatement:
    """A statement that allows one action of the service."""
    return iam.PolicyStatement(actions=[f"bedrock-mantle:{action}"], resources=["*"])


class Inner(cdk.NestedStack):
    """A role of its own, and a policy for the role of its owner."""

    def __init__(self, scope: Construct, name: str, role: iam.IRole) -> None:
        super().__init__(scope, name)
        own = iam.Role(self, "Own", role_name="inner", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        own.add_to_policy(allow("CreateInference"))
        self.managed = iam.ManagedPolicy(self, "Managed", statements=[allow("GetModel")])
        policy = iam.Policy(self, "Policy", statements=[allow("ListModels")])
        policy.attach_to_role(role)


class Outer(cdk.Stack):
    """A role that has what is in the nested stack."""

    def __init__(self, scope: Construct, name: str, **options: object) -> None:
        super().__init__(scope, name, **options)
        role = iam.Role(self, "Role", role_name="outer", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        inner = Inner(self, "Inner", role)
        role.add_managed_policy(inner.managed)
        user = iam.User(self, "User", user_name="somebody")
        user.add_to_policy(allow("CallWithBearerToken"))


def main(folder: str) -> None:
    app = cdk.App(outdir=folder, analytics_reporting=False)
    Outer(app, "Alone", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    stage = cdk.Stage(app, "Prod", env=cdk.Environment(account="444455556666", region="us-east-1"))
    Outer(stage, "Staged")
    Outer(app, "Anywhere")
    app.synth()


if __name__ == "__main__":
    main(sys.argv[1])
