"""A whole emulated account: the endpoint, and the IAM API whose policies decide, wired together.

Policies are read through the IAM API as ``collect`` reads a live account, and kept until a call that may change something.
Knows no command line; needs the extra ``emulator``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from mantle_iam.collect.live import collect_policies
from mantle_iam.errors import InputError
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import PolicySet, PolicyType

if TYPE_CHECKING:
    from mantle_iam.emulator.app import Emulator, Settings
    from mantle_iam.emulator.directory import Caller
    from mantle_iam.emulator.iam_api import IamApi

ACCOUNT = "111122223333"
ADMIN_KEY = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
"""Signs the emulator's own IAM calls: AWS's example key, which opens nothing."""
CONSOLE_POLICY = "AmazonBedrockLimitedAccess"
"""What the console attaches to the user that it makes for a long-term key."""
INSTALL = 'install it with: pip install "mantle-iam[emulator]"'


@dataclass(frozen=True, slots=True)
class Layers:
    """Layers that no IAM API holds; ``None`` is not in force.  ``scp`` has one tuple per level, root first."""

    scp: tuple[tuple[PolicyDocument, ...], ...] | None = None
    vpc_endpoint: tuple[PolicyDocument, ...] | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A started emulator."""

    url: str
    """Origin of the endpoint; base URLs are ``url + "/v1"`` and its neighbours."""
    iam_url: str
    region: str
    account: str
    _endpoint: Emulator = field(repr=False)

    def dress_denials(self, style: str) -> None:
        """Answer refusals by policy from now on as ``401``, ``403`` or ``bare-404``."""
        from mantle_iam.emulator.app import DenialStyle

        self._endpoint.settings = replace(self._endpoint.settings, denial_style=DenialStyle(style))

    def client(self, service: str, *, keys: tuple[str, ...] = ADMIN_KEY) -> Any:
        """A boto3 client of ``iam`` or ``sts`` here; ``keys`` are access key id, secret and, for a session, token."""
        return aws_client(service, self.iam_url, self.region, keys)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead AWS tools to this emulator."""
        return {
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL_IAM": self.iam_url,
            "AWS_ENDPOINT_URL_STS": self.iam_url,
        }


@contextmanager
def running(
    settings: Settings | None = None,
    *,
    account: str = ACCOUNT,
    port: int = 0,
    iam_port: int = 0,
    latency: float = 0.0,
    layers: Layers | None = None,
    now: Callable[[], datetime] | None = None,
) -> Iterator[Running]:
    """An emulator for the length of a ``with`` block.

    Args:
        account: twelve digits; the account is empty at first.
        latency: seconds that every answer of the endpoint waits.
        now: the clock that signatures and expiry are checked against.

    Raises:
        InputError: a port is taken, the account is no account, or the extra is not installed.
    """
    try:
        # What starting would import, so that a missing extra is told before a port is opened.
        import moto.moto_server.werkzeug_app  # noqa: F401

        from mantle_iam.emulator import app
        from mantle_iam.emulator.iam_api import IamApi
        from mantle_iam.emulator.server import Server
    except ImportError as error:
        raise InputError(f"the emulator needs `{error.name}`, which is not installed", help=INSTALL) from None
    if not (account.isascii() and account.isdigit() and len(account) == 12):
        raise InputError(f"`{account}` is not an account id", help="give twelve digits")
    settings = settings or app.Settings()
    iam = IamApi(account, port=iam_port)
    try:
        iam.start()
        reader = _PolicyReader(iam, settings.region, layers or Layers())
        emulator = app.Emulator(settings, iam, reader.policies_of, now or _utc_now)
        server = Server(emulator, port=port, latency=latency)
        server.start()
        try:
            yield Running(server.url, iam.url, settings.region, account, emulator)
        finally:
            server.stop()
    finally:
        iam.stop()


@dataclass(frozen=True, slots=True)
class Ready:
    """The user that a new emulator offers."""

    user: str
    """ARN."""
    policies: str
    """What it may do, in words."""
    long_term_key: str = field(repr=False)
    access_key_id: str
    secret_access_key: str = field(repr=False)
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make the usual clients act as this user."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_BEARER_TOKEN_BEDROCK": self.long_term_key,
            "OPENAI_API_KEY": self.long_term_key,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "AWS_BEDROCK_BASE_URL": f"{self.url}/openai/v1",
            "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": f"{self.url}/anthropic",
        }


def make_ready(emulator: Running, policies: tuple[str, ...], name: str = "developer") -> Ready:
    """Make a user with a long-term key and an access key, as the console does.

    Args:
        policies: documents to put inline; none stands for the policy that the console attaches.

    Raises:
        InputError: IAM refuses a document.
    """
    from botocore.exceptions import ClientError

    iam = emulator.client("iam")
    user = iam.create_user(UserName=name)["User"]["Arn"]
    for number, document in enumerate(policies, 1):
        try:
            iam.put_user_policy(UserName=name, PolicyName=f"policy-{number}", PolicyDocument=document)
        except ClientError as error:
            raise InputError(f"IAM refuses policy {number}: {error.response['Error']['Message']}") from None
    if not policies:
        iam.attach_user_policy(UserName=name, PolicyArn=f"arn:aws:iam::aws:policy/{CONSOLE_POLICY}")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    made = iam.create_service_specific_credential(UserName=name, ServiceName="bedrock.amazonaws.com")
    return Ready(
        user,
        f"{len(policies)} policy file(s)" if policies else CONSOLE_POLICY,
        made["ServiceSpecificCredential"]["ServiceCredentialSecret"],
        key["AccessKeyId"],
        key["SecretAccessKey"],
        emulator.url,
    )


def settings(region: str, denial_style: str, wrong_path_style: str = "400") -> Settings:
    """Settings from the words of the command line.  Raises ``InputError`` for a region that cannot be one."""
    from mantle_iam.emulator.app import DenialStyle, Settings, WrongPathStyle

    if not region or not region.isascii() or not region.replace("-", "").isalnum() or "-" not in region:
        raise InputError(f"`{region}` is not a region", help="a region reads like us-east-1")
    return Settings(region, DenialStyle(denial_style), WrongPathStyle(wrong_path_style))


def aws_client(service: str, url: str, region: str, keys: tuple[str, ...]) -> Any:
    """A boto3 client for ``url`` that takes nothing from the environment."""
    import boto3
    import botocore.session
    from botocore.config import Config

    # A profile or a file that cannot be read would stop a session from being made, though nothing of it is wanted.
    nothing = (None, None, os.devnull, None)
    variables = {"profile": (None, None, None, None), "config_file": nothing, "credentials_file": nothing}
    made: Any = boto3.Session(botocore_session=botocore.session.Session(session_vars=variables))
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"total_max_attempts": 2, "mode": "standard"},
        proxies={},
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    given = dict(zip(names, keys, strict=False))
    return made.client(service, region_name=region, endpoint_url=url, config=config, **given)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _PolicyReader:
    """Policies of callers, as the IAM API tells them."""

    def __init__(self, iam: IamApi, region: str, layers: Layers) -> None:
        self._iam = iam
        self._region = region
        self._layers = layers
        self._lock = Lock()
        self._client: Any = None
        self._read: dict[str, tuple[int, PolicySet]] = {}

    def policies_of(self, caller: Caller) -> PolicySet:
        """Everything that binds ``caller``.  A layer that could not be read stays unknown."""
        # A session has the policies of its role; that the role's path is not in its ARN does not matter to IAM.
        with self._lock:
            revision = self._iam.revision
            read = self._read.get(caller.principal)
            if read is None or read[0] != revision:
                if self._client is None:
                    self._client = aws_client("iam", self._iam.url, self._region, ADMIN_KEY)
                collected = collect_policies(self._client, caller.principal, session=None)
                read = self._read[caller.principal] = (revision, collected.policies)
        return replace(
            read[1],
            session=caller.session_policies,
            scp=self._layers.scp,
            vpc_endpoint=self._layers.vpc_endpoint,
            unknown=read[1].unknown - {PolicyType.SCP},
        )
