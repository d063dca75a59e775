"""Reads the data files under ``exchanges/``: one case each, as a record, with what is expected of it.

A file holds ``about``, ``source``, ``covers`` (rows of the error table ``E1`` …, numbers of real cases ``case 1`` …, the five
traps ``trap 1`` …), then either ``text`` (something pasted) or ``exchanges``, what else is known (``credential``, ``region``,
``model``, ``project``, ``principal``, ``auth``, ``now``, ``policies``,
``policy_names``, ``base_url``, ``found``), ``available`` probes, and the
expectations ``first``, ``expect``, ``never``, ``next_probes``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mantle_iam.diagnose.case import Case, FoundCredential, PolicyName
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import PolicySet, PolicyType
from mantle_iam.mantle.credential import Credential, CredentialFlaw, CredentialKind
from mantle_iam.mantle.endpoint import parse_base_url
from mantle_iam.mantle.exchange import Auth, Exchange, Probe, TransportFailure, TransportFailureKind
from mantle_iam.mantle.operations import AuthMethod

FOLDER = Path(__file__).parent / "exchanges"


@dataclass(frozen=True)
class Situation:
    """One data file."""

    name: str
    data: dict[str, Any]

    @property
    def case(self) -> Case:
        return read_case(self.data)

    @property
    def available(self) -> frozenset[Probe]:
        return frozenset(Probe(name) for name in self.data.get("available", ()))


def situations() -> list[Situation]:
    return [Situation(path.stem, json.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.json"))]


def read_case(data: dict[str, Any]) -> Case:
    if "text" in data:
        from mantle_iam.mantle.transcript import read_transcript

        exchanges = read_transcript(data["text"])
    else:
        exchanges = tuple(read_exchange(entry) for entry in data.get("exchanges", ()))
    credential = read_credential_record(data["credential"]) if data.get("credential") else None
    return Case(
        exchanges=exchanges,
        credential=credential,
        found=tuple(
            FoundCredential(entry["where"], read_credential_record(entry["credential"]), entry.get("used", False))
            for entry in data.get("found", ())
        ),
        endpoint=parse_base_url(data["base_url"]) if data.get("base_url") else None,
        auth=AuthMethod(data["auth"]) if data.get("auth") else None,
        region=data.get("region"),
        model=data.get("model"),
        project=data.get("project"),
        principal=data.get("principal"),
        policies=read_policies(data["policies"]) if data.get("policies") else None,
        policy_names=tuple(
            PolicyName(
                PolicyType(entry["policy_type"]), entry.get("level"), entry["document"], entry["name"], entry.get("arn")
            )
            for entry in data.get("policy_names", ())
        ),
        now=moment(data.get("now")),
    )


def read_exchange(entry: dict[str, Any]) -> Exchange:
    body = entry.get("body", "")
    failure = entry.get("failure")
    return Exchange(
        probe=Probe(entry.get("probe", "pasted")),
        method=entry.get("method"),
        url=entry.get("url"),
        auth=Auth(entry.get("auth", "unknown")),
        model=entry.get("model"),
        project=entry.get("project"),
        status=entry.get("status"),
        headers=tuple((name, value) for name, value in entry.get("headers", {}).items()),
        body=body if isinstance(body, str) else json.dumps(body),
        failure=TransportFailure(TransportFailureKind(failure["kind"]), failure.get("detail", "")) if failure else None,
        sent_at=moment(entry.get("sent_at")),
        signing_region=entry.get("signing_region"),
        signing_service=entry.get("signing_service"),
        peer=entry.get("peer"),
    )


def read_credential_record(entry: dict[str, Any]) -> Credential:
    return Credential(
        kind=CredentialKind(entry["kind"]),
        masked=entry.get("masked", "ABSK… (136 characters)"),
        flaws=tuple(CredentialFlaw(flaw) for flaw in entry.get("flaws", ())),
        account=entry.get("account"),
        user_name=entry.get("user_name"),
        region=entry.get("region"),
        issued_at=moment(entry.get("issued_at")),
        expires_at=moment(entry.get("expires_at")),
        temporary=entry.get("temporary"),
    )


def read_policies(entry: dict[str, Any]) -> PolicySet:
    def layer(name: str) -> Any:
        return tuple(parse_policy(document) for document in entry[name]) if name in entry else None

    def levels(name: str) -> Any:
        return tuple(tuple(parse_policy(one) for one in level) for level in entry[name]) if name in entry else None

    return PolicySet(
        identity=layer("identity") or (),
        permissions_boundary=layer("permissions-boundary"),
        session=layer("session"),
        scp=levels("scp"),
        rcp=levels("rcp"),
        vpc_endpoint=layer("vpc-endpoint"),
        resource=layer("resource"),
        unknown=frozenset(PolicyType(name) for name in entry.get("unknown", ())),
    )


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
