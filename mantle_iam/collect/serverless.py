"""SAM: the roles that it makes for functions and state machines, as its transform does.

What SAM adds by itself for dead letter queues, event targets and connectors names other services alone and is left out.
Sources: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html,
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mantle_iam.collect.aws_managed import PREFIX, managed_policy
from mantle_iam.collect.declared import Declared, Linked, Owner, Ref
from mantle_iam.collect.fields import Notes, text
from mantle_iam.collect.serverless_policies import template_document
from mantle_iam.collect.template_resources import Reader, Resource, known_tags, listed
from mantle_iam.iam.inventory import UNRESOLVED

_LAMBDA = "lambda.amazonaws.com"
_STATES = "states.amazonaws.com"
_PATHS = ("", "service-role/", "job-function/")
_TRACING = "AWSXrayWriteOnlyAccess"
_EVENTS = {
    "DynamoDB": "AWSLambdaDynamoDBExecutionRole",
    "Kinesis": "AWSLambdaKinesisExecutionRole",
    "MSK": "AWSLambdaMSKExecutionRole",
    "SQS": "AWSLambdaSQSQueueExecutionRole",
}


def with_globals(kind: str, properties: Any, template: Mapping[str, Any]) -> Any:
    """The properties of a resource with those of the template's ``Globals`` for its type: of two the resource's own counts."""
    section = template.get("Globals")
    common = section.get(kind.rpartition("::")[2]) if isinstance(section, Mapping) else None
    if (
        not kind.startswith("AWS::Serverless::")
        or not isinstance(common, Mapping)
        or not isinstance(properties, Mapping)
    ):
        return properties
    merged = {**common, **properties}
    ours, own = common.get("Tags"), properties.get("Tags")
    if isinstance(ours, Mapping) and isinstance(own, Mapping):
        merged["Tags"] = {**ours, **own}
    return merged


def _given_by_sam(properties: Mapping[str, Any], service: str) -> Iterator[str]:
    """Names of the managed policies that SAM attaches unasked."""
    tracing = properties.get("Tracing")
    if service == _STATES:
        if isinstance(tracing, Mapping) and tracing.get("Enabled"):
            yield _TRACING
        return
    durable = properties.get("DurableConfig")
    yield "AWSLambdaBasicDurableExecutionRolePolicy" if durable else "AWSLambdaBasicExecutionRole"
    if tracing and tracing != "Disabled":
        yield _TRACING
    if properties.get("VpcConfig"):
        yield "AWSLambdaVPCAccessExecutionRole"
    events = properties.get("Events")
    for event in events.values() if isinstance(events, Mapping) else ():
        if text(event, "Type") in _EVENTS:
            yield _EVENTS[text(event, "Type")]


def _trust(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _reader(service: str) -> Reader:
    def read(resource: Resource, declared: Declared, notes: Notes) -> None:
        properties = resource.properties
        role = properties.get("Role")
        if role is not None and not (role == UNRESOLVED and not isinstance(role, Linked)):
            if properties.get("Policies") is not None:
                notes.add("`Policies` beside `Role` have no effect", resource.key, partial=False)
            return
        key = f"{resource.key}Role"
        boundary = properties.get("PermissionsBoundary")
        trust = resource.document(
            "", properties.get("AssumeRolePolicyDocument", _trust(service)), "AssumeRolePolicyDocument"
        )
        declared.owners[key] = Owner(
            "role",
            key,
            text(properties, "RolePath") or "/",
            None if boundary is None else resource.ref(boundary),
            trust.source,
            known_tags(properties),
            resource.place,
            trust.place,
        )
        names = dict.fromkeys(_given_by_sam(properties, service))
        for ref in (Ref(text=_arn(resource, name)) for name in names):
            declared.attached.append(("role", Ref(key), ref))
        _policies(resource, key, declared, notes)

    return read


def _policies(resource: Resource, key: str, declared: Declared, notes: Notes) -> None:
    """``Policies`` holds names and ARNs of managed policies, documents, and policy templates."""
    me = Ref(key)
    value = resource.properties.get("Policies")
    for index, policy in listed(value):
        at = ("Policies", index) if isinstance(value, list) else ("Policies",)
        if isinstance(policy, Mapping) and "Statement" in policy:
            declared.inline.append(("role", me, resource.document(f"{key}Policy{index}", policy, *at)))
        elif isinstance(policy, Mapping):
            name = str(next(iter(policy), ""))
            document = template_document(name)
            if document is not None and len(policy) == 1:
                declared.inline.append(("role", me, resource.document(name, document, *at, name)))
            else:
                notes.add("a SAM policy template that is not known", f"{resource.key}: {name}", documents=False)
                declared.incomplete.add(key)
        elif isinstance(policy, str) and not policy.startswith("arn:") and UNRESOLVED not in policy:
            declared.attached.append(("role", me, Ref(text=_arn(resource, policy))))
        else:
            declared.attached.append(("role", me, resource.ref(policy)))


def _arn(resource: Resource, name: str) -> str:
    """Of the AWS-managed policy that is called ``name``, whatever its path."""
    path = next((path for path in _PATHS if managed_policy(f"{PREFIX}{path}{name}") is not None), "")
    return f"arn:{resource.template.partition}:iam::aws:policy/{path}{name}"


READERS: Final[Mapping[str, Reader]] = {
    "AWS::Serverless::Function": _reader(_LAMBDA),
    "AWS::Serverless::StateMachine": _reader(_STATES),
}
