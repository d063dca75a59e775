"""Where the request went: base paths, routes, and the other endpoint of the same service.

Knows paths and model families; knows no permission.  A 404 without an error object is judged in ``differential``, since a
hidden denial may look the same.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html and the issues at the rows.
"""

from __future__ import annotations

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.codes import GITHUB
from mantle_iam.diagnose.compose import heard, make
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation
from mantle_iam.diagnose.rules.wording import Wording, by_table, first_wording, model_of, names_of, told
from mantle_iam.mantle.endpoint import BASE_PATHS, EndpointKind
from mantle_iam.mantle.models import Model, known_model, read_model_id
from mantle_iam.mantle.operations import Operation, match_operation

# On bedrock-runtime an unknown path is answered with HTTP 200 and this body; Mantle never answers so.
UNKNOWN_OPERATION = (
    Wording(
        "wrong-endpoint",
        ("unknownoperationexception", "unknown operation"),
        title="{path} is no operation of {host}",
        explanation="bedrock-runtime answers unknown paths with UnknownOperationException, even with HTTP status 200. The "
        "path is "
        "one of Mantle's, or lacks the prefix that bedrock-runtime wants.",
        remedy="Send it to https://bedrock-mantle.<region>.api.aws, or on bedrock-runtime use /openai/v1 or /anthropic/v1. The "
        "two need different permissions: bedrock-mantle:* and bedrock:*.",
    ),
)

BERM = Wording(
    "wrong-base-path",
    ("berm is not enabled",),
    title="{model} is not served under {path}",
    explanation='"Berm is not enabled for this account" looks like a refusal and is none: every known case was a model called '
    "under the wrong base path.",
    remedy="Call it under the model's own base path: /openai/v1 for openai.gpt-5, openai.gpt-6, google.gemma-4 and xai.grok-4, "
    "/anthropic/v1 for Claude, /v1 for the rest.",
    confidence=Confidence.LIKELY,
    reference=f"{GITHUB}/BerriAI/litellm/pull/33027",
    would_decide=("the model and the URL of the call", "the same call under the other base paths"),
)

NOT_ON_ROUTE = Wording(
    "wrong-base-path",
    ("isn't supported on this route", "is not supported on this route"),
    title="{model} is not served under {path}",
    explanation="The model lives on another base path. The same words were once seen for a model that the Region does not "
    "have.",
    remedy="Call it under the model's own base path: /openai/v1 for openai.gpt-5, openai.gpt-6, google.gemma-4 and xai.grok-4, "
    "/anthropic/v1 for Claude, /v1 for the rest; if it is right already, look for the model in GET /v1/models.",
    confidence=Confidence.LIKELY,
    reference=f"{GITHUB}/NousResearch/hermes-agent/issues/52316",
    would_decide=("the model and the URL of the call", "GET /v1/models in this Region"),
)

RUNTIME_IDS = (
    Wording(
        "wrong-endpoint",
        (
            "provided model identifier is invalid",
            "on-demand throughput isn't supported",
            "on-demand throughput isn’t supported",
        ),
        title="{model} is not an id of bedrock-runtime",
        explanation="These are bedrock-runtime's words; its model ids differ from Mantle's, which are bare "
        "(openai.gpt-oss-120b).",
        remedy="Send Mantle's ids to https://bedrock-mantle.<region>.api.aws, or use bedrock-runtime's id (with version, or an "
        "inference profile such as us.…) there.",
        confidence=Confidence.LIKELY,
        would_decide=("the URL of the call",),
    ),
)


def unknown_operation(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """HTTP 200 with UnknownOperationException and its relatives."""
    return by_table(UNKNOWN_OPERATION, observation, case)


def misleading_route(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """Wrong base paths in disguise; sure when the model is known to live elsewhere."""
    row = first_wording((BERM, NOT_ON_ROUTE), observation, case)
    if row is None:
        return by_table(RUNTIME_IDS, observation, case)
    model = _known(observation, case)
    base = observation.endpoint.base_path if observation.endpoint else None
    if model is None or base is None:
        return (_with_base_path(told(row, observation, case), model),)
    if base == model.base_path:
        # The path is right after all: only the model's absence from the Region is left (seen once).
        if row is NOT_ON_ROUTE:
            return (_absent(observation, case, model),)
        return (told(row, observation, case),)
    names = names_of(observation, case)
    return (
        make(
            row.code,
            Confidence.CONCLUSIVE,
            (
                heard(observation),
                Evidence("the model's family", f"{model.id} is served under {model.base_path}, not {base}"),
            ),
            title=f"{names['model']} is served under {model.base_path}, not {base}",
            explanation=row.explanation,
            remedy=_base_url_remedy(observation, model.base_path),
            reference=row.reference,
        ),
    )


def bare_404(observation: Observation, case: Case, confidence: Confidence) -> Diagnosis:
    """The diagnosis that a 404 without an error object gets once it counts as a missing route."""
    elsewhere = served_at(observation, case)
    evidence = [heard(observation, "404 without an error object")]
    path = observation.path
    if path is None:
        return _unknown_path(observation, evidence, confidence)
    if elsewhere:
        return make(
            "wrong-base-path",
            confidence,
            (*evidence, Evidence("the table of routes", f"the same call is served at {elsewhere}")),
            title=f"{path} does not exist; the same call is served at {elsewhere}",
            explanation="A 404 without an error object means that there is no such route. Permissions were not looked at.",
            remedy=_base_url_remedy(observation, _base_of(elsewhere)),
            reference=f"{GITHUB}/openai/codex/issues/23650",
            would_decide=() if confidence is Confidence.CONCLUSIVE else _ROUTE_TESTS,
        )
    return make(
        "route-not-found",
        confidence,
        evidence,
        title=f"there is no route {observation.exchange.method or ''} {path}".replace("  ", " "),
        explanation="A 404 without an error object means that there is no such route; a missing model, project or response is "
        "named in an error object. Permissions were not looked at.",
        remedy="Check the base URL: https://bedrock-mantle.<region>.api.aws/v1 for models, files, projects and most models; "
        "/openai/v1 and /anthropic/v1 hold nothing but inference. Batches are on bedrock-runtime.",
        would_decide=() if confidence is Confidence.CONCLUSIVE else _ROUTE_TESTS,
    )


def _unknown_path(observation: Observation, evidence: list[Evidence], confidence: Confidence) -> Diagnosis:
    """A bare 404 of which only the client's call is known, as in a traceback without a URL."""
    operation = observation.operation
    right = f"{operation.method} {operation.path}" if operation else None
    base = _base_of(operation.path) if operation else "/v1"
    return make(
        "route-not-found",
        confidence,
        evidence,
        title=f"the call reached a path that does not exist; {right} is where it is served"
        if right
        else "there is no such route",
        explanation="A 404 without an error object means that there is no such route; a missing model, project or response is "
        "named in an error object. Clients append their path to the base URL, and some use /openai/v1 by themselves.",
        remedy=f"Set the base URL to https://bedrock-mantle.<region>.api.aws{base} (base_url=, OPENAI_BASE_URL, "
        "AWS_BEDROCK_BASE_URL); if it is that already, the refusal may be a hidden one: run `mantle-iam probe`.",
        would_decide=("the URL that was called", *_ROUTE_TESTS),
    )


_ROUTE_TESTS = (
    "the same method and path without any credential: a 401 shows that the route exists, a 404 that it does not",
)


def served_at(observation: Observation, case: Case) -> str | None:
    """A path where the call would be served, when its own is not: same tail under another base path."""
    path = observation.path
    if path is None or observation.operation is not None:
        return _model_path(observation, case)
    method = observation.exchange.method or "GET"
    candidates = [f"{base}{tail}" for base in _preferred(observation, case) for tail in _tails(path)]
    return next((candidate for candidate in candidates if candidate != path and _route(method, candidate)), None)


def _model_path(observation: Observation, case: Case) -> str | None:
    """The right path for the model, when the route as such exists under several base paths."""
    model, path = _known(observation, case), observation.path
    endpoint = observation.endpoint
    if model is None or path is None or endpoint is None or endpoint.base_path == model.base_path:
        return None
    if observation.operation is None or not any(
        entry.action == "bedrock-mantle:CreateInference" for entry in observation.operation.actions
    ):
        return None
    candidate = f"{model.base_path}{endpoint.call_path}"
    return candidate if _route("POST", candidate) else None


def _preferred(observation: Observation, case: Case) -> tuple[str, ...]:
    model = _known(observation, case)
    return tuple(dict.fromkeys((*([model.base_path] if model else []), *BASE_PATHS)))


def _tails(path: str) -> tuple[str, ...]:
    """What may be the call in ``path``, base paths taken off its front: ``/openai/v1/models`` -> ``/models``."""
    fronts = (*BASE_PATHS, "/openai", "/anthropic", "/v1/v1", "/openai/v1/v1")
    tails = {path, *(path[len(front) :] for front in fronts if path.startswith(front + "/"))}
    return tuple(sorted(tails, key=lambda tail: (len(tail), tail)))


def _route(method: str, path: str) -> Operation | None:
    return match_operation(method, path)


def _base_of(path: str) -> str:
    return next((base for base in sorted(BASE_PATHS, key=len, reverse=True) if path.startswith(base + "/")), "/v1")


def _known(observation: Observation, case: Case) -> Model | None:
    name = model_of(observation, case)
    return known_model(read_model_id(name).bare) if name else None


def _with_base_path(diagnosis: Diagnosis, model: Model | None) -> Diagnosis:
    if model is None:
        return diagnosis
    return make(
        diagnosis.code,
        diagnosis.confidence,
        (*diagnosis.evidence, Evidence("the model's family", f"{model.id} is served under {model.base_path}")),
        title=diagnosis.title,
        explanation=diagnosis.explanation,
        remedy=f"Call {model.id} under {model.base_path}: base URL https://bedrock-mantle.<region>.api.aws{model.base_path}.",
        reference=diagnosis.reference,
        would_decide=("the URL of the call",),
    )


def _absent(observation: Observation, case: Case, model: Model) -> Diagnosis:
    region = observation.region or case.region or "this Region"
    return make(
        "model-not-in-region",
        Confidence.LIKELY,
        (
            heard(observation),
            Evidence("the model's family", f"{model.base_path} is the right base path for {model.id}"),
        ),
        title=f"{model.id} is probably not in {region}",
        explanation="The base path is the right one, and these words were also seen for a model that the Region does not have.",
        remedy="Look for the model in GET /v1/models, and call a Region that has it.",
        reference=f"{GITHUB}/NousResearch/hermes-agent/issues/52316",
        would_decide=("GET /v1/models in this Region",),
    )


def _base_url_remedy(observation: Observation, base: str) -> str:
    endpoint = observation.endpoint
    kind = endpoint.kind if endpoint else None
    origin = endpoint.origin if endpoint and kind in {EndpointKind.MANTLE, EndpointKind.LOOPBACK} else None
    target = f"{origin or 'https://bedrock-mantle.<region>.api.aws'}{base}"
    variable = "ANTHROPIC_BEDROCK_MANTLE_BASE_URL" if base.startswith("/anthropic") else "OPENAI_BASE_URL"
    return f"Set the base URL to {target} (base_url=, {variable}, AWS_BEDROCK_BASE_URL)."
