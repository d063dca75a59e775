"""moto's IAM for tests, with short ways to empty it, to keep and bring back a state, and to see all of it.

``python moto_iam.py PORT`` serves moto and, under ``/tests/``, what would else be dozens of calls before and after each test.
Whatever a test does itself, and whatever the command does, goes through the IAM API.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import moto.backends
import moto.core.responses
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import IAMBackend, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

PREFIX = "/tests/"
_PEOPLE = ("users", "groups", "roles")
_KEPT: dict[str, tuple[dict[str, Any], dict[str, int]]] = {}


def _iam() -> IAMBackend:
    return iam_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _content(iam: IAMBackend) -> tuple[dict[str, Any], dict[str, int]]:
    """Everything that somebody made, copied, and how often AWS's own policies are attached, which are never copied."""
    own = {arn: policy for arn, policy in iam.managed_policies.items() if f":{DEFAULT_ACCOUNT_ID}:" in arn}
    made = {name: getattr(iam, name) for name in _PEOPLE} | {"policies": own}
    counts = {policy.arn: policy.attachment_count for policy in iam.aws_managed_policies if policy.attachment_count}
    return _copied(iam, made), counts


def _copied(iam: IAMBackend, made: dict[str, Any]) -> dict[str, Any]:
    shared: dict[int, Any] = {id(policy): policy for policy in iam.aws_managed_policies}
    return copy.deepcopy(made, shared | {id(iam): iam})


def _set(iam: IAMBackend, made: dict[str, Any], counts: dict[str, int]) -> None:
    made = _copied(iam, made)
    for name in _PEOPLE:
        setattr(iam, name, made.get(name, {}))
    for policy in iam.aws_managed_policies:
        policy.attachment_count = counts.get(policy.arn, 0)
    iam.managed_policies = {policy.arn: policy for policy in iam.aws_managed_policies} | made.get("policies", {})


def _empty(_: str) -> Any:
    _set(_iam(), {}, {})


def _keep(name: str) -> Any:
    _KEPT[name] = _content(_iam())


def _back(name: str) -> Any:
    if name in _KEPT:
        _set(_iam(), *_KEPT[name])
    return name in _KEPT


def _state(_: str) -> Any:
    """Per person the inline documents as they were put and the ARNs attached; per own policy ids, texts, which is in force."""
    iam = _iam()
    people = {
        f"{kind.removesuffix('s')}/{person.name}": {
            "inline": dict(person.policies),
            "attached": sorted(person.managed_policies),
        }
        for kind in _PEOPLE
        for person in getattr(iam, kind).values()
    }
    policies = {
        policy.name: [[v.version_id, v.document, bool(v.is_default)] for v in policy.versions]
        for arn, policy in iam.managed_policies.items()
        if f":{DEFAULT_ACCOUNT_ID}:" in arn
    }
    return {"people": people, "policies": policies}


_WAYS: dict[str, Callable[[str], Any]] = {"empty": _empty, "keep": _keep, "back": _back, "state": _state}


class _Server(DomainDispatcherApplication):
    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            answer: Iterable[bytes] = super().__call__(environ, start_response)
            return answer
        way, _, name = path.removeprefix(PREFIX).partition("/")
        body = json.dumps(_WAYS[way](name)).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True


def serve(port: int) -> None:
    """Serve moto until the process ends; connections are kept open, as AWS keeps them."""
    # moto looks for its modules on disk, and for the operations of a service, at every call.
    modules = list(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: iter(modules)
    moto.core.responses.method_names_from_class = cache(moto.core.responses.method_names_from_class)
    run_simple("127.0.0.1", port, _Server(create_backend_app), threaded=True, request_handler=_Handler)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
