"""AWS credentials as boto3 finds them: environment, profiles, SSO, assumed roles, container and instance metadata.

Bounded in time, since a metadata address that nobody answers would otherwise hold everything up.  Creates the clients that
other floors read policies with; knows nothing of Mantle.

Source: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.mantle.redaction import redact
from mantle_iam.probe.auth import AwsCredentials
from mantle_iam.probe.secret import Secret

if TYPE_CHECKING:
    from boto3.session import Session

T = TypeVar("T")
AwsService = Literal["iam", "sts", "organizations"]

CHAIN_SECONDS = 10.0
"""For the whole chain: an SSO or credential process may take seconds."""
CALL_SECONDS = 4
"""For one call to STS or IAM to connect, and again to answer."""

SESSION_NAME = "mantle-iam-probe"

_PLACES = {
    "explicit": "AWS_ACCESS_KEY_ID",
    "shared-credentials-file": "shared credentials file",
    "config-file": "AWS config file",
    "iam-role": "instance metadata",
    "container-role": "container credentials",
}
"""What botocore calls a place, in the words of its guide."""


@dataclass(frozen=True, slots=True)
class ChainResult:
    """What the chain gave: credentials and their place, or the reason that there are none (``None``: none are set up)."""

    credentials: AwsCredentials | None = None
    where: str = ""
    region: str | None = None
    problem: str | None = None
    principal: str | None = None
    """ARN, where it is known already."""


class AwsSession:
    """A boto3 session behind our errors and time limits.  Making one is cheap: boto3 is imported with its first use."""

    def __init__(
        self,
        environ: Mapping[str, str],
        profile: str | None = None,
        role_arn: str | None = None,
        endpoint_urls: EndpointUrls | None = None,
    ) -> None:
        self._environ = environ
        self._profile = profile
        self._role_arn = role_arn
        self._endpoints = endpoint_urls or EndpointUrls()
        self._lock = threading.Lock()
        self._made: Session | None = None

    def region(self) -> str | None:
        """Region of the profile (or of the environment).

        Raises:
            InputError: the profile does not exist.
        """
        region: str | None = self._session().region_name
        return region

    def credentials(self) -> ChainResult:
        """The credentials of the chain, or of the role to assume with them.

        Raises:
            InputError: the profile does not exist.
            UndeterminedError: the role could not be assumed.
        """
        session = self._session()
        found: AwsCredentials | Exception | None = _within(CHAIN_SECONDS, lambda: _frozen(session))
        if isinstance(found, Exception):
            return ChainResult(region=session.region_name, problem=_sentence(found))
        if found is None:
            return ChainResult(region=session.region_name)
        if self._role_arn is not None:
            assumed, principal = self._assume(self._role_arn)
            return ChainResult(assumed, f"role {self._role_arn}", session.region_name, principal=principal)
        where = (
            f"profile {self._profile}"
            if self._profile
            else _PLACES.get(found.method, f"AWS credential chain ({found.method})")
        )
        return ChainResult(found, where, session.region_name)

    def caller(self) -> str | None:
        """ARN of the caller according to STS, or ``None`` when STS does not say.  Needs no permission."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            arn: str = self.client("sts").get_caller_identity()["Arn"]
        except (BotoCoreError, ClientError):
            return None
        return arn

    def client(self, service: AwsService) -> Any:
        """A boto3 client for ``iam``, ``sts`` or ``organizations`` with short time limits.

        It has the credentials of the chain also when a role is assumed: who may assume a role may rather read it than the role.

        Raises:
            InputError: the AWS configuration names an endpoint, or something else, that cannot be used.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        session = self._session()
        config = Config(
            connect_timeout=CALL_SECONDS,
            read_timeout=CALL_SECONDS,
            retries={"total_max_attempts": 2},
            user_agent_extra="mantle-iam",
            max_pool_connections=16,
        )
        # IAM and Organizations are global; STS answers everywhere.
        region = session.region_name or "us-east-1"
        try:
            return session.client(service, region_name=region, endpoint_url=self._endpoints.of(service), config=config)
        except (BotoCoreError, ValueError) as error:
            raise InputError(f"the AWS configuration cannot be used: {_sentence(error)}") from None

    def _session(self) -> Session:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> Session:
        import boto3
        import botocore.session
        from botocore.exceptions import BotoCoreError

        core = botocore.session.Session(profile=self._profile or self._environ.get("AWS_PROFILE"))
        core.set_config_variable("metadata_service_timeout", 1)
        core.set_config_variable("metadata_service_num_attempts", 1)
        key_id, secret = self._environ.get("AWS_ACCESS_KEY_ID"), self._environ.get("AWS_SECRET_ACCESS_KEY")
        try:
            core.get_scoped_config()
            # The environment that we were given is the one that counts, also where the process has another.
            core.get_component("credential_provider").remove("env")
            if self._profile is None and key_id and secret:
                core.set_credentials(key_id, secret, self._environ.get("AWS_SESSION_TOKEN"))
            return boto3.Session(botocore_session=core)
        except BotoCoreError as error:
            raise InputError(f"the AWS configuration cannot be used: {_sentence(error)}") from None

    def _assume(self, role_arn: str) -> tuple[AwsCredentials, str]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=SESSION_NAME)
        except (BotoCoreError, ClientError) as error:
            raise UndeterminedError(
                f"the role `{role_arn}` could not be assumed: {_sentence(error)}",
                help="the caller needs sts:AssumeRole on it, and the role's trust policy must name the caller",
            ) from None
        made = answer["Credentials"]
        keys = AwsCredentials(
            made["AccessKeyId"], Secret(made["SecretAccessKey"]), Secret(made["SessionToken"]), "assume-role"
        )
        return keys, str(answer["AssumedRoleUser"]["Arn"])


@dataclass(frozen=True, slots=True)
class EndpointUrls:
    """Where IAM, STS and Organizations are, when not at AWS (tests, emulators); ``None`` leaves it to boto3's own variables."""

    iam: str | None = None
    sts: str | None = None
    organizations: str | None = None

    def of(self, service: AwsService) -> str | None:
        """The endpoint URL for ``service``."""
        return {"iam": self.iam, "sts": self.sts, "organizations": self.organizations}[service]


def _frozen(session: Session) -> AwsCredentials | None:
    found = session.get_credentials()
    if found is None:
        return None
    frozen = found.get_frozen_credentials()
    if not frozen.access_key or not frozen.secret_key:
        return None
    token = Secret(frozen.token) if frozen.token else None
    return AwsCredentials(frozen.access_key, Secret(frozen.secret_key), token, str(found.method))


def _within(seconds: float, ask: Callable[[], T]) -> T | Exception:
    """What ``ask`` gives, or the failure; a ``TimeoutError`` when it takes longer.  Its thread is then left behind."""
    outcome: list[T | Exception] = []

    def run() -> None:
        try:
            outcome.append(ask())
        except Exception as error:  # whatever a credential process or a broken cache raises is a reason, not a crash
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True, name="aws-credentials")
    thread.start()
    thread.join(seconds)
    if not outcome:
        return TimeoutError(f"no AWS credentials within {seconds:g} seconds")
    return outcome[0]


def _sentence(error: Exception) -> str:
    return redact(" ".join(str(error).split()).rstrip("."))
