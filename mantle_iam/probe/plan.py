"""What would be sent: requests as records, made from probe ids.  Knows no client and holds no credential.

Decides which request each probe of the differential table is, and that none of them creates, changes, deletes or (unless the
user said so) bills anything.  Does not know what an answer means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote, urlsplit

from mantle_iam.mantle.endpoint import BASE_PATHS, EndpointKind, known_regions, mantle_origin
from mantle_iam.mantle.exchange import Auth, Probe
from mantle_iam.mantle.models import known_model
from mantle_iam.mantle.operations import Operation, match_operation
from mantle_iam.mantle.recipes import (
    MAX_OUTPUT_TOKENS,
    ProbeRecipe,
    billed_inference_probe,
    free_inference_probe,
    read_probe,
    read_probes,
    second_free_inference_probe,
)
from mantle_iam.probe.auth import SIGNING_SERVICE

CONTROL_PATH = "/v1"
"""The base path of everything but inference."""


class Cost(StrEnum):
    """What a request costs the account."""

    FREE = "free"
    BILLED = "billed"


@dataclass(frozen=True, slots=True)
class Target:
    """Where and as what to call."""

    origin: str
    """Scheme, host and port."""
    base_path: str
    """The base path that the application's client has; ``/v1/models`` and the like are appended to it as a client would."""
    region: str
    auth: Auth
    """``BEARER`` or ``SIGV4``."""
    model: str
    project: str | None = None
    kind: EndpointKind = EndpointKind.MANTLE
    written: str | None = None
    """The model id as the application writes it, where that is not the bare ``model``."""

    @property
    def list_path(self) -> str:
        """The path on which the application's client lists models."""
        # A client of the Messages API has no model list; its base path says nothing about one.
        return f"{CONTROL_PATH if self.base_path.startswith('/anthropic') else self.base_path}/models"


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """A request before it is authenticated."""

    probe: Probe
    method: str
    url: str
    auth: Auth
    region: str
    operation: str | None = None
    """Name of the operation that it calls, where the route is known."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    model: str | None = None
    project: str | None = None
    signing_service: str = SIGNING_SERVICE
    cost: Cost = Cost.FREE

    def __post_init__(self) -> None:
        check_safe(self)


def check_safe(request: ProbeRequest) -> None:
    """Return when ``request`` creates, changes and deletes nothing, and bills nothing unless it is marked so.

    A POST passes only as token counting, as the one billed call, or as an inference on a route that is known not to serve the
    model, and in either case with a bound on the tokens.

    Raises:
        AssertionError: it may not be sent; a mistake of this program.
    """
    path = urlsplit(request.url).path
    operation = match_operation(request.method, path)
    if request.method == "GET" and (operation is None or operation.safe):
        return
    if request.method == "POST" and operation is not None:
        bounded = _tokens(request.body) <= MAX_OUTPUT_TOKENS
        if operation.safe:
            return
        if request.probe is Probe.INFER and request.cost is Cost.BILLED and operation.api is not None and bounded:
            return
        free = request.probe in (Probe.INFER_FREE, Probe.INFER_FREE_2) or request.auth is Auth.NONE
        if free and bounded and _unserved(operation, request.model):
            return
    raise AssertionError(f"{request.method} {path} is not safe to probe")


def _tokens(body: bytes) -> int:
    fields = json.loads(body or b"{}")
    return int(fields.get("max_output_tokens") or fields.get("max_tokens") or MAX_OUTPUT_TOKENS + 1)


def _unserved(operation: Operation, model: str | None) -> bool:
    known = known_model(model or "")
    if known is None or operation.api is None:
        return False
    return operation.api not in known.apis or not operation.path.startswith(f"{known.base_path}/")


def plan(probe: Probe, target: Target, *, spend: bool = False) -> tuple[ProbeRequest, ...]:
    """The requests of ``probe``; empty when it does not apply to ``target`` (nothing to leave out, no other region …)."""
    if probe in _LISTS:
        return _LISTS[probe](target)
    if probe is Probe.GET:
        # What the application writes is what it gets its answer for; everything else is asked with the bare id.
        model = target.written or target.model
        return (_get(probe, target, f"{CONTROL_PATH}/models/{quote(model, safe=':')}", model=model),)
    if probe is Probe.INFER_FREE:
        return _from_recipe(target, free_inference_probe(target.model))
    if probe is Probe.INFER_FREE_2:
        return _from_recipe(target, second_free_inference_probe(target.model))
    if probe is Probe.INFER and spend:
        return _from_recipe(target, billed_inference_probe(target.model))
    return ()


def without_credential(request: ProbeRequest) -> ProbeRequest:
    """The control of ``request``: the very same, sent by nobody.  A route that exists asks for a credential."""
    return replace(request, probe=Probe.BARE, auth=Auth.NONE)


def plan_reads(target: Target) -> tuple[ProbeRequest, ...]:
    """Every read-only operation that needs no id which the caller would have to know, model list and model left out."""
    recipes = read_probes(model=target.model, project=target.project or "default")
    others = (recipe for recipe in recipes if recipe.operation not in ("list-models", "get-model"))
    # Whether an id that does not exist is looked up before or after authorisation is not known: asked only on request.
    return tuple(
        request for recipe in others if 404 not in recipe.authorised_status for request in _from_recipe(target, recipe)
    )


def plan_operation(operation: Operation, target: Target) -> tuple[ProbeRequest, ...]:
    """The request that exercises ``operation``; empty when it creates, changes, deletes or bills something.

    An inference API is exercised by the free probe of ``CreateInference``, the same action.
    """
    if operation.api is not None and not operation.safe:
        return plan(Probe.INFER_FREE, target)
    recipe = read_probe(operation, model=target.model, project=target.project or "default")
    return _from_recipe(target, recipe)


def _from_recipe(target: Target, recipe: ProbeRecipe | None) -> tuple[ProbeRequest, ...]:
    if recipe is None:
        return ()
    body = (recipe.body or "").encode()
    return (
        ProbeRequest(
            recipe.probe,
            recipe.method,
            target.origin + recipe.path,
            target.auth,
            target.region,
            recipe.operation,
            recipe.headers + _project_header(target.project, recipe.path),
            body,
            recipe.model,
            target.project,
            cost=Cost.BILLED if recipe.billed else Cost.FREE,
        ),
    )


def _get(
    probe: Probe, target: Target, path: str, *, auth: Auth | None = None, model: str | None = None
) -> ProbeRequest:
    operation = match_operation("GET", path)
    return ProbeRequest(
        probe,
        "GET",
        target.origin + path,
        auth or target.auth,
        target.region,
        operation.name if operation else None,
        _project_header(target.project, path),
        model=model,
        project=target.project,
    )


def _project_header(project: str | None, path: str) -> tuple[tuple[str, str], ...]:
    # https://docs.aws.amazon.com/bedrock/latest/userguide/workspaces.html: the Messages API has a name of its own for it.
    if project is None:
        return ()
    return (("anthropic-workspace" if path.startswith("/anthropic/") else "openai-project", project),)


def _list(probe: Probe, target: Target, *, auth: Auth | None = None, path: str | None = None) -> ProbeRequest:
    return _get(probe, target, path or target.list_path, auth=auth)


def _other_paths(target: Target) -> tuple[ProbeRequest, ...]:
    paths = (f"{base}/models" for base in BASE_PATHS)
    return tuple(_list(Probe.OTHER_PATH, target, path=path) for path in paths if path != target.list_path)


def _without_project(target: Target) -> tuple[ProbeRequest, ...]:
    if target.project is None:
        return ()
    return (_list(Probe.NO_PROJECT, replace(target, project=None)),)


def _other_region(target: Target) -> tuple[ProbeRequest, ...]:
    if target.kind is not EndpointKind.MANTLE:
        return ()
    region = next(name for name in known_regions() if name != target.region)
    return (other_region(target, region),)


def other_region(target: Target, region: str) -> ProbeRequest:
    """The model list of another region."""
    return _list(Probe.OTHER_REGION, replace(target, origin=mantle_origin(region), region=region))


def _runtime(target: Target) -> tuple[ProbeRequest, ...]:
    if target.kind is not EndpointKind.MANTLE:
        return ()
    origin = f"https://bedrock-runtime.{target.region}.amazonaws.com"
    url = f"{origin}/openai/v1/models"
    return (ProbeRequest(Probe.RUNTIME, "GET", url, target.auth, target.region, signing_service="bedrock"),)


_LISTS: Mapping[Probe, Callable[[Target], tuple[ProbeRequest, ...]]] = {
    Probe.LIST: lambda target: (_list(Probe.LIST, target),),
    Probe.AGAIN: lambda target: (_list(Probe.AGAIN, target),),
    Probe.BARE: lambda target: (_list(Probe.BARE, target, auth=Auth.NONE),),
    Probe.JUNK: lambda target: (_list(Probe.JUNK, target, auth=Auth.JUNK),),
    Probe.SIGV4: lambda target: (_list(Probe.SIGV4, target, auth=Auth.SIGV4),),
    Probe.BEARER: lambda target: (_list(Probe.BEARER, target, auth=Auth.BEARER),),
    Probe.OTHER_PATH: _other_paths,
    Probe.NO_PROJECT: _without_project,
    Probe.OTHER_REGION: _other_region,
    Probe.RUNTIME: _runtime,
}
