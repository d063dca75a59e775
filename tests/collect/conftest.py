"""A real IAM, Organizations and EC2 (moto) over HTTP on loopback, in which single operations can be made to fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from threading import Thread

import pytest

from tests.collect.live_world import credentials, world
from tests.collect.moto_account import ACCOUNT, Account, gate

__all__ = ["credentials", "world"]


@pytest.fixture(scope="session")
def _moto() -> Iterator[Account]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from mantle_iam.emulator.iam_operations import teach_moto

    teach_moto()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    account = Account("")
    application = gate(DomainDispatcherApplication(create_backend_app), account)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    account.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield account
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def account(_moto: Account, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account; with AWS's own policies, which take a second to load, for tests with ``aws_managed``."""
    from moto.core.config import default_user_config
    from moto.iam.models import iam_backends
    from moto.organizations.models import organizations_backends

    # Thousands of machine images for every region and account.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    iam_backends.pop(ACCOUNT, None)
    organizations_backends.pop(ACCOUNT, None)
    _moto.failing.clear()
    _moto.instead.clear()
    _moto.calls.clear()
    _moto.refuse = _moto.cut = None
    before = default_user_config["iam"]["load_aws_managed_policies"]
    default_user_config["iam"]["load_aws_managed_policies"] = "aws_managed" in request.fixturenames
    yield _moto
    default_user_config["iam"]["load_aws_managed_policies"] = before


@pytest.fixture
def aws_managed() -> None:
    """Asks ``account`` for AWS's own policies."""
