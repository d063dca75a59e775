"""Cases and reports made by hand, so that a fix can be tested without the diagnosis that leads to it."""

from __future__ import annotations

import json
from typing import Any

from mantle_iam.diagnose.case import Answer, Case, Outcome, Report
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicySet, PolicyType
from mantle_iam.mantle.exchange import Auth, Exchange, Probe
from mantle_iam.mantle.operations import AuthMethod

USER = "arn:aws:iam::111122223333:user/BedrockAPIKey-abcd"
PROJECT = "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default"
FULL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def documents(values: list[Any] | None) -> tuple[PolicyDocument, ...] | None:
    """Policy documents from JSON values."""
    return None if values is None else tuple(parse_policy(value) for value in values)


def policy_set(values: dict[str, Any]) -> PolicySet:
    """A policy set from JSON: layers by their names, ``scp`` and ``rcp`` by level, ``unknown`` a list of layers."""
    levels = {
        name: None if name not in values else tuple(documents(level) or () for level in values[name])
        for name in ("scp", "rcp")
    }
    return PolicySet(
        identity=documents(values.get("identity", [])) or (),
        permissions_boundary=documents(values.get("permissions-boundary")),
        session=documents(values.get("session")),
        scp=levels["scp"],
        rcp=levels["rcp"],
        vpc_endpoint=documents(values.get("vpc-endpoint")),
        resource=documents(values.get("resource")),
        unknown=frozenset(PolicyType(name) for name in values.get("unknown", [])),
    )


def sentence(principal: str, action: str, resource: str) -> str:
    """The service's words for an implicit denial."""
    return (
        f"User: {principal} is not authorized to perform: {action} on resource: {resource} because no identity-based "
        f"policy allows the {action} action"
    )


def situation(value: dict[str, Any]) -> tuple[Report, Case]:
    """A report and its case from a JSON case of ``fixes.json``."""
    principal = value.get("principal", USER)
    exchanges = []
    for one in value.get("exchanges", [{}]):
        text = sentence(principal, one["refused"], one.get("resource", PROJECT)) if "refused" in one else ""
        exchanges.append(
            Exchange(
                probe=Probe.LIST,
                method=one.get("method"),
                url=one.get("url"),
                auth=Auth(one.get("auth", "unknown")),
                status=one.get("status", 403),
                model=one.get("model"),
                body=json.dumps({"error": {"message": text}}) if text else "",
            )
        )
    diagnoses = tuple(_diagnosis(one, principal) for one in value["diagnoses"])
    outcomes = tuple(
        Outcome(index, None, tuple(one["allowed"]), Answer.ALLOWED, "200")
        for index, one in enumerate(value.get("exchanges", []))
        if "allowed" in one
    )
    case = Case(
        exchanges=tuple(exchanges),
        auth=AuthMethod(value["auth"]) if "auth" in value else None,
        region=value.get("region"),
        model=value.get("model"),
        principal=principal,
        policies=policy_set(value["policies"]) if "policies" in value else None,
    )
    return Report(diagnoses, outcomes), case


def _diagnosis(value: dict[str, Any], principal: str) -> Diagnosis:
    return Diagnosis(
        code=value.get("code", "missing-permission"),
        confidence=Confidence(value.get("confidence", "conclusive")),
        title="refused",
        explanation="",
        evidence=(Evidence("GET /v1/models -> 403", "refused", 0),),
        remedy="",
        reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
        policy_type=PolicyType(value["policy_type"]) if value.get("policy_type") else None,
        effect=value.get("effect", "implicit"),
        actions=tuple(value.get("actions", ())),
        resource=value.get("resource", PROJECT),
        principal=principal,
        policy=value.get("policy"),
    )
