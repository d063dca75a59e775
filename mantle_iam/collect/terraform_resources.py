"""The AWS provider's resources that carry IAM policies: which attribute says what.

Reads the values of a resource from whichever source knows them, a plan or the code itself, into the tables of ``declared``;
how references are followed is the caller's (``Resolve``).
Source: https://registry.terraform.io/providers/hashicorp/aws/latest/docs
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mantle_iam.collect.declared import Declared, Owner, Ref, Written
from mantle_iam.collect.fields import Notes, number, objects, tags, text, texts
from mantle_iam.collect.own_account import PERMISSION_SETS
from mantle_iam.iam.inventory import UNRESOLVED, ApiKey, Place, Purpose
from mantle_iam.mantle.overlay import SERVICE

_KEY_SERVICE = "bedrock.amazonaws.com"

_SERVICES: Final = {
    # Resources that statements name by their ARN, which tells what it is before it is known: nothing of this service.
    "aws_cloudwatch_log_group": "logs",
    "aws_dynamodb_table": "dynamodb",
    "aws_ecr_repository": "ecr",
    "aws_iam_role": "iam",
    "aws_kinesis_stream": "kinesis",
    "aws_kms_key": "kms",
    "aws_lambda_function": "lambda",
    "aws_s3_bucket": "s3",
    "aws_secretsmanager_secret": "secretsmanager",
    "aws_sfn_state_machine": "states",
    "aws_sns_topic": "sns",
    "aws_sqs_queue": "sqs",
    "aws_ssm_parameter": "ssm",
}


def arn_of(kind: str) -> str:
    """What is known of a resource's ARN by its type alone."""
    service = _SERVICES.get(kind)
    return UNRESOLVED if service is None else f"arn:aws:{service}:{UNRESOLVED}"


Resolve = Callable[[str, Any], Ref]
"""An attribute's name and value, to what it points at."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One instance of a resource, with what is not known marked ``UNRESOLVED``."""

    type: str
    address: str
    values: Mapping[str, Any]
    place: Place
    resolve: Resolve
    document: Callable[[str, Any], tuple[object, Place]]
    """An attribute's name and value, to the document that it holds and its place."""
    marks: Callable[[object], tuple[tuple[str, int, int], ...]] = lambda _: ()
    configured: Callable[[str], bool] = lambda _: True
    """Whether the code sets an attribute.  One that it leaves to the provider is "known after apply" and says nothing."""
    doubt: str = ""
    """What it hangs on whether there is one; empty where that is known."""

    def written(self, name: str, attribute: str, purpose: Purpose = Purpose.IDENTITY, arn: str = "") -> Written:
        """The document of an attribute."""
        source, place = self.document(attribute, self.values.get(attribute, UNRESOLVED))
        return Written(name, source, replace(place, address=self.address), purpose, arn, self.marks(source))

    def name(self) -> str:
        """Its name as AWS will have it; of one that AWS is to choose, the prefix that is given and the address."""
        found = text(self.values, "name")
        return found if found and UNRESOLVED not in found else f"{self.known('name_prefix')}{self.address}"

    def known(self, attribute: str) -> str:
        """A text that is known, or the empty one."""
        found = text(self.values, attribute)
        return "" if UNRESOLVED in found else found


def _owner(kind: str) -> Callable[[Resource, Declared, Notes], None]:
    def read(resource: Resource, declared: Declared, notes: Notes) -> None:
        boundary = resource.values.get("permissions_boundary")
        trust, trust_place = None, Place()
        if resource.values.get("assume_role_policy") is not None:
            trust, trust_place = resource.document("assume_role_policy", resource.values["assume_role_policy"])
        declared.owners[resource.address] = Owner(
            kind,
            resource.name(),
            text(resource.values, "path") or "/",
            resource.resolve("permissions_boundary", boundary) if boundary else None,
            trust,
            tags(resource.values, "tags"),
            resource.place,
            replace(trust_place, address=resource.address),
            resource.known("arn"),
        )
        _in_role(resource, declared)

    return read


def _in_role(resource: Resource, declared: Declared) -> None:
    """Deprecated arguments of a role that hold policies."""
    me = Ref(resource.address)
    arns = resource.values.get("managed_policy_arns")
    if isinstance(arns, str) and resource.configured("managed_policy_arns"):
        declared.incomplete.add(resource.address)
    for arn in texts(resource.values, "managed_policy_arns") if isinstance(arns, list) else ():
        declared.attached.append(("role", me, resource.resolve("managed_policy_arns", arn)))
    inline = resource.values.get("inline_policy")
    if isinstance(inline, str):
        if resource.configured("inline_policy"):
            declared.incomplete.add(resource.address)
        return
    for index, block in objects(
        {"inline_policy": [inline] if isinstance(inline, Mapping) else inline}, "inline_policy"
    ):
        if block.get("policy") in (None, ""):
            continue
        place = replace(resource.place, pointer=f"{resource.place.pointer}/inline_policy/{index}/policy")
        source, found = resource.document("inline_policy.policy", block["policy"])
        where = found if found.line is not None or source is not block["policy"] else place
        declared.inline.append(
            ("role", me, Written(text(block, "name"), source, replace(where, address=resource.address)))
        )


def _policy(resource: Resource, declared: Declared, notes: Notes) -> None:
    declared.managed[resource.address] = resource.written(resource.name(), "policy", arn=resource.known("arn"))


def _inline(kind: str) -> Callable[[Resource, Declared, Notes], None]:
    def read(resource: Resource, declared: Declared, notes: Notes) -> None:
        owner = resource.resolve(kind, resource.values.get(kind))
        declared.inline.append((kind, owner, resource.written(resource.name(), "policy")))

    return read


def _attachment(kind: str) -> Callable[[Resource, Declared, Notes], None]:
    def read(resource: Resource, declared: Declared, notes: Notes) -> None:
        owner = resource.resolve(kind, resource.values.get(kind))
        policy = resource.resolve("policy_arn", resource.values.get("policy_arn"))
        declared.attached.append((kind, owner, policy if policy.known else Ref(text="")))

    return read


def _attachments(resource: Resource, declared: Declared, notes: Notes) -> None:
    policy = resource.resolve("policy_arn", resource.values.get("policy_arn"))
    for kind in ("user", "role", "group"):
        value = resource.values.get(f"{kind}s")
        for owner in value if isinstance(value, list) else [value] if value else []:
            declared.attached.append((kind, resource.resolve(f"{kind}s", owner), policy))


def _exclusive(kind: str) -> Callable[[Resource, Declared, Notes], None]:
    def read(resource: Resource, declared: Declared, notes: Notes) -> None:
        owner = resource.resolve(f"{kind}_name", resource.values.get(f"{kind}_name"))
        for arn in texts(resource.values, "policy_arns"):
            entry = (kind, owner, resource.resolve("policy_arns", arn))
            if entry not in declared.attached:
                declared.attached.append(entry)

    return read


def _groups_of_user(resource: Resource, declared: Declared, notes: Notes) -> None:
    user = resource.resolve("user", resource.values.get("user"))
    value = resource.values.get("groups")
    for group in value if isinstance(value, list) else [value]:
        declared.members.append((user, resource.resolve("groups", group)))


def _users_of_group(resource: Resource, declared: Declared, notes: Notes) -> None:
    group = resource.resolve("group", resource.values.get("group"))
    value = resource.values.get("users")
    for user in value if isinstance(value, list) else [value]:
        declared.members.append((resource.resolve("users", user), group))


def _organization_policy(resource: Resource, declared: Declared, notes: Notes) -> None:
    kind = text(resource.values, "type") or "SERVICE_CONTROL_POLICY"
    purposes = {"SERVICE_CONTROL_POLICY": Purpose.SCP, "RESOURCE_CONTROL_POLICY": Purpose.RCP}
    if kind in purposes:
        declared.loose.append(resource.written(resource.name(), "content", purposes[kind], resource.known("arn")))
    else:
        notes.add("a policy of another type, which decides no request", resource.address, partial=False)


def _endpoint(resource: Resource, declared: Declared, notes: Notes) -> None:
    service = text(resource.values, "service_name")
    if not service.endswith(f".{SERVICE}") and UNRESOLVED not in service:
        declared.elsewhere.add(resource.address)
        return
    if resource.values.get("policy") not in (None, "", UNRESOLVED):
        declared.endpoints.append(resource.written(resource.address, "policy", Purpose.VPC_ENDPOINT))


def _endpoint_policy(resource: Resource, declared: Declared, notes: Notes) -> None:
    endpoint = resource.resolve("vpc_endpoint_id", resource.values.get("vpc_endpoint_id"))
    written = resource.written(resource.address, "policy", Purpose.VPC_ENDPOINT)
    declared.endpoint_policies.append((endpoint, written))


def _permission_set(resource: Resource, declared: Declared, notes: Notes) -> None:
    name = f"AWSReservedSSO_{resource.name()}_0000000000000000"
    declared.owners[resource.address] = Owner("role", name, PERMISSION_SETS, None, None, (), resource.place)
    arn = text(resource.values, "arn")
    if arn and UNRESOLVED not in arn:
        declared.aliases[arn] = resource.address


def _set_inline(resource: Resource, declared: Declared, notes: Notes) -> None:
    owner = resource.resolve("permission_set_arn", resource.values.get("permission_set_arn"))
    declared.inline.append(("role", owner, resource.written("AwsSSOInlinePolicy", "inline_policy")))


def _set_managed(resource: Resource, declared: Declared, notes: Notes) -> None:
    owner = resource.resolve("permission_set_arn", resource.values.get("permission_set_arn"))
    arn = resource.values.get("managed_policy_arn")
    declared.attached.append(("role", owner, resource.resolve("managed_policy_arn", arn)))


def _set_customer(resource: Resource, declared: Declared, notes: Notes) -> None:
    owner = resource.resolve("permission_set_arn", resource.values.get("permission_set_arn"))
    for _, reference in objects(resource.values, "customer_managed_policy_reference"):
        policy = resource.resolve("customer_managed_policy_reference.name", reference.get("name"))
        declared.attached.append(("role", owner, policy))


def _set_boundary(resource: Resource, declared: Declared, notes: Notes) -> None:
    owner = resource.resolve("permission_set_arn", resource.values.get("permission_set_arn"))
    for _, block in objects(resource.values, "permissions_boundary"):
        names = [text(item, "name") for _, item in objects(block, "customer_managed_policy_reference")]
        for name in (*names, text(block, "managed_policy_arn")):
            if name:
                declared.boundaries.append(("role", owner, resource.resolve("permissions_boundary", name)))


def _key(resource: Resource, declared: Declared, notes: Notes) -> None:
    if text(resource.values, "service_name") not in (_KEY_SERVICE, ""):
        return
    user = resource.resolve("user_name", resource.values.get("user_name"))
    # Without a number of days the key never expires; with one, when is known once it is made.
    never = number(resource.values, "credential_age_days") is None and not text(resource.values, "credential_age_days")
    active = text(resource.values, "status") != "Inactive"
    declared.keys.append((user, ApiKey(resource.address, "", None, None, active, expiry_known=never)))


RESOURCES: Final[Mapping[str, Callable[[Resource, Declared, Notes], None]]] = {
    "aws_iam_role": _owner("role"),
    "aws_iam_user": _owner("user"),
    "aws_iam_group": _owner("group"),
    "aws_iam_policy": _policy,
    "aws_iam_role_policy": _inline("role"),
    "aws_iam_user_policy": _inline("user"),
    "aws_iam_group_policy": _inline("group"),
    "aws_iam_role_policy_attachment": _attachment("role"),
    "aws_iam_user_policy_attachment": _attachment("user"),
    "aws_iam_group_policy_attachment": _attachment("group"),
    "aws_iam_policy_attachment": _attachments,
    "aws_iam_role_policy_attachments_exclusive": _exclusive("role"),
    "aws_iam_user_policy_attachments_exclusive": _exclusive("user"),
    "aws_iam_group_policy_attachments_exclusive": _exclusive("group"),
    "aws_iam_user_group_membership": _groups_of_user,
    "aws_iam_group_membership": _users_of_group,
    "aws_organizations_policy": _organization_policy,
    "aws_vpc_endpoint": _endpoint,
    "aws_vpc_endpoint_policy": _endpoint_policy,
    "aws_ssoadmin_permission_set": _permission_set,
    "aws_ssoadmin_permission_set_inline_policy": _set_inline,
    "aws_ssoadmin_managed_policy_attachment": _set_managed,
    "aws_ssoadmin_customer_managed_policy_attachment": _set_customer,
    "aws_ssoadmin_permissions_boundary_attachment": _set_boundary,
    "aws_iam_service_specific_credential": _key,
}
OWNERS: Final = ("aws_iam_role", "aws_iam_user", "aws_iam_group", "aws_ssoadmin_permission_set")
_OF_NO_ACCOUNT = frozenset(
    {
        # They say which names exist, where a policy goes, or who may sign in: no document of their own.
        "aws_organizations_policy_attachment",
        "aws_ssoadmin_account_assignment",
        "aws_iam_instance_profile",
        "aws_iam_access_key",
        "aws_iam_user_login_profile",
        "aws_iam_role_policies_exclusive",
        "aws_iam_user_policies_exclusive",
        "aws_iam_group_policies_exclusive",
        "aws_iam_openid_connect_provider",
        "aws_iam_saml_provider",
        "aws_iam_service_linked_role",
        "aws_iam_account_alias",
        "aws_iam_account_password_policy",
        "aws_iam_server_certificate",
    }
)
_FAMILIES = ("aws_iam_", "aws_organizations_", "aws_ssoadmin_", "awscc_iam_", "awscc_organizations_", "awscc_sso_")


def read_resource(resource: Resource, declared: Declared, notes: Notes) -> None:
    """Take one resource into the tables; one that may hold a policy and is not understood is named."""
    read = RESOURCES.get(resource.type)
    if read is not None and resource.doubt:
        possible = Declared()
        read(resource, possible, notes)
        declared.doubt(possible, resource.doubt)
        notes.add("how many of a resource there are is not known", resource.address, partial=False)
    elif read is not None:
        read(resource, declared, notes)
    elif resource.type in _OF_NO_ACCOUNT:
        return
    elif resource.type.startswith(_FAMILIES):
        notes.add(f"resources of type `{resource.type}` are not understood", resource.address)
    elif any(name == "policy" or name.endswith(("_policy", "_policy_document")) for name in resource.values):
        notes.add("resource-based policies of other services were not looked at", resource.address, partial=False)
