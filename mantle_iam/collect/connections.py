"""Credentials and the clients made of them, for reading accounts: time limits, retries that give way, roles that are assumed.

Knows no policy.  Retries: https://docs.aws.amazon.com/boto3/latest/guide/retries.html (``adaptive`` slows down by itself when it
is throttled: each account's IAM by its own client, STS and Organizations by one client for all accounts that share it).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, Final

from mantle_iam.collect.failure import Failure, Unreadable, reading
from mantle_iam.collect.fields import text
from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
ATTEMPTS: Final = 8
_SESSION_NAME: Final = "mantle-iam-audit"
_ANY_REGION: Final = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}


@dataclass(slots=True)
class Connection:
    """One set of credentials, and its clients, each made once.  Threads may share it."""

    session: Any
    endpoint_url: str | None = None
    attempts: int = ATTEMPTS
    """How often a call that fails is sent in all."""
    partition: str = "aws"
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _making: Lock = field(default_factory=Lock)

    @property
    def region(self) -> str:
        """Region of the profile or the environment, else one of the partition's."""
        return self.session.region_name or _ANY_REGION.get(self.partition, "us-east-1")

    def client(self, service: str, region: str = "") -> Any:
        """A boto3 client.

        Raises:
            InputError: the URL or the region is none.
        """
        where = region or self.region
        # Clients may be shared by threads, the making of them may not.
        with self._making:
            found = self._clients.get((service, where))
            if found is None:
                found = self._clients[service, where] = self._make(service, where)
        return found

    def _make(self, service: str, region: str) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": self.attempts, "mode": "adaptive"},
        )
        try:
            return self.session.client(service, region_name=region, endpoint_url=self.endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise InputError(" ".join(str(error).split()).rstrip(".")) from None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose credentials they are."""

    account: str
    partition: str


def connect(profile: str | None, region: str | None, endpoint_url: str | None, attempts: int = ATTEMPTS) -> Connection:
    """The credentials of a profile or of the environment.

    Args:
        region: used where neither the profile nor the environment names one.

    Raises:
        InputError: there is no such profile, its file cannot be read, or the URL holds a password.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    if endpoint_url is not None and "@" in endpoint_url:
        # It would be in every message about a connection that fails, and so it is not in this one.
        raise InputError(
            "the URL of the endpoint has a user or a password in it", help="leave out what is before the @"
        )
    try:
        session = boto3.Session(profile_name=profile)
        if region and not session.region_name:
            session = boto3.Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:
        raise InputError(" ".join(str(error).split()).rstrip(".")) from None
    return Connection(session, endpoint_url, attempts)


def signed_in(connection: Connection) -> Unreadable | None:
    """Why there are no credentials at all; ``None`` where there are some, which may still turn out not to be valid."""
    found = reading(connection.session.get_credentials)
    if isinstance(found, Unreadable):
        return found
    return None if found is not None else Unreadable(Failure.CREDENTIALS, "no AWS credentials were found")


def caller_of(connection: Connection) -> Caller | Unreadable:
    """The account and partition of the credentials; STS tells it to everybody."""
    answer = reading(connection.client("sts").get_caller_identity)
    if isinstance(answer, Unreadable):
        return answer
    account, arn = text(answer, "Account"), Arn.try_parse(text(answer, "Arn"))
    if arn is None or not is_account(account):
        return Unreadable(Failure.OTHER, "`GetCallerIdentity` names no account: something else answers at this address")
    return Caller(account, arn.partition)


def is_account(id_: str) -> bool:
    """Whether it is the number of an account."""
    return len(id_) == 12 and id_.isascii() and id_.isdigit()


def assumed(base: Connection, role: str) -> Connection | Unreadable:
    """Credentials of ``role`` (an ARN), assumed with those of ``base``, and assumed again before they expire."""
    import boto3
    from botocore.credentials import DeferredRefreshableCredentials
    from botocore.exceptions import CredentialRetrievalError
    from botocore.session import get_session

    sts = base.client("sts")

    def fetch() -> dict[str, str]:
        found = sts.assume_role(RoleArn=role, RoleSessionName=_SESSION_NAME).get("Credentials")
        if not found:
            raise CredentialRetrievalError(provider="AssumeRole", error_msg="there are none in the answer")
        expires: datetime = found["Expiration"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": expires.isoformat(),
        }

    credentials = DeferredRefreshableCredentials(refresh_using=fetch, method="assume-role")
    failed = reading(credentials.get_frozen_credentials)
    if isinstance(failed, Unreadable):
        return failed
    inner: Any = get_session()
    # The descriptions of services are large and the same for all accounts.
    inner.register_component("data_loader", base.session._session.get_component("data_loader"))
    inner._credentials = credentials
    session = boto3.Session(botocore_session=inner, region_name=base.region)
    return Connection(session, base.endpoint_url, base.attempts, Arn.parse(role).partition)
