"""Credentials and the clients made of them, for reading accounts: time limits, retries that give way, roles that are assumed.

Knows no policy.  Retries: https://docs.aws.amazon.com/boto3/latest/guide/retries.html (``adaptive`` slows down by itself when it
is throttled).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mantle_iam.collect.failure import Unreadable, reading
from mantle_iam.errors import InputError
from mantle_iam.iam.arn import Arn

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
ATTEMPTS: Final = 8
_SESSION_NAME: Final = "mantle-iam-audit"
_ANY_REGION: Final = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}


@dataclass(slots=True)
class Connection:
    """One set of credentials, and its clients, each made once."""

    session: Any
    endpoint_url: str | None = None
    attempts: int = ATTEMPTS
    """How often a call that fails is sent in all."""
    partition: str = "aws"
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

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
            raise InputError(str(error).rstrip(".")) from None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose credentials they are."""

    account: str
    partition: str


def connect(profile: str | None, region: str | None, endpoint_url: str | None, attempts: int = ATTEMPTS) -> Connection:
    """The credentials of a profile or of the environment.

    Raises:
        InputError: there is no such profile.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:
        raise InputError(str(error).rstrip(".")) from None
    return Connection(session, endpoint_url, attempts)


def caller_of(connection: Connection) -> Caller | Unreadable:
    """The account and partition of the credentials; STS tells it to everybody."""
    answer = reading(connection.client("sts").get_caller_identity)
    if isinstance(answer, Unreadable):
        return answer
    return Caller(str(answer["Account"]), Arn.parse(answer["Arn"]).partition)


def assumed(base: Connection, role: str) -> Connection | Unreadable:
    """Credentials of ``role`` (an ARN), assumed with those of ``base``."""
    import boto3

    answer = reading(base.client("sts").assume_role, RoleArn=role, RoleSessionName=_SESSION_NAME)
    if isinstance(answer, Unreadable):
        return answer
    found = answer["Credentials"]
    session = boto3.Session(
        found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], region_name=base.session.region_name
    )
    return Connection(session, base.endpoint_url, base.attempts, Arn.parse(role).partition)
