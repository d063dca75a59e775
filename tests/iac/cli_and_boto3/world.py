"""The account that scripts are run against, and what it has stored afterwards."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3

from mantle_iam.generate.artifact import Artifact, Kind
from mantle_iam.generate.render.program import settings_of

HERE = Path(__file__).parent
REGION = "us-east-1"
ANYONE = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass(frozen=True, slots=True)
class World:
    """A running account."""

    url: str
    pods_url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to work in it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url, "AWS_ENDPOINT_URL_EKS": self.pods_url}

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return boto3.client(
            service,
            endpoint_url=self.pods_url if service == "eks" else self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def empty(self) -> None:
        """Begin anew."""
        iam = self.client("iam")
        for user in [each["UserName"] for each in iam.list_users()["Users"]]:
            # They are not moto's, and its reset knows nothing of them.
            for key in iam.list_service_specific_credentials(UserName=user)["ServiceSpecificCredentials"]:
                iam.delete_service_specific_credential(
                    UserName=user, ServiceSpecificCredentialId=key["ServiceSpecificCredentialId"]
                )
        for url, method in ((f"{self.url}/moto-api/reset", "POST"), (f"{self.pods_url}/clusters/x", "DELETE")):
            urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30).close()

    def prepared(self, artifact: Artifact) -> tuple[Artifact, dict[str, str]]:
        """The artifact with ids that exist here, what its program asks for, and everything in place that it takes for granted."""
        iam = self.client("iam")
        for role in (*artifact.roles, "app"):
            if role not in [each["RoleName"] for each in iam.list_roles()["Roles"]]:
                iam.create_role(RoleName=role, AssumeRolePolicyDocument=ANYONE)
        for user in {*artifact.users, "alice"}:
            iam.create_user(UserName=user)
        for group in {*artifact.groups, "team"}:
            iam.create_group(GroupName=group)
        found: dict[str, Any] = {"role_names": "app", "user_names": "alice", "group_names": "team"}
        if artifact.kind is Kind.SCP:
            organizations = self.client("organizations")
            organizations.create_organization(FeatureSet="ALL")
            (root,) = organizations.list_roots()["Roots"]
            (account,) = organizations.list_accounts()["Accounts"]
            if artifact.targets:
                artifact = replace(artifact, targets=(root["Id"], account["Id"]))
            found["target_ids"] = root["Id"]
        if artifact.kind is Kind.VPC_ENDPOINT:
            ec2 = self.client("ec2")
            vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
            service = f"com.amazonaws.{REGION}.bedrock-mantle"
            made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, VpcEndpointType="Interface")
            found["vpc_endpoint_id"] = made["VpcEndpoint"]["VpcEndpointId"]
            if artifact.endpoint:
                artifact = replace(artifact, endpoint=found["vpc_endpoint_id"])
        if artifact.kind is Kind.PERMISSION_SET and artifact.instance:
            (instance, *_) = self.client("sso-admin").list_instances()["Instances"]
            artifact = replace(artifact, instance=instance["InstanceArn"])
        found |= {"role_arn": "arn:aws:iam::123456789012:role/app", "key_age_days": "7"}
        found |= {"cluster_name": "main", "namespace": "ml", "service_account": "chat"}
        asked = {each.name: found[each.name] for each in settings_of(artifact) if not each.given and not each.optional}
        return artifact, asked

    def stored(self, artifact: Artifact) -> list[Any]:
        """Every copy of the documents that the account holds after the program has run, in an order that is always the same."""
        return list(_STORED[artifact.kind](self, artifact))


def _names(artifact: Artifact) -> list[str]:
    return [artifact.part_name(index) for index in range(len(artifact.documents))]


def _takers(artifact: Artifact) -> list[tuple[str, str]]:
    given = [
        *(("role", name) for name in artifact.roles),
        *(("user", name) for name in artifact.users),
        *(("group", name) for name in artifact.groups),
    ]
    kinds = [("role", "app"), ("user", "alice"), ("group", "team")]
    return given or (kinds[:2] if artifact.kind is Kind.BOUNDARY else kinds)


def _managed(world: World, artifact: Artifact) -> Iterator[Any]:
    iam = world.client("iam")
    arns = {each["PolicyName"]: each["Arn"] for each in iam.list_policies(Scope="Local")["Policies"]}
    assert sorted(arns) == sorted(_names(artifact))
    for name in _names(artifact):
        policy = iam.get_policy(PolicyArn=arns[name])["Policy"]
        assert policy.get("Description", "") == artifact.description
        version = iam.get_policy_version(PolicyArn=arns[name], VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        # What cannot be seen is escaped in a script, which then does not recognise its own document as the AWS CLI prints it.
        if json.dumps(version["Document"], ensure_ascii=False).isprintable():
            assert version["VersionId"] == "v1", "a second version of the same document"
        yield version["Document"]


def _identity(world: World, artifact: Artifact) -> Iterator[Any]:
    iam = world.client("iam")
    for kind, name in _takers(artifact):
        attached = getattr(iam, f"list_attached_{kind}_policies")(**{f"{kind.title()}Name": name})["AttachedPolicies"]
        assert sorted(each["PolicyName"] for each in attached) == sorted(_names(artifact)), (kind, name)
    yield from _managed(world, artifact)


def _boundary(world: World, artifact: Artifact) -> Iterator[Any]:
    iam = world.client("iam")
    for kind, name in _takers(artifact):
        read = getattr(iam, f"get_{kind}")(**{f"{kind.title()}Name": name})[kind.title()]
        assert read["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(f"/{artifact.name}")
    yield from _managed(world, artifact)


def _inline(world: World, artifact: Artifact) -> Iterator[Any]:
    iam = world.client("iam")
    for name in _names(artifact):
        for kind, taker in _takers(artifact):
            read = getattr(iam, f"get_{kind}_policy")(**{f"{kind.title()}Name": taker}, PolicyName=name)
            if (kind, taker) == _takers(artifact)[0]:
                first = read["PolicyDocument"]
                yield first
            assert read["PolicyDocument"] == first


def _scp(world: World, artifact: Artifact) -> Iterator[Any]:
    organizations = world.client("organizations")
    listed = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
    ours = {each["Name"]: each["Id"] for each in listed if not each["AwsManaged"]}
    assert sorted(ours) == sorted(_names(artifact))
    roots = tuple(each["Id"] for each in organizations.list_roots()["Roots"])
    for name in _names(artifact):
        targets = {each["TargetId"] for each in organizations.list_targets_for_policy(PolicyId=ours[name])["Targets"]}
        assert targets == set(artifact.targets or roots)
        yield json.loads(organizations.describe_policy(PolicyId=ours[name])["Policy"]["Content"])


def _endpoint(world: World, artifact: Artifact) -> Iterator[Any]:
    (endpoint,) = world.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    yield json.loads(endpoint["PolicyDocument"])


def _permission_set(world: World, artifact: Artifact) -> Iterator[Any]:
    sso = world.client("sso-admin")
    (instance, *_) = sso.list_instances()["Instances"]
    where = {"InstanceArn": instance["InstanceArn"]}
    (arn,) = sso.list_permission_sets(**where)["PermissionSets"]
    read = sso.describe_permission_set(**where, PermissionSetArn=arn)["PermissionSet"]
    assert (read["Name"], read.get("Description") or "") == (artifact.name, artifact.description)
    yield json.loads(sso.get_inline_policy_for_permission_set(**where, PermissionSetArn=arn)["InlinePolicy"])


def _trust(world: World, artifact: Artifact) -> Iterator[Any]:
    iam = world.client("iam")
    role = iam.get_role(RoleName=artifact.name)["Role"]
    assert role.get("Description", "") == artifact.description
    yield role["AssumeRolePolicyDocument"]
    for name in sorted(iam.list_role_policies(RoleName=artifact.name)["PolicyNames"]):
        yield iam.get_role_policy(RoleName=artifact.name, PolicyName=name)["PolicyDocument"]
    assert artifact.trust is not None
    profiles = iam.list_instance_profiles_for_role(RoleName=artifact.name)["InstanceProfiles"]
    assert len(profiles) == (artifact.trust.by == "ec2")
    if artifact.trust.by == "pod-identity":
        eks, cluster = world.client("eks"), artifact.trust.cluster or "main"
        (associated,) = eks.list_pod_identity_associations(clusterName=cluster, namespace="ml", serviceAccount="chat")[
            "associations"
        ]
        described = eks.describe_pod_identity_association(
            clusterName=cluster, associationId=associated["associationId"]
        )
        assert described["association"]["roleArn"] == role["Arn"]


def _key(world: World, artifact: Artifact) -> Iterator[Any]:
    iam = world.client("iam")
    attached = iam.list_attached_user_policies(UserName=artifact.name)["AttachedPolicies"]
    assert sorted(each["PolicyName"] for each in attached) == sorted(_names(artifact))
    (key,) = iam.list_service_specific_credentials(UserName=artifact.name, ServiceName="bedrock.amazonaws.com")[
        "ServiceSpecificCredentials"
    ]
    assert (key["ExpirationDate"] - key["CreateDate"]).days == (artifact.key_age_days or 7)
    yield from _managed(world, artifact)


def _nothing(world: World, artifact: Artifact) -> Iterator[Any]:
    # A session policy is stored nowhere; what is handed over is looked at without the service.
    yield from ()


_STORED = {
    Kind.IDENTITY: _identity,
    Kind.BOUNDARY: _boundary,
    Kind.INLINE: _inline,
    Kind.SCP: _scp,
    Kind.VPC_ENDPOINT: _endpoint,
    Kind.SESSION: _nothing,
    Kind.PERMISSION_SET: _permission_set,
    Kind.TRUST: _trust,
    Kind.LONG_TERM_KEY: _key,
}


@contextmanager
def running() -> Iterator[World]:
    """An account in a process of its own."""
    ports = [_free_port(), _free_port()]
    server = subprocess.Popen(
        [sys.executable, str(HERE / "account.py"), *map(str, ports)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for port in ports:
            for _ in range(600):
                assert server.poll() is None, "the account ended before it answered"
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
        yield World(*(f"http://127.0.0.1:{port}" for port in ports))
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
