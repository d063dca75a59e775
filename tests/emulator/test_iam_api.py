"""IAM and STS over HTTP: long-term keys as IAM knows them, sessions with their policies, and a closed gate for all else."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mantle_iam.emulator.iam_api import MAX_BODY, IamApi
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.workflow.emulator import ADMIN_KEY, aws_client

ACCOUNT = "222233334444"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
NOTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


@pytest.fixture(scope="module")
def api() -> Iterator[IamApi]:
    started = IamApi(ACCOUNT)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def iam(api: IamApi) -> Any:
    return aws_client("iam", api.url, "us-east-1", ADMIN_KEY)


@pytest.fixture(scope="module")
def sts(api: IamApi) -> Any:
    return aws_client("sts", api.url, "us-east-1", ADMIN_KEY)


@pytest.fixture
def user(iam: Any) -> Iterator[str]:
    """A new user, taken away afterwards with whatever it has."""
    iam.create_user(UserName="BedrockAPIKey-x1y2")
    yield "BedrockAPIKey-x1y2"
    for key in iam.list_service_specific_credentials(UserName="BedrockAPIKey-x1y2")["ServiceSpecificCredentials"]:
        iam.delete_service_specific_credential(
            UserName="BedrockAPIKey-x1y2", ServiceSpecificCredentialId=key["ServiceSpecificCredentialId"]
        )
    for access_key in iam.list_access_keys(UserName="BedrockAPIKey-x1y2")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="BedrockAPIKey-x1y2", AccessKeyId=access_key["AccessKeyId"])
    iam.delete_user(UserName="BedrockAPIKey-x1y2")


def create(iam: Any, user: str, **more: Any) -> Any:
    answer = iam.create_service_specific_credential(UserName=user, ServiceName="bedrock.amazonaws.com", **more)
    return answer["ServiceSpecificCredential"]


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    found: str = error.value.response["Error"]["Code"]
    return found


class TestLongTermKeys:
    """Service-specific credentials."""

    def test_the_key_has_the_form_that_readers_expect(self, iam: Any, user: str) -> None:
        made = create(iam, user)
        text = made["ServiceCredentialSecret"]
        assert text.startswith("ABSK")
        name, _, secret = base64.b64decode(text[4:]).decode().partition(":")
        assert name == f"BedrockAPIKey-x1y2-at-{ACCOUNT}" == made["ServiceCredentialAlias"]
        assert len(secret) >= 40
        assert re.fullmatch(r"ACCA[A-Z2-7]{17}", made["ServiceSpecificCredentialId"])
        assert (made["Status"], made["ServiceName"]) == ("Active", "bedrock.amazonaws.com")
        assert "ExpirationDate" not in made

    def test_a_second_key_and_no_third(self, iam: Any, user: str) -> None:
        create(iam, user)
        second = create(iam, user)
        decoded = base64.b64decode(second["ServiceCredentialSecret"][4:]).decode()
        assert decoded.startswith(f"BedrockAPIKey-x1y2+1-at-{ACCOUNT}:")
        with pytest.raises(ClientError) as error:
            create(iam, user)
        assert code(error) == "LimitExceeded"

    def test_expiry(self, iam: Any, user: str) -> None:
        made = create(iam, user, CredentialAgeDays=30)
        assert (made["ExpirationDate"] - made["CreateDate"]).days == 30

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"ServiceName": "codecommit.amazonaws.com"}, "NotSupportedService"),
            ({"UserName": "nobody"}, "NoSuchEntity"),
            ({"CredentialAgeDays": 36600 + 1}, "InvalidInput"),
        ],
    )
    def test_refused(self, iam: Any, user: str, given: dict[str, Any], expected: str) -> None:
        with pytest.raises(ClientError) as error:
            iam.create_service_specific_credential(
                **{"UserName": user, "ServiceName": "bedrock.amazonaws.com", **given}
            )
        assert code(error) == expected

    def test_listing_shows_no_secret(self, iam: Any, user: str) -> None:
        made = create(iam, user)
        listed = iam.list_service_specific_credentials(UserName=user)["ServiceSpecificCredentials"]
        assert [key["ServiceSpecificCredentialId"] for key in listed] == [made["ServiceSpecificCredentialId"]]
        assert "ServiceCredentialSecret" not in listed[0]
        other = iam.list_service_specific_credentials(UserName=user, ServiceName="codecommit.amazonaws.com")
        assert other["ServiceSpecificCredentials"] == []

    def test_life_of_a_key(self, api: IamApi, iam: Any, user: str) -> None:
        made = create(iam, user)
        which = {"UserName": user, "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}

        def known() -> Any:
            return next(
                iter(key for key in api.long_term_keys() if key.id == made["ServiceSpecificCredentialId"]), None
            )

        assert known().text == made["ServiceCredentialSecret"]
        assert known().caller.principal == f"arn:aws:iam::{ACCOUNT}:user/{user}"
        iam.update_service_specific_credential(**which, Status="Inactive")
        assert not known().active
        again = iam.reset_service_specific_credential(**which)["ServiceSpecificCredential"]
        assert again["ServiceCredentialSecret"] == known().text != made["ServiceCredentialSecret"]
        iam.delete_service_specific_credential(**which)
        assert known() is None
        with pytest.raises(ClientError) as error:
            iam.delete_service_specific_credential(**which)
        assert code(error) == "NoSuchEntity"

    def test_a_user_with_keys_cannot_be_deleted(self, iam: Any, user: str) -> None:
        create(iam, user)
        with pytest.raises(ClientError) as error:
            iam.delete_user(UserName=user)
        assert code(error) == "DeleteConflict"


class TestBoundaries:
    """Users' permissions boundaries."""

    def test_set_and_taken_away(self, iam: Any, user: str) -> None:
        arn = "arn:aws:iam::aws:policy/AmazonBedrockMantleReadOnly"
        iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=arn)
        assert iam.get_user(UserName=user)["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
        iam.delete_user_permissions_boundary(UserName=user)
        assert "PermissionsBoundary" not in iam.get_user(UserName=user)["User"]
        with pytest.raises(ClientError) as error:
            iam.delete_user_permissions_boundary(UserName=user)
        assert code(error) == "NoSuchEntity"

    def test_a_policy_that_is_not_there(self, iam: Any, user: str) -> None:
        with pytest.raises(ClientError) as error:
            iam.put_user_permissions_boundary(
                UserName=user, PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/no-such"
            )
        assert code(error) == "NoSuchEntity"


class TestSessions:
    """AssumeRole."""

    @pytest.fixture
    def role(self, iam: Any) -> Iterator[str]:
        tags = [{"Key": "team", "Value": "blue"}]
        made = iam.create_role(RoleName="app", Path="/service/", AssumeRolePolicyDocument=TRUST, Tags=tags)["Role"]
        yield made["Arn"]
        iam.delete_role(RoleName="app")

    def assume(self, api: IamApi, sts: Any, role: str, **more: Any) -> Any:
        made = sts.assume_role(RoleArn=role, RoleSessionName="s@x", **more)["Credentials"]
        found = api.access_key(made["AccessKeyId"])
        assert found is not None
        assert (found.secret, found.session_token) == (made["SecretAccessKey"], made["SessionToken"])
        return found

    def test_a_session_is_known(self, api: IamApi, sts: Any, role: str) -> None:
        caller = self.assume(api, sts, role).caller
        assert caller.principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s@x"
        assert caller.role == role
        assert caller.tags == (("team", "blue"),)
        assert caller.session_policies is None

    def test_session_policies_inline_and_managed(self, api: IamApi, iam: Any, sts: Any, role: str) -> None:
        arn = iam.create_policy(PolicyName="session", PolicyDocument=NOTHING)["Policy"]["Arn"]
        caller = self.assume(api, sts, role, Policy=NOTHING).caller
        assert caller.session_policies == (parse_policy(NOTHING),)
        both = self.assume(api, sts, role, PolicyArns=[{"arn": arn}]).caller
        assert both.session_policies == (parse_policy(NOTHING),)
        iam.delete_policy(PolicyArn=arn)
        gone = api.access_key(self.assume(api, sts, role, PolicyArns=[{"arn": arn}]).id)
        assert gone is not None
        assert gone.caller.session_policies == ()

    def test_expiry(self, api: IamApi, sts: Any, role: str) -> None:
        found = self.assume(api, sts, role, DurationSeconds=900)
        assert found.expires_at.tzinfo is not None

    def test_a_role_that_is_not_there(self, sts: Any) -> None:
        with pytest.raises(ClientError) as error:
            sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none", RoleSessionName="session")
        assert code(error) == "AccessDenied"

    def test_a_session_ends_with_its_role(self, api: IamApi, iam: Any, sts: Any) -> None:
        role = iam.create_role(RoleName="brief", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        found = self.assume(api, sts, role)
        iam.delete_role(RoleName="brief")
        assert api.access_key(found.id) is None

    def test_caller_identity(self, api: IamApi, iam: Any, sts: Any, user: str) -> None:
        key = iam.create_access_key(UserName=user)["AccessKey"]
        as_user = aws_client("sts", api.url, "us-east-1", (key["AccessKeyId"], key["SecretAccessKey"]))
        assert as_user.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{user}"
        assert sts.get_caller_identity()["Account"] == ACCOUNT


def test_access_keys(api: IamApi, iam: Any, user: str) -> None:
    key = iam.create_access_key(UserName=user)["AccessKey"]
    found = api.access_key(key["AccessKeyId"])
    assert found is not None
    assert (found.secret, found.active, found.session_token) == (key["SecretAccessKey"], True, None)
    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    again = api.access_key(key["AccessKeyId"])
    assert again is not None
    assert not again.active
    assert api.access_key("AKIAI44QH8DHBEXAMPLE") is None


def test_the_revision_grows_with_writes_only(api: IamApi, iam: Any, user: str) -> None:
    before = api.revision
    iam.list_users()
    iam.get_user(UserName=user)
    assert api.revision == before
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=NOTHING)
    iam.delete_user_policy(UserName=user, PolicyName="p")
    assert api.revision == before + 2


@pytest.mark.parametrize(
    ("path", "service", "data", "host", "status"),
    [
        ("/moto-api/reset", "iam", b"", "localhost", 404),
        ("/", "s3", b"", "localhost", 403),
        ("/", "", b"", "localhost", 403),
        ("/", "iam", b"Action=ListUsers&x=" + b"y" * MAX_BODY, "localhost", 413),
        ("/", "iam", b"Action=ListUsers", "rebound.example.com", 403),
    ],
    ids=["moto's own api", "another service", "unsigned", "too large", "another name"],
)
def test_the_gate(api: IamApi, path: str, service: str, data: bytes, host: str, status: int) -> None:
    scope = f"AKIAIOSFODNN7EXAMPLE/20261123/us-east-1/{service}/aws4_request"
    headers = {"Host": host}
    if service:
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(api.url + path, data, headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=5)
    with error.value:
        assert error.value.code == status


def test_only_loopback(api: IamApi) -> None:
    assert api.url.startswith("http://127.0.0.1:")
