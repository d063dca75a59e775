"""What the resources of a template declare: one reader for every type that has policies or owners of policies.

A resource that may not be there (its condition is not known) is read as what it is if it is there; what it adds to others is then
unknown.
Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html,
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SSO.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mantle_iam.collect.declared import Declared, Linked, Owner, Ref, Written
from mantle_iam.collect.fields import Notes, tags, text
from mantle_iam.collect.intrinsics import Kept, Template
from mantle_iam.collect.own_account import PERMISSION_SETS
from mantle_iam.collect.places import escape
from mantle_iam.iam.grammar import dump_json
from mantle_iam.iam.inventory import UNRESOLVED, Place, Purpose
from mantle_iam.mantle.overlay import SERVICE

_OWNERS = {"AWS::IAM::Role": "role", "AWS::IAM::User": "user", "AWS::IAM::Group": "group"}
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, its functions resolved.  ``key`` tells it apart from those of all stacks, ``id`` from those of its own."""

    id: str
    properties: Mapping[str, Any]
    written: Mapping[str, Any]
    """Its properties as they stand in the template."""
    place: Place
    certain: bool
    """Whether it is known to be there."""
    template: Template

    @property
    def key(self) -> str:
        """Its key in ``Declared``, and its address."""
        return self.template.prefix + self.id

    def ref(self, value: Any) -> Ref:
        """Whom a value means."""
        if isinstance(value, Linked):
            return Ref(value.key, "" if UNRESOLVED in value else str(value))
        if isinstance(value, str) and UNRESOLVED not in value:
            return Ref(text=value)
        # In the outermost template those who may be meant are named where it stands (``owners``).
        return Ref(among=None if self.template.prefix else ())

    def refs(self, name: str) -> list[Ref]:
        """Whom the values of a property mean."""
        return [self.ref(item) for _, item in listed(self.properties.get(name))]

    def name(self, attribute: str) -> str:
        """The name in a property; the resource's own where AWS or somebody else makes it up."""
        found = text(self.properties, attribute)
        return found if found and UNRESOLVED not in found else self.key

    def document(self, name: str, source: Any, *tokens: object, purpose: Purpose = Purpose.IDENTITY) -> Written:
        """A document at ``tokens`` of the properties."""
        pointer = self.place.pointer + "".join(f"/{escape(token)}" for token in ("Properties", *tokens))
        place = Place(self.place.path, address=self.key, pointer=pointer)
        return Written(name, _with_version(source), place, purpose)

    def attach(self, declared: Declared, written: Written, names: Mapping[str, str]) -> None:
        """A document of its own to the owners in the properties ``names`` (kind of owner to property)."""
        owners = list(self.owners(declared, names))
        if self.certain:
            declared.inline.extend((kind, owner, written) for kind, owner in owners)
        if not owners or not self.certain:
            declared.loose.append(written)

    def owners(self, declared: Declared, names: Mapping[str, str]) -> Iterator[tuple[str, Ref]]:
        """Owners that it is attached to.  What those have for whom that is not certain is not complete."""
        for kind, name in names.items():
            refs = self.refs(name)
            if not self.certain or any(not ref.known for ref in refs):
                declared.incomplete.update(mentioned(self.template, self.written.get(name), kind))
                declared.incomplete.update(ref.key for ref in refs if ref.key)
            for ref in refs:
                yield kind, ref


def mentioned(template: Template, value: Any, kind: str = "", depth: int = 0) -> Iterator[str]:
    """Keys of the owners (of one kind) whose ids stand anywhere in ``value``: which of them are meant is not known."""
    if isinstance(value, Mapping | list) and depth < _DEEPEST:
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from mentioned(template, item, kind, depth + 1)
    elif isinstance(value, str):
        for name in [value, *(part.partition("}")[0] for part in value.split("${")[1:])]:
            key = name.partition(".")[0]
            found = "role" if template.made_by_sam(key) else _OWNERS.get(text(template.resources.get(key), "Type"))
            if found is not None and kind in ("", found):
                yield template.prefix + key


def _with_version(source: Any) -> Any:
    """A document without ``Version`` (as most are in SAM) with the one that has variables, where it has none but our own marks.

    Versions differ in nothing else (reference_policies_elements_version), and marks within a document of the older say nothing.
    """
    if not isinstance(source, Mapping) or "Version" in source or "Statement" not in source:
        return source
    content = dump_json(source)
    if UNRESOLVED not in content or "${" in content.replace(UNRESOLVED, ""):
        return source
    return {"Version": "2012-10-17", **source}


def listed(value: Any) -> Iterator[tuple[int, Any]]:
    """The items of a list, or the one value there is, with their indexes in the text."""
    if isinstance(value, Kept):
        return zip(value.indexes, value, strict=True)
    return enumerate(value if isinstance(value, list) else [] if value is None else [value])


def known_tags(properties: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Tags whose key and value are known: of the others nothing is said."""
    return tuple((key, value) for key, value in tags(properties) if UNRESOLVED not in key + value)


def _owner(kind: str, name: str) -> Reader:
    def read(resource: Resource, declared: Declared, notes: Notes) -> None:
        properties = resource.properties
        trust = resource.document("", properties.get("AssumeRolePolicyDocument"), "AssumeRolePolicyDocument")
        boundary = properties.get("PermissionsBoundary")
        declared.owners[resource.key] = Owner(
            kind,
            resource.name(name),
            text(properties, "Path") or "/",
            resource.ref(boundary) if boundary is not None else None,
            trust.source if kind == "role" else None,
            known_tags(properties),
            resource.place,
            trust.place,
        )
        me = Ref(resource.key)
        for index, policy in listed(properties.get("Policies")):
            if isinstance(policy, Mapping):
                tokens = ("Policies", index, "PolicyDocument")
                written = resource.document(text(policy, "PolicyName"), policy.get("PolicyDocument"), *tokens)
            else:
                written = resource.document("", policy, "Policies", index)
            declared.inline.append((kind, me, written))
        for ref in resource.refs("ManagedPolicyArns"):
            declared.attached.append((kind, me, ref))
        for group in resource.refs("Groups") if kind == "user" else ():
            declared.members.append((me, group))

    return read


_ATTACHED = {"user": "Users", "role": "Roles", "group": "Groups"}


def _managed(resource: Resource, declared: Declared, notes: Notes) -> None:
    arn = str(resource.template.resource(resource.id, "Arn"))
    document = resource.properties.get("PolicyDocument")
    written = resource.document(resource.name("ManagedPolicyName"), document, "PolicyDocument")
    declared.managed[resource.key] = Written(
        written.name, written.source, written.place, arn="" if UNRESOLVED in arn else arn
    )
    for kind, owner in resource.owners(declared, _ATTACHED):
        if resource.certain:
            declared.attached.append((kind, owner, Ref(resource.key)))


def _policy(resource: Resource, declared: Declared, notes: Notes) -> None:
    document = resource.properties.get("PolicyDocument")
    resource.attach(declared, resource.document(resource.name("PolicyName"), document, "PolicyDocument"), _ATTACHED)


def _policy_of(kind: str) -> Reader:
    def read(resource: Resource, declared: Declared, notes: Notes) -> None:
        written = resource.document(
            resource.name("PolicyName"), resource.properties.get("PolicyDocument"), "PolicyDocument"
        )
        resource.attach(declared, written, {kind: f"{kind.title()}Name"})

    return read


def _membership(resource: Resource, declared: Declared, notes: Notes) -> None:
    group = resource.ref(resource.properties.get("GroupName"))
    for _, user in resource.owners(declared, {"user": "Users"}):
        if resource.certain:
            declared.members.append((user, group))


def _organization(resource: Resource, declared: Declared, notes: Notes) -> None:
    purposes = {"SERVICE_CONTROL_POLICY": Purpose.SCP, "RESOURCE_CONTROL_POLICY": Purpose.RCP}
    kind = text(resource.properties, "Type")
    purpose = purposes.get(kind)
    if purpose is None:
        known = kind != "" and UNRESOLVED not in kind
        message = "a policy of another type, which decides no request" if known else "a policy whose type is not known"
        notes.add(message, resource.key, partial=not known)
        return
    declared.loose.append(
        resource.document(resource.name("Name"), resource.properties.get("Content"), "Content", purpose=purpose)
    )
    if resource.properties.get("TargetIds"):
        notes.add("where an organization policy of code will be attached is not followed", resource.key, partial=False)


def _endpoint(resource: Resource, declared: Declared, notes: Notes) -> None:
    service = text(resource.properties, "ServiceName")
    if "PolicyDocument" not in resource.properties:
        return
    found = resource.document(
        resource.key, resource.properties["PolicyDocument"], "PolicyDocument", purpose=Purpose.VPC_ENDPOINT
    )
    if service.endswith(f".{SERVICE}") and resource.certain:
        declared.endpoints.append(found)
    elif service.endswith((f".{SERVICE}", UNRESOLVED)):
        declared.loose.append(found)
        declared.endpoints.append(Written(found.name, UNRESOLVED, found.place, found.purpose))


def _permission_set(resource: Resource, declared: Declared, notes: Notes) -> None:
    properties = resource.properties
    boundary = properties.get("PermissionsBoundary")
    arn = text(boundary, "ManagedPolicyArn") or text(
        boundary.get("CustomerManagedPolicyReference") if isinstance(boundary, Mapping) else None, "Name"
    )
    declared.owners[resource.key] = Owner(
        "role",
        f"AWSReservedSSO_{resource.name('Name')}_0000000000000000",
        PERMISSION_SETS,
        None if boundary is None else Ref(text=arn),
        place=resource.place,
    )
    me = Ref(resource.key)
    if "InlinePolicy" in properties:
        declared.inline.append(
            ("role", me, resource.document("AwsSSOInlinePolicy", properties["InlinePolicy"], "InlinePolicy"))
        )
    for policy in resource.refs("ManagedPolicies"):
        declared.attached.append(("role", me, policy))
    for _, reference in listed(properties.get("CustomerManagedPolicyReferences")):
        declared.attached.append(("role", me, resource.ref(text(reference, "Name"))))


Reader = Callable[[Resource, Declared, Notes], None]
READERS: Final[Mapping[str, Reader]] = {
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
}
WITHOUT_POLICIES: Final = frozenset(
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
"""Types of these services that hold no policy that is looked at here."""
