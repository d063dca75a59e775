"""An endpoint without sockets, and callers who sign as the real clients do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mantle_iam.emulator.app import Emulator, Settings
from mantle_iam.emulator.directory import AccessKey, Caller, LongTermKey
from mantle_iam.emulator.http import Request, Response
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.request import PolicySet

ACCOUNT = "111122223333"
REGION = "us-east-1"
HOST = "127.0.0.1:8080"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
USER = f"arn:aws:iam::{ACCOUNT}:user/developer"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
LONG_TERM = "ABSK" + base64.b64encode(f"developer-at-{ACCOUNT}:not-a-secret".encode()).decode()
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass
class Known:
    """A directory with one user and one session; tests change what they need."""

    access_keys: dict[str, AccessKey] = field(default_factory=dict)
    keys: list[LongTermKey] = field(default_factory=list)

    def access_key(self, access_key_id: str) -> AccessKey | None:
        return self.access_keys.get(access_key_id)

    def long_term_keys(self) -> tuple[LongTermKey, ...]:
        return tuple(self.keys)


USER_CALLER = Caller(USER, ACCOUNT, user_id="AIDAEXAMPLE", tags=(("team", "blue"),))
SESSION_CALLER = Caller(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/session",
    ACCOUNT,
    user_id="AROAEXAMPLE:session",
    role=f"arn:aws:iam::{ACCOUNT}:role/service/app",
)


def directory() -> Known:
    """The user with an access key and a long-term key, and a session of a role."""
    user = AccessKey("AKIAIOSFODNN7EXAMPLE", SECRET, USER_CALLER)
    session = AccessKey("ASIAIOSFODNN7EXAMPLE", SECRET, SESSION_CALLER, session_token="token/of+session==")
    return Known({user.id: user, session.id: session}, [LongTermKey("ACCAEXAMPLE", LONG_TERM, USER_CALLER)])


@dataclass
class Endpoint:
    """An emulator and a client of it."""

    known: Known = field(default_factory=directory)
    policies: PolicySet = field(default_factory=lambda: PolicySet(identity=(parse_policy(ALLOW_ALL),)))
    settings: Settings = field(default_factory=Settings)
    now: datetime = NOW
    emulator: Emulator = field(init=False)

    def __post_init__(self) -> None:
        self.emulator = Emulator(self.settings, self.known, lambda _: self.policies, lambda: self.now)

    def grant(self, *documents: Any) -> None:
        self.policies = PolicySet(identity=tuple(parse_policy(each) for each in documents))

    def send(self, request: Request) -> Response:
        return self.emulator.handle(request)

    def call(self, method: str, target: str, body: Any = None, *, auth: str = "long-term", **headers: str) -> Response:
        """Send a JSON body (or text or bytes as they are), authenticated by a long-term or short-term key or SigV4."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        path, _, query = target.partition("?")
        sent = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = Request(method, path, query, tuple(sent.items()), content)
        return self.send(signed(request, auth))


def signed(request: Request, auth: str, **scope: Any) -> Request:
    """``request`` with a credential: ``long-term``, ``short-term``, ``sigv4``, ``session``, ``presigned``, ``none``."""
    match auth:
        case "none":
            return request
        case "long-term":
            return with_header(request, "authorization", f"Bearer {LONG_TERM}")
        case "short-term":
            return with_header(request, "authorization", f"Bearer {short_term(**scope)}")
        case "sigv4":
            return sigv4(request, **scope)
        case "session":
            return sigv4(request, key="ASIAIOSFODNN7EXAMPLE", token="token/of+session==", **scope)
        case "presigned":
            return sigv4(request, query=True, **scope)
    raise AssertionError(auth)


def with_header(request: Request, name: str, value: str) -> Request:
    kept = tuple(pair for pair in request.headers if pair[0] != name)
    return Request(request.method, request.path, request.query, (*kept, (name, value)), request.body)


def at(now: datetime) -> Any:
    """botocore's clock."""
    return patch("botocore.auth.get_current_datetime", lambda *_, **__: now.replace(tzinfo=None))


def sigv4(
    request: Request,
    *,
    now: datetime = NOW,
    key: str = "AKIAIOSFODNN7EXAMPLE",
    secret: str = SECRET,
    token: str | None = None,
    region: str = REGION,
    service: str = "bedrock-mantle",
    query: bool = False,
) -> Request:
    """``request`` signed by botocore."""
    target = f"http://{HOST}{request.path}" + (f"?{request.query}" if request.query else "")
    aws = AWSRequest(request.method, target, dict(request.headers), request.body)
    signer = SigV4QueryAuth if query else SigV4Auth
    with at(now):
        signer(Credentials(key, secret, token), service, region).add_auth(aws)
    path, _, new_query = aws.url.removeprefix(f"http://{HOST}").partition("?")
    headers = tuple((name.lower(), value) for name, value in aws.headers.items())
    return Request(request.method, path, new_query, headers, request.body)


def short_term(
    *,
    now: datetime = NOW,
    key: str = "AKIAIOSFODNN7EXAMPLE",
    secret: str = SECRET,
    token: str | None = None,
    region: str = REGION,
) -> str:
    """A key by the public generator."""
    from aws_bedrock_token_generator import BedrockTokenGenerator

    with at(now):
        made: str = BedrockTokenGenerator().get_token(Credentials(key, secret, token), region)
    return made


def body_of(response: Response) -> Any:
    """The JSON of an answer."""
    return json.loads(response.body)


@pytest.fixture
def endpoint() -> Callable[..., Endpoint]:
    """Makes endpoints."""
    return Endpoint
