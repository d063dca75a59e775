"""A real IAM, Organizations, EC2 and STS (moto) behind a gate, which counts calls and refuses those that it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Call:
    """What is asked for: ``iam:GetUser`` with the fields of its form, or of its JSON."""

    action: str
    fields: dict[str, str]
    key: str
    """Access key by which it is signed."""


@dataclass
class Account:
    """A moto account over HTTP; ``failing`` maps an operation to the status and code that it answers with.

    ``instead`` maps an operation to what is asked first with the fields of a form, and may give the text of an answer.
    """

    url: str
    failing: dict[str, tuple[int, str]] = field(default_factory=dict)
    instead: dict[str, Callable[[dict[str, list[str]]], str | None]] = field(default_factory=dict)
    refuse: Callable[[Call], tuple[int, str] | None] | None = None
    """Asked before every call: the status and code of the refusal, or nothing."""
    cut: Callable[[Call], bool] | None = None
    """Whether the connection breaks off in the middle of the answer to a call."""
    calls: list[str] = field(default_factory=list)
    """Every action that was asked for: ``iam:GetUser``."""
    _clients: dict[tuple[str, str | None], Any] = field(default_factory=dict)

    def client(self, service: str, url: str | None = None) -> Any:
        """A boto3 client, made once, since that takes long."""
        if (service, url) not in self._clients:
            self._clients[service, url] = self._make(service, url)
        return self._clients[service, url]

    def _make(self, service: str, url: str | None) -> Any:
        session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-east-1")
        return session.client(
            service,
            endpoint_url=url or self.url,
            config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}, proxies={}),
        )


def gate(moto: Any, account: Account) -> Any:
    def application(environ: dict[str, Any], start: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        form = {} if target else parse_qs(body.decode())
        action = target or form.get("Action", [""])[0]
        # Credential=KEY/DATE/REGION/SERVICE/aws4_request
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
        fields = json.loads(body) if target else {name: values[0] for name, values in form.items()}
        call = Call(f"{scope[3] if len(scope) > 3 else ''}:{action}", fields, scope[0])
        account.calls.append(call.action)
        if account.cut is not None and account.cut(call):
            start("200 OK", [("Content-Type", "text/xml"), ("Content-Length", "1000")])
            return [b"<a>"]
        answer = account.instead[action](form) if action in account.instead else None
        if answer is not None:
            start("200 OK", [("Content-Type", "text/xml")])
            return [answer.encode()]
        refused = account.failing.get(action) or (account.refuse(call) if account.refuse else None)
        if refused is None:
            return moto(environ, start)
        status, code = refused
        if target:
            start(f"{status} Refused", [("Content-Type", "application/x-amz-json-1.1")])
            return [json.dumps({"__type": code, "Message": "no"}).encode()]
        start(f"{status} Refused", [("Content-Type", "text/xml")])
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
        return [f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()]

    return application
