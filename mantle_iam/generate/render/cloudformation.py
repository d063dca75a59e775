"""CloudFormation: a template for each kind, in YAML and in JSON.

Decides which resources a kind of policy is.  Policies are literal: nothing in them is a function of CloudFormation, so that
``${aws:username}`` stays what it is.

Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html (each type by
its name), https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html (``{{resolve:``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, TrustedBy
from mantle_iam.generate.render.engine import (
    Format,
    TemplateSource,
    boundary_of_nobody,
    json_text,
    rendered,
    single_document,
)
from mantle_iam.generate.render.yaml_writer import yaml_text
from mantle_iam.iam.grammar import write_policy
from mantle_iam.iam.policy import PolicyDocument

_IAM = "CloudFormation wants to be told that it may make named IAM resources: --capabilities CAPABILITY_NAMED_IAM"
_NO_VALUE: Final = {"Ref": "AWS::NoValue"}


@dataclass(slots=True)
class Template:
    """A template while it is put together."""

    notes: list[str] = field(default_factory=list)
    """What whoever deploys it has to know; never text from outside."""
    transform: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def add(self, logical_id: str, kind: str, **properties: Any) -> None:
        """A resource of the type ``AWS::`` + ``kind``; a property that is ``None`` or empty text is left out."""
        kept = {name: value for name, value in properties.items() if value not in (None, "")}
        self.resources[logical_id] = {"Type": f"AWS::{kind}", "Properties": kept}

    def parameter(self, name: str, about: str, kind: str = "String") -> dict[str, str]:
        """A parameter that has to be given, and the reference to it."""
        self.parameters[name] = {"Type": kind, "Description": about}
        return {"Ref": name}

    def optional_list(self, name: str, about: str) -> dict[str, Any]:
        """A parameter of several values that may be empty, and the property's value: nothing at all where it is."""
        self.parameters[name] = {"Type": "CommaDelimitedList", "Default": "", "Description": about}
        given = {"Fn::Equals": [{"Fn::Join": ["", {"Ref": name}]}, ""]}
        self.conditions[f"Has{name}"] = {"Fn::Not": [given]}
        return {"Fn::If": [f"Has{name}", {"Ref": name}, _NO_VALUE]}

    def sections(self) -> dict[str, Any]:
        """The template as an object, without its notes."""
        written: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09"}
        if self.transform:
            written["Transform"] = self.transform
        for name in ("parameters", "conditions", "resources", "outputs"):
            if getattr(self, name):
                written[name.title()] = getattr(self, name)
        return written


def _cloudformation(artifact: Artifact, template: TemplateSource) -> str:
    return yaml_form(_template(artifact), template)


def _cloudformation_json(artifact: Artifact, _: TemplateSource) -> str:
    made = _template(artifact)
    written = made.sections()
    if made.notes:
        # JSON has no comments; this is the place that CloudFormation leaves for whatever one likes.
        version = written.pop("AWSTemplateFormatVersion")
        written = {"AWSTemplateFormatVersion": version, "Metadata": {"Notes": made.notes}, **written}
    return json_text(written)


def yaml_form(made: Template, template: TemplateSource) -> str:
    """The template as YAML, its notes as comments."""
    return rendered(
        "cloudformation/template.yaml.j2",
        template,
        {"yaml": yaml_text},
        notes=made.notes,
        sections=made.sections(),
    )


def _template(artifact: Artifact) -> Template:
    made = Template()
    _KINDS[artifact.kind](made, artifact)
    refuse_dynamic_references(made)
    return made


def refuse_dynamic_references(made: Template) -> None:
    """CloudFormation replaces ``{{resolve:…}}`` in every string, and there is no escape.

    Raises:
        InputError: a string of the template has it.
    """
    if "{{resolve:" in json.dumps(made.sections()):
        raise InputError(
            "CloudFormation would replace `{{resolve:` in this policy or its names", help="use --format json"
        )


def literal(document: PolicyDocument) -> dict[str, Any]:
    """The document as an object in which CloudFormation finds no function.

    Raises:
        InputError: it has an element that CloudFormation takes for a function.
    """
    written = write_policy(document)
    pending: list[Any] = [written]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            for name in value:
                if name == "Ref" or name.startswith("Fn::"):
                    raise InputError(f"CloudFormation takes `{name}` for a function", help="use --format json")
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return written


def logical_id(artifact: Artifact, what: str, index: int | None = None) -> str:
    """A logical id of letters and digits, made of the artifact's name and of what the resource is."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in artifact.name).split()
    name = "".join(word[:1].upper() + word[1:] for word in words)
    number = "" if index is None else str(index + 1)
    return f"{name if name[:1].isalpha() else f'Mantle{name}'}{what}{number}"[-255:]


def _part_id(artifact: Artifact, what: str, index: int) -> str:
    return logical_id(artifact, what, index if len(artifact.documents) > 1 else None)


# --- what each kind is -----------------------------------------------------------------------------------------------

_HOLDERS: Final = (("Roles", "roles"), ("Users", "users"), ("Groups", "groups"))


def _holders(artifact: Artifact) -> dict[str, Any]:
    return {prop: list(getattr(artifact, attribute)) for prop, attribute in _HOLDERS if getattr(artifact, attribute)}


def _identity(made: Template, artifact: Artifact) -> None:
    managed_policies(
        made,
        artifact,
        _holders(artifact)
        or {
            prop: made.optional_list(prop, f"Names of the IAM {prop.lower()} that get this policy.")
            for prop, _ in _HOLDERS
        },
    )


def managed_policies(made: Template, artifact: Artifact, holders: dict[str, Any]) -> list[str]:
    """A managed policy for each document; their logical ids."""
    made.notes.append(_IAM)
    found = []
    for index, document in enumerate(artifact.documents):
        name = _part_id(artifact, "Policy", index)
        made.add(
            name,
            "IAM::ManagedPolicy",
            ManagedPolicyName=artifact.part_name(index),
            Description=artifact.description,
            PolicyDocument=literal(document),
            **holders,
        )
        found.append(name)
    return found


def _inline(made: Template, artifact: Artifact) -> None:
    made.notes.append(_IAM)
    for index, document in enumerate(artifact.documents):
        policy = {"PolicyName": artifact.part_name(index), "PolicyDocument": literal(document)}
        if not _holders(artifact):
            about = "Names of the IAM roles that get this policy."
            roles = made.parameter("Roles", about, "CommaDelimitedList")
            made.add(_part_id(artifact, "Policy", index), "IAM::Policy", **policy, Roles=roles)
        for prop, names in _holders(artifact).items():
            kind = prop.removesuffix("s")
            for number, name in enumerate(names):
                what = f"{kind}{number + 1 if len(names) > 1 else ''}Policy"
                made.add(_part_id(artifact, what, index), f"IAM::{kind}Policy", **{f"{kind}Name": name}, **policy)


def _boundary(made: Template, artifact: Artifact) -> None:
    single_document(artifact)
    boundary_of_nobody(artifact)
    (name,) = managed_policies(made, artifact, {})
    made.notes.append(f"A role or user of this template takes it with PermissionsBoundary: !Ref {name}")
    made.outputs["PermissionsBoundaryArn"] = {"Value": {"Ref": name}}


def _scp(made: Template, artifact: Artifact) -> None:
    made.notes.append("Deploy it in the management account of the organization, or its delegated administrator.")
    about = "Ids of the roots, organizational units and accounts that get this policy."
    targets = list(artifact.targets) or made.optional_list("TargetIds", about)
    for index, document in enumerate(artifact.documents):
        made.add(
            _part_id(artifact, "Policy", index),
            "Organizations::Policy",
            Name=artifact.part_name(index),
            Description=artifact.description,
            Type="SERVICE_CONTROL_POLICY",
            Content=literal(document),
            TargetIds=targets,
        )


def _vpc_endpoint(made: Template, artifact: Artifact) -> None:
    if artifact.endpoint:
        raise InputError(
            f"CloudFormation cannot give a policy to the endpoint `{artifact.endpoint}`, only make a new one with it",
            help="leave the endpoint out for a template that makes one, or use --format terraform",
        )
    made.add(
        logical_id(artifact, "Endpoint"),
        "EC2::VPCEndpoint",
        VpcEndpointType="Interface",
        ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.bedrock-mantle"},
        VpcId=made.parameter("VpcId", "The VPC.", "AWS::EC2::VPC::Id"),
        SubnetIds=made.parameter(
            "SubnetIds", "Subnets, at most one of each Availability Zone.", "List<AWS::EC2::Subnet::Id>"
        ),
        SecurityGroupIds=made.parameter(
            "SecurityGroupIds", "Security groups that let clients in on port 443.", "List<AWS::EC2::SecurityGroup::Id>"
        ),
        PrivateDnsEnabled=True,
        PolicyDocument=literal(single_document(artifact)),
    )


def _permission_set(made: Template, artifact: Artifact) -> None:
    made.notes.append("Deploy it where IAM Identity Center is; AWS::SSO::Assignment says who gets it in which account.")
    made.add(
        logical_id(artifact, "PermissionSet"),
        "SSO::PermissionSet",
        InstanceArn=artifact.instance or made.parameter("InstanceArn", "ARN of the IAM Identity Center instance."),
        Name=artifact.name,
        Description=artifact.description,
        InlinePolicy=literal(single_document(artifact)),
    )


def _trust(made: Template, artifact: Artifact) -> None:
    made.notes.append(_IAM)
    name = role(made, artifact)
    by = artifact.trust.by if artifact.trust else None
    if by in (TrustedBy.GITHUB, TrustedBy.IRSA):
        made.notes.append("The OpenID Connect provider must be in the account: AWS::IAM::OIDCProvider.")
    if by is TrustedBy.EC2:
        profile = logical_id(artifact, "InstanceProfile")
        made.add(profile, "IAM::InstanceProfile", InstanceProfileName=artifact.name, Roles=[{"Ref": name}])
    if by is TrustedBy.POD_IDENTITY and artifact.trust is not None:
        trust = artifact.trust
        made.add(
            logical_id(artifact, "PodIdentity"),
            "EKS::PodIdentityAssociation",
            ClusterName=trust.cluster or made.parameter("ClusterName", "Name of the EKS cluster."),
            Namespace=trust.namespace or made.parameter("Namespace", "Kubernetes namespace."),
            ServiceAccount=trust.service_account or made.parameter("ServiceAccount", "Kubernetes service account."),
            RoleArn={"Fn::GetAtt": [name, "Arn"]},
        )
    made.outputs["RoleArn"] = {"Value": {"Fn::GetAtt": [name, "Arn"]}}


def role(made: Template, artifact: Artifact) -> str:
    """The role of a trust policy, with what it may do; its logical id."""
    name = logical_id(artifact, "Role")
    several = len(artifact.permissions) > 1
    made.add(
        name,
        "IAM::Role",
        RoleName=artifact.name,
        Description=artifact.description,
        AssumeRolePolicyDocument=literal(single_document(artifact)),
        Policies=[
            {
                "PolicyName": f"{artifact.name}-{index + 1}" if several else artifact.name,
                "PolicyDocument": literal(document),
            }
            for index, document in enumerate(artifact.permissions)
        ]
        or None,
    )
    return name


_KINDS: Final[Mapping[Kind, Callable[[Template, Artifact], None]]] = {
    Kind.IDENTITY: _identity,
    Kind.INLINE: _inline,
    Kind.BOUNDARY: _boundary,
    Kind.SCP: _scp,
    Kind.VPC_ENDPOINT: _vpc_endpoint,
    Kind.PERMISSION_SET: _permission_set,
    Kind.TRUST: _trust,
}
_MISSING: Final = {
    Kind.SESSION: "a session policy is passed with AssumeRole and stored nowhere",
    Kind.LONG_TERM_KEY: "CloudFormation has no resource type for service-specific credentials",
}

CLOUDFORMATION = Format(_cloudformation, _MISSING)
CLOUDFORMATION_JSON = Format(_cloudformation_json, _MISSING)
