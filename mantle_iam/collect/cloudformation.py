"""CloudFormation and SAM templates: their IAM resources, with functions resolved as far as the template and parameters go.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html,
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.collect.declared import Declared, Linked, Owner, Ref, Written
from mantle_iam.collect.fields import Notes, tags, text
from mantle_iam.collect.intrinsics import Template
from mantle_iam.collect.places import escape
from mantle_iam.iam.inventory import UNRESOLVED, Place, Purpose

_SERVICE = "bedrock-mantle"


def is_template(value: object) -> bool:
    """Whether it is a template: a format version, a transform, or resources that have types."""
    if not isinstance(value, Mapping) or not isinstance(value.get("Resources"), Mapping):
        return False
    if "AWSTemplateFormatVersion" in value or "Transform" in value:
        return True
    return any("::" in text(resource, "Type") for resource in value["Resources"].values())


@dataclass(frozen=True, slots=True)
class _Resource:
    key: str
    type: str
    properties: Mapping[str, Any]
    place: Place
    certain: bool
    """Whether it is there at all: its condition may not be known."""
    template: Template

    def ref(self, value: Any) -> Ref:
        if isinstance(value, Linked):
            return Ref(value.key, "" if UNRESOLVED in value else str(value))
        return Ref(text=value if isinstance(value, str) and UNRESOLVED not in value else "")

    def refs(self, name: str) -> list[Ref]:
        value = self.properties.get(name)
        return [self.ref(item) for item in (value if isinstance(value, list) else [value] if value is not None else [])]

    def name(self, attribute: str) -> str:
        found = text(self.properties, attribute)
        return found if found and UNRESOLVED not in found else self.key

    def document(self, source: Any, *tokens: object) -> tuple[object, Place]:
        pointer = self.place.pointer + "".join(f"/{escape(token)}" for token in ("Properties", *tokens))
        # Of a resource that may not be there nothing can be said, neither what it allows nor what it denies.
        return (source if self.certain else UNRESOLVED), Place(self.place.path, address=self.key, pointer=pointer)

    def written(self, name: str, source: Any, *tokens: object, purpose: Purpose = Purpose.IDENTITY) -> Written:
        found, place = self.document(source, *tokens)
        return Written(name, found, place, purpose)


def _owner(kind: str, name: str) -> Callable[[_Resource, Declared, Notes], None]:
    def read(resource: _Resource, declared: Declared, notes: Notes) -> None:
        properties = resource.properties
        trust, place = None, Place()
        if kind == "role" and "AssumeRolePolicyDocument" in properties:
            trust, place = resource.document(properties["AssumeRolePolicyDocument"], "AssumeRolePolicyDocument")
        boundary = properties.get("PermissionsBoundary")
        declared.owners[resource.key] = Owner(
            kind,
            resource.name(name),
            text(properties, "Path") or "/",
            resource.ref(boundary) if boundary is not None else None,
            trust,
            tags(properties),
            resource.place,
            place,
        )
        me = Ref(resource.key)
        _inline(resource, declared, kind, me)
        for policy in resource.refs("ManagedPolicyArns"):
            declared.attached.append((kind, me, policy))
        for group in resource.refs("Groups") if kind == "user" else ():
            declared.members.append((me, group))

    return read


def _inline(resource: _Resource, declared: Declared, kind: str, me: Ref) -> None:
    value = resource.properties.get("Policies")
    for index, policy in enumerate(value if isinstance(value, list) else [value] if value is not None else []):
        if isinstance(policy, Mapping):
            written = resource.written(
                text(policy, "PolicyName"), policy.get("PolicyDocument"), "Policies", index, "PolicyDocument"
            )
        else:
            written = resource.written("", policy, "Policies", index)
        declared.inline.append((kind, me, written))


def _managed(resource: _Resource, declared: Declared, notes: Notes) -> None:
    document = resource.properties.get("PolicyDocument")
    arn = str(resource.template.resource(resource.key, "Arn"))
    found, place = resource.document(document, "PolicyDocument")
    declared.managed[resource.key] = Written(
        resource.name("ManagedPolicyName"), found, place, arn="" if UNRESOLVED in arn else arn
    )
    for kind in ("user", "role", "group"):
        for owner in resource.refs(f"{kind.title()}s"):
            declared.attached.append((kind, owner, Ref(resource.key)))


def _policy(resource: _Resource, declared: Declared, notes: Notes) -> None:
    written = resource.written(resource.name("PolicyName"), resource.properties.get("PolicyDocument"), "PolicyDocument")
    owners = [(kind, owner) for kind in ("user", "role", "group") for owner in resource.refs(f"{kind.title()}s")]
    for kind, owner in owners:
        declared.inline.append((kind, owner, written))
    if not owners:
        declared.loose.append(written)


def _policy_of(kind: str) -> Callable[[_Resource, Declared, Notes], None]:
    def read(resource: _Resource, declared: Declared, notes: Notes) -> None:
        document = resource.properties.get("PolicyDocument")
        owner = resource.ref(resource.properties.get(f"{kind.title()}Name"))
        declared.inline.append((kind, owner, resource.written(resource.name("PolicyName"), document, "PolicyDocument")))

    return read


def _membership(resource: _Resource, declared: Declared, notes: Notes) -> None:
    group = resource.ref(resource.properties.get("GroupName"))
    declared.members.extend((user, group) for user in resource.refs("Users"))


def _organization(resource: _Resource, declared: Declared, notes: Notes) -> None:
    purposes = {"SERVICE_CONTROL_POLICY": Purpose.SCP, "RESOURCE_CONTROL_POLICY": Purpose.RCP}
    purpose = purposes.get(text(resource.properties, "Type"))
    if purpose is None:
        notes.add("a policy of another type, which decides no request", resource.key, partial=False)
        return
    content = resource.properties.get("Content")
    declared.loose.append(resource.written(resource.name("Name"), content, "Content", purpose=purpose))


def _endpoint(resource: _Resource, declared: Declared, notes: Notes) -> None:
    service = text(resource.properties, "ServiceName")
    if "PolicyDocument" in resource.properties and (service.endswith(f".{_SERVICE}") or service == UNRESOLVED):
        document = resource.properties["PolicyDocument"]
        declared.endpoints.append(
            resource.written(resource.key, document, "PolicyDocument", purpose=Purpose.VPC_ENDPOINT)
        )


def _permission_set(resource: _Resource, declared: Declared, notes: Notes) -> None:
    properties = resource.properties
    boundary = properties.get("PermissionsBoundary")
    arn = text(boundary, "ManagedPolicyArn") or text(
        boundary.get("CustomerManagedPolicyReference") if isinstance(boundary, Mapping) else None, "Name"
    )
    declared.owners[resource.key] = Owner(
        "role",
        f"AWSReservedSSO_{resource.name('Name')}_0000000000000000",
        "/aws-reserved/sso.amazonaws.com/",
        None if boundary is None else Ref(text=arn),
        place=resource.place,
    )
    me = Ref(resource.key)
    if "InlinePolicy" in properties:
        written = resource.written("AwsSSOInlinePolicy", properties["InlinePolicy"], "InlinePolicy")
        declared.inline.append(("role", me, written))
    for policy in resource.refs("ManagedPolicies"):
        declared.attached.append(("role", me, policy))
    references = properties.get("CustomerManagedPolicyReferences")
    for reference in references if isinstance(references, list) else ():
        declared.attached.append(("role", me, Ref(text=text(reference, "Name"))))


def _serverless(resource: _Resource, declared: Declared, notes: Notes) -> None:
    """SAM makes the role ``<LogicalId>Role`` unless one is given; ``Policies`` holds names, ARNs, documents and templates."""
    properties = resource.properties
    if properties.get("Role") is not None:
        if properties.get("Policies") is not None:
            notes.add("`Policies` beside `Role` have no effect", resource.key, partial=False)
        return
    boundary = properties.get("PermissionsBoundary")
    key = f"{resource.key}Role"
    declared.owners[key] = Owner(
        "role", key, boundary=None if boundary is None else resource.ref(boundary), place=resource.place
    )
    me = Ref(key)
    value = properties.get("Policies")
    for index, policy in enumerate(value if isinstance(value, list) else [value] if value is not None else []):
        if isinstance(policy, Mapping) and "Statement" in policy:
            written = resource.written(f"{key}Policy{index}", policy, "Policies", index)
            declared.inline.append(("role", me, written))
        elif isinstance(policy, Mapping):
            name = next(iter(policy), "")
            notes.add("what a SAM policy template grants is not known here", f"{resource.key}: {name}", documents=False)
            declared.incomplete.add(key)
        elif isinstance(policy, str) and not policy.startswith("arn:") and not isinstance(policy, Linked):
            partition = resource.template.partition
            declared.attached.append(("role", me, resource.ref(f"arn:{partition}:iam::aws:policy/{policy}")))
        else:
            declared.attached.append(("role", me, resource.ref(policy)))


_TYPES: Final[Mapping[str, Callable[[_Resource, Declared, Notes], None]]] = {
    "AWS::IAM::Role": _owner("role", "RoleName"),
    "AWS::IAM::User": _owner("user", "UserName"),
    "AWS::IAM::Group": _owner("group", "GroupName"),
    "AWS::IAM::ManagedPolicy": _managed,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::RolePolicy": _policy_of("role"),
    "AWS::IAM::UserPolicy": _policy_of("user"),
    "AWS::IAM::GroupPolicy": _policy_of("group"),
    "AWS::IAM::UserToGroupAddition": _membership,
    "AWS::Organizations::Policy": _organization,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::SSO::PermissionSet": _permission_set,
    "AWS::Serverless::Function": _serverless,
    "AWS::Serverless::StateMachine": _serverless,
}
_WITHOUT_POLICIES = frozenset(
    {
        "AWS::IAM::AccessKey",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::OIDCProvider",
        "AWS::IAM::SAMLProvider",
        "AWS::IAM::ServerCertificate",
        "AWS::IAM::ServiceLinkedRole",
        "AWS::IAM::VirtualMFADevice",
        "AWS::Organizations::Account",
        "AWS::Organizations::Organization",
        "AWS::Organizations::OrganizationalUnit",
        "AWS::SSO::Assignment",
        "AWS::SSO::Instance",
    }
)
_ELSEWHERE = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application", "AWS::CloudFormation::StackSet")


def read_template(
    value: Mapping[str, Any], path: str, pointer: str, parameters: Mapping[str, str], notes: Notes
) -> Declared:
    """What the template would make."""
    template = Template(value, parameters)
    declared = Declared(account=template.account, partition=template.partition)
    for key, found in template.resources.items():
        kind = text(found, "Type")
        if str(key).startswith("Fn::ForEach"):
            notes.add("resources in a loop (`Fn::ForEach`) are not understood", str(key))
        if not isinstance(found, Mapping) or not kind:
            if not str(key).startswith("Fn::"):
                notes.add("a resource without a type", str(key))
            continue
        holds = template.holds(found.get("Condition")) if "Condition" in found else True
        if kind in _TYPES and holds is not False:
            if holds is None:
                problem = "whether a resource is there depends on a condition that is not known"
                notes.add(problem, str(key), documents=False)
            properties = template.resolved(found.get("Properties") or {})
            place = Place(path, address=str(key), pointer=f"{pointer}/Resources/{escape(key)}")
            usable = properties if isinstance(properties, Mapping) else {}
            _TYPES[kind](_Resource(str(key), kind, usable, place, holds is True, template), declared, notes)
        elif kind in _TYPES:
            notes.add("resources whose condition does not hold were not looked at", str(key), partial=False)
        elif kind in _ELSEWHERE:
            notes.add("another template is included, which is not looked at", str(key), partial=False)
        elif kind.startswith(
            ("AWS::IAM::", "AWS::Organizations::", "AWS::SSO::")
        ) and kind not in _WITHOUT_POLICIES | set(_TYPES):
            notes.add(f"resources of type `{kind}` are not understood", str(key))
        elif kind.startswith("AWS::Serverless::") and "Policies" in str(found.get("Properties")):
            notes.add(f"policies of type `{kind}` are not understood", str(key))
    return declared
