"""A real IAM, Organizations and EC2 (moto) over HTTP on loopback, in which single operations can be made to fail."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.config import Config

ACCOUNT = "123456789012"


@dataclass
class Account:
    """A moto account over HTTP; ``failing`` maps an operation to the status and code that it answers with.

    ``instead`` maps an operation to what is asked first with the fields of a form, and may give the text of an answer.
    """

    url: str
    failing: dict[str, tuple[int, str]] = field(default_factory=dict)
    instead: dict[str, Callable[[dict[str, list[str]]], str | None]] = field(default_factory=dict)
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


def _gate(moto: Any, account: Account) -> Any:
    def application(environ: dict[str, Any], start: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        form = parse_qs(body.decode())
        action = target or form.get("Action", [""])[0]
        # Credential=KEY/DATE/REGION/SERVICE/aws4_request
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
        account.calls.append(f"{scope[3] if len(scope) > 3 else ''}:{action}")
        answer = account.instead[action](form) if action in account.instead else None
        if answer is not None:
            start("200 OK", [("Content-Type", "text/xml")])
            return [answer.encode()]
        if action not in account.failing:
            return moto(environ, start)
        status, code = account.failing[action]
        if target:
            start(f"{status} Refused", [("Content-Type", "application/x-amz-json-1.1")])
            return [json.dumps({"__type": code, "Message": "no"}).encode()]
        start(f"{status} Refused", [("Content-Type", "text/xml")])
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
        return [f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()]

    return application


@pytest.fixture(scope="session")
def _moto() -> Iterator[Account]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from mantle_iam.emulator.iam_operations import teach_moto

    teach_moto()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    account = Account("")
    gate = _gate(DomainDispatcherApplication(create_backend_app), account)
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=MotoRequestHandler)
    account.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield account
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def account(_moto: Account, request: pytest.FixtureRequest) -> Iterator[Account]:
    """An empty account; with AWS's own policies, which take a second to load, for tests with ``aws_managed``."""
    from moto.core.config import default_user_config
    from moto.iam.models import iam_backends
    from moto.organizations.models import organizations_backends

    iam_backends.pop(ACCOUNT, None)
    organizations_backends.pop(ACCOUNT, None)
    _moto.failing.clear()
    _moto.instead.clear()
    _moto.calls.clear()
    before = default_user_config["iam"]["load_aws_managed_policies"]
    default_user_config["iam"]["load_aws_managed_policies"] = "aws_managed" in request.fixturenames
    yield _moto
    default_user_config["iam"]["load_aws_managed_policies"] = before


@pytest.fixture
def aws_managed() -> None:
    """Asks ``account`` for AWS's own policies."""
