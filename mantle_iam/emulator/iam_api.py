"""IAM and STS on loopback: moto behind a small WSGI gate, with AWS's managed policies loaded.  Storage, never the judge.

Anybody who reaches the port may call it: it stands for the account's administrator and binds loopback only.  moto's state is
the process's, so there is one server per account in a process; starting it empties the account.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import UTC
from io import BytesIO
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs

from mantle_iam.emulator.directory import AccessKey, Caller, LongTermKey
from mantle_iam.emulator.loopback import loopback_socket
from mantle_iam.emulator.service_credentials import STORE, Stored
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument

MAX_BODY = 1024 * 1024
SERVICES = ("iam", "sts")
HOSTS = ("127.0.0.1", "localhost")
READS = ("Get", "List", "Simulate", "Generate")
"""What these operations do leaves everything as it was, so that policies once read still hold."""

StartResponse = Callable[..., Any]


class IamApi:
    """A running IAM and STS, and the directory of its credentials."""

    def __init__(self, account: str, *, port: int = 0) -> None:
        """Raises ``InputError`` when ``port`` is taken."""
        self.account = account
        self.revision = 0
        """Grows with every call that may have changed something."""
        self._lock = Lock()
        self._socket = loopback_socket(port)
        self._server: Any = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Endpoint URL, for ``AWS_ENDPOINT_URL_IAM`` and ``AWS_ENDPOINT_URL_STS``."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Begin to serve, with an empty account."""
        from moto.core.config import default_user_config
        from moto.iam.models import iam_backends
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from moto.sts.models import sts_backends
        from werkzeug.serving import make_server

        from mantle_iam.emulator.iam_operations import teach_moto

        default_user_config["iam"]["load_aws_managed_policies"] = True
        teach_moto()
        for backends in (iam_backends, sts_backends):
            backends.pop(self.account, None)
        STORE.clear(self.account)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        gate = self._gate(DomainDispatcherApplication(create_backend_app))
        host, port = self._socket.getsockname()[:2]
        self._server = make_server(
            host, port, gate, threaded=True, request_handler=MotoRequestHandler, fd=self._socket.fileno()
        )
        self._thread = Thread(target=self._server.serve_forever, name="emulator-iam", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End serving and close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def _gate(self, moto: Any) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
        """Lets only IAM and STS through, within a size, and counts what may change something."""

        def refuse(start: StartResponse, status: str, text: str) -> Iterable[bytes]:
            start(status, [("Content-Type", "text/plain")])
            return [text.encode()]

        def application(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
            scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
            if environ.get("HTTP_HOST", "").partition(":")[0] not in HOSTS:
                # A page in a browser may lead its own name to this address.
                return refuse(start, "403 Forbidden", "call the emulator by its address, 127.0.0.1")
            if environ.get("PATH_INFO") != "/" or environ["REQUEST_METHOD"] != "POST":
                return refuse(start, "404 Not Found", "the emulator serves the query protocol of IAM and STS at /")
            if len(scope) != 5 or scope[3] not in SERVICES:
                return refuse(start, "403 Forbidden", "sign the request for iam or sts; any access key will do")
            length = int(environ.get("CONTENT_LENGTH") or 0)
            if length > MAX_BODY:
                return refuse(start, "413 Content Too Large", "the request is too large")
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = BytesIO(body)
            action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
            if self._account_of(scope[0]) is None:
                environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
            try:
                answer: Iterable[bytes] = moto(environ, start)
            finally:
                if not action.startswith(READS):
                    with self._lock:
                        self.revision += 1
            return answer

        return application

    def _account_of(self, access_key_id: str) -> str | None:
        stored = _stored_key(access_key_id)
        return None if stored is None else stored[0]

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """The access key with this id, of any account; ``None`` too when its user or role is gone."""
        stored = _stored_key(access_key_id)
        if stored is None:
            return None
        with contextlib.suppress(LookupError):
            return _of_user(*stored) if stored[2].user_name is not None else _of_session(*stored)
        return None

    def long_term_keys(self) -> tuple[LongTermKey, ...]:
        """Every long-term key of every account."""
        keys = []
        for stored in STORE.all():
            with contextlib.suppress(LookupError):
                keys.append(_long_term(stored))
        return tuple(keys)


def _stored_key(access_key_id: str) -> tuple[str, str, Any] | None:
    """Account, partition and moto's record of an access key."""
    from moto.iam.models import iam_backends

    for account, backends in list(iam_backends.items()):
        for partition, backend in list(backends.items()):
            if access_key_id in backend.access_keys:
                return account, partition, backend.access_keys[access_key_id]
    return None


def _iam(account: str, partition: str) -> Any:
    """moto's store of one account."""
    from moto.iam.models import iam_backends

    return iam_backends[account][partition]


def _of_user(account: str, partition: str, key: Any) -> AccessKey:
    caller = _user(account, partition, key.user_name)
    return AccessKey(key.access_key_id, key.secret_access_key, caller, active=key.status == "Active")


def _of_session(account: str, partition: str, key: Any) -> AccessKey:
    from moto.sts.models import sts_backends

    session = sts_backends[account][partition].get_assumed_role_from_access_key(key.access_key_id)
    if session is None:
        raise LookupError(key.access_key_id)
    return AccessKey(
        key.access_key_id,
        key.secret_access_key,
        _session(session, partition),
        session_token=session.session_token,
        expires_at=session.expiration.replace(tzinfo=UTC),
    )


def _user(account: str, partition: str, name: str) -> Caller:
    """Raises ``LookupError`` when the user is gone."""
    user = _iam(account, partition).users[name]
    tags = tuple((tag["Key"], tag["Value"]) for tag in user.tags or ())
    return Caller(user.arn, account, partition, user_id=user.id, tags=tags)


def _session(session: Any, partition: str) -> Caller:
    """Raises ``LookupError`` when the role is gone."""
    backend = _iam(session.account_id, partition)
    role = {role.arn: role for role in backend.roles.values()}[session.role_arn]
    return Caller(
        session.arn,
        session.account_id,
        partition,
        user_id=session.user_id,
        role=session.role_arn,
        session_policies=_session_policies(session, backend),
        tags=tuple((tag["Key"], tag["Value"]) for tag in role.tags or ()),
    )


def _session_policies(session: Any, backend: Any) -> tuple[PolicyDocument, ...] | None:
    arns = getattr(session, "managed_session_policies", ())
    if not session.policy and not arns:
        return None
    texts = [session.policy] if session.policy else []
    # A managed policy that is gone allows nothing any more; the layer stays in force.
    managed = [backend.managed_policies[arn] for arn in arns if arn in backend.managed_policies]
    texts += [v.document for policy in managed for v in policy.versions if v.version_id == policy.default_version_id]
    return tuple(parse_policy(text) for text in texts)


def _long_term(stored: Stored) -> LongTermKey:
    return LongTermKey(
        stored.id,
        stored.secret,
        _user(stored.account, "aws", stored.user_name),
        active=stored.status == "Active",
        expires_at=stored.expires,
    )
