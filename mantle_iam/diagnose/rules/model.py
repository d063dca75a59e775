"""Models, projects, stored responses: what exists, where, and for whom.  None of it is mended with IAM.

Knows the lists of models in the case's other answers; knows no permission.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints-region-availability.html, .../model-access.html,
.../data-retention.html, .../projects.html, and the issues at the rows.
"""

from __future__ import annotations

import json

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.codes import GITHUB
from mantle_iam.diagnose.compose import heard, make
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation, shorten
from mantle_iam.diagnose.rules.wording import Wording, by_table, model_of, names_of
from mantle_iam.mantle.models import known_model, read_model_id

WORDINGS = (
    Wording(
        "preview-not-enabled",
        (
            "bedrock managed agents is not available for this account",
            "managed agents is not available",
            "preview is not enabled",
        ),
        title="Bedrock Managed Agents is not enabled for this account",
        explanation="The feature is a preview that AWS enables account by account; the answer looks like a refusal, and no "
        "policy "
        "changes it.",
        remedy="Ask AWS to enable the preview for this account, and use one of its Regions.",
    ),
    Wording(
        "use-case-form-missing",
        (
            "ftuformnotfilled",
            "use case details have not been submitted",
            "use-case details have not been submitted",
            "required use-case form",
            "required use case form",
            "not filled out the required use",
            "not filled out the request form",
        ),
        title="the provider's use-case form has not been submitted",
        explanation="Anthropic asks every account once what its models are used for; until then the models are refused. This "
        "is "
        "no IAM matter.",
        remedy="Submit the use-case details in the Amazon Bedrock console (or PutUseCaseForModelAccess), and try again after "
        "some "
        "minutes.",
    ),
    Wording(
        "data-retention-conflict",
        ("data retention mode", "data-retention mode", "data_retention mode"),
        title="the data-retention mode rules {model} out",
        explanation="Some models require that the provider may retain data, others forbid it; the mode of the account or "
        "project "
        "does not suit this one.",
        remedy="Read GET /v1/data_retention, then change the mode with PUT /v1/data_retention (bedrock-mantle:"
        "PutAccountDataRetention on *) or use a project with another mode or another model.",
    ),
    Wording(
        "model-not-entitled",
        ("account is currently being verified", "verification normally takes"),
        title="the account is still being verified",
        explanation="AWS verifies new accounts before they may use models; that normally takes less than two hours. It is no "
        "IAM "
        "matter.",
        remedy="Wait two hours, then ask AWS Support.",
    ),
    Wording(
        "model-not-entitled",
        ("invalid_payment_instrument", "valid payment instrument"),
        title="the account has no valid means of payment for {model}",
        explanation="Models sold through AWS Marketplace need a payment method that Marketplace takes. It is no IAM matter.",
        remedy="Add a valid payment method in the billing console, wait some minutes, try again.",
    ),
    Wording(
        "model-not-entitled",
        ("is not available for this account", "not available for your account"),
        title="{model} is not available for this account",
        explanation="The account is not entitled to the model. The answer names no IAM action, and it comes to principals with "
        "full permissions too.",
        remedy="Check `aws bedrock get-foundation-model-availability --model-id …`, use another model, or ask AWS Sales or "
        "Support; policies do not change it.",
        reference=f"{GITHUB}/anthropics/claude-code/issues/51183",
    ),
    Wording(
        "model-not-entitled",
        ("you don't have access to the model", "model access is denied"),
        title="the account has no access to {model}",
        explanation="Access to the model has not been granted to the account. Where Marketplace actions are missing, the "
        "answer names them.",
        remedy="Request access to the model in the Amazon Bedrock console, or use another one.",
        confidence=Confidence.LIKELY,
        would_decide=("`aws bedrock get-foundation-model-availability`",),
    ),
    Wording(
        "model-api-unsupported",
        ("does not support the '/", "does not support the `/", "does not support this api", "doesn't support the '/"),
        title="{model} does not serve {path}",
        explanation="Each model serves some of the APIs only. One observer found that this answer comes after authorisation, "
        "so "
        "CreateInference for this model is likely allowed.",
        remedy="Use another API for this model: most serve /v1/chat/completions, Claude /anthropic/v1/messages.",
        reference=f"{GITHUB}/mnfst/llm-gateway/issues/2657",
    ),
)

RESOURCES = (
    Wording(
        "response-not-found",
        ("response not found", "response 'resp_", "previous response with id"),
        title="the stored response does not exist",
        explanation="A response can be read back only from the project it was made in, and only if it was stored.",
        remedy="Create it with store: true, read it with the same OpenAI-Project header, and before it lapses.",
    ),
    Wording(
        "project-not-found",
        (":project/", "project 'proj_", "workspace"),
        all_of=("not",),
        none_of=("not authorized", "the model '"),
        statuses=(404, 400),
        title="the project does not exist here",
        explanation="The OpenAI-Project or anthropic-workspace header (or the path) names a project that this account and "
        "Region "
        "do not have.",
        remedy="List projects with GET /v1/organization/projects, and correct or leave out the header: without it the project "
        "`default` is used.",
    ),
)

_MISSING_MODEL = ("does not exist", "model_not_found", "model not found", "no such model")


def account(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """What the account may not use, and what a model does not serve."""
    found = by_table(WORDINGS, observation, case)
    if found and found[0].code == "model-api-unsupported":
        return (_other_api(found[0], observation, case),)
    return found


def resources(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """Projects and stored responses that do not exist."""
    return by_table(RESOURCES, observation, case)


def retention_status(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """``GET /v1/models/{id}`` answers 200 for a model that the data-retention mode rules out, and says so in it."""
    if not observation.success or '"status_reason"' not in observation.exchange.body[:20_000]:
        return ()
    fields = _object(observation.exchange.body)
    reason = fields.get("status_reason")
    if fields.get("status") != "unavailable" or not isinstance(reason, str) or "retention" not in reason.lower():
        return ()
    row = next(row for row in WORDINGS if row.code == "data-retention-conflict")
    return (
        make(
            row.code,
            Confidence.CONCLUSIVE,
            (heard(observation, f"status unavailable: {shorten(reason, 200)}"),),
            title=row.title.format_map(names_of(observation, case)),
            explanation=row.explanation,
            remedy=row.remedy,
        ),
    )


def missing_model(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """``The model 'x' does not exist``: said of unknown, prefixed and distant models alike, and of models before their form."""
    words, status = observation.words, observation.exchange.status
    if status not in {None, 400, 404} or not any(mark in words for mark in _MISSING_MODEL) or "model" not in words:
        return ()
    name = model_of(observation, case)
    if name is None:
        return (_unknown_model(observation, None),)
    read = read_model_id(name)
    if read.removed:
        return (_prefixed(observation, name, read.bare, read.removed[0]),)
    region = observation.region or case.region
    known = known_model(name)
    if known and known.regions_seen and region and region not in known.regions_seen:
        return (_elsewhere(observation, name, region, known.regions_seen),)
    return (_unknown_model(observation, name),)


def model_ids(observation: Observation) -> frozenset[str] | None:
    """The ids in an answered list of models, or ``None`` when it is no such list."""
    if not observation.success:
        return None
    data = _object(observation.exchange.body).get("data")
    if not isinstance(data, list):
        return None
    ids = frozenset(entry["id"] for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str))
    return ids or None


def unlisted(observation: Observation, name: str, evidence: Evidence, confidence: Confidence) -> Diagnosis:
    """A model that no list of the case holds."""
    return make(
        "model-not-found",
        confidence,
        (heard(observation), evidence),
        title=f"there is no model `{shorten(name, 120)}` here",
        explanation="The service knows no such id, and its list of models does not hold it.",
        remedy="Take an id from GET /v1/models exactly as it stands there.",
        would_decide=() if confidence is Confidence.CONCLUSIVE else ("the list of models of another Region",),
    )


def elsewhere(observation: Observation, name: str, evidence: Evidence, confidence: Confidence) -> Diagnosis:
    """A model that another Region's list holds."""
    return make(
        "model-not-in-region",
        confidence,
        (heard(observation), evidence),
        title=f"`{shorten(name, 120)}` is not in this Region",
        explanation="The id is right, and the Region called does not have the model; Mantle does not route to other Regions.",
        remedy="Call a Region whose GET /v1/models lists it; a short-term key must be made for that Region.",
    )


def gated(observation: Observation, name: str, evidence: Evidence, confidence: Confidence) -> Diagnosis:
    """A model that the list holds and inference calls unknown."""
    return make(
        "use-case-form-missing",
        confidence,
        (heard(observation), evidence),
        title=f"`{shorten(name, 120)}` is listed, yet called unknown",
        explanation="Claude models were seen to answer so until the use-case form was submitted, and also to requests with "
        "beta "
        "headers or thinking parameters that Mantle does not take.",
        remedy="Send a plain request first, without anthropic-beta headers and thinking; if it fails too, submit the use-case "
        "details in the Amazon Bedrock console.",
        would_decide=("the same call without beta headers and thinking parameters",),
    )


def _unknown_model(observation: Observation, name: str | None) -> Diagnosis:
    claude = name is not None and name.startswith("anthropic.")
    return make(
        "model-not-found",
        Confidence.LIKELY,
        (heard(observation),),
        title=f"the service knows no model `{shorten(name, 120)}`" if name else "the service does not know the model",
        explanation="The same words come for an unknown id and for a model that the Region does not have."
        + (" Claude answers so too before the use-case form, and to unsupported beta headers." if claude else ""),
        remedy="Take an id from GET /v1/models of the Region that is called, exactly as it stands there."
        + (" For Claude, leave out anthropic-beta headers and submit the use-case form." if claude else ""),
        would_decide=("GET /v1/models in this Region", "GET /v1/models in another Region"),
    )


def _prefixed(observation: Observation, name: str, bare: str, why: str) -> Diagnosis:
    sure = known_model(bare) is not None
    return make(
        "model-id-prefixed",
        Confidence.CONCLUSIVE if sure else Confidence.LIKELY,
        (heard(observation), Evidence("the model id", why)),
        title=f"`{shorten(name, 120)}` is not a bare model id; Mantle's is `{shorten(bare, 120)}`",
        explanation="Mantle takes bare ids only: no inference profiles (us., global.), no ARNs, no client or Region prefixes.",
        remedy=f"Send `{shorten(bare, 120)}` as the model; in a client with provider prefixes, check that it strips its own.",
        would_decide=() if sure else ("GET /v1/models in this Region",),
    )


def _elsewhere(observation: Observation, name: str, region: str, regions: tuple[str, ...]) -> Diagnosis:
    return make(
        "model-not-in-region",
        Confidence.LIKELY,
        (
            heard(observation),
            Evidence("lists of models seen", f"{name} was seen in {', '.join(regions)}, not in {region}"),
        ),
        title=f"`{shorten(name, 120)}` is probably not in {region}",
        explanation="The id is a real one, and the Region called was not seen to have it. Mantle does not route to other "
        "Regions.",
        remedy=f"Call {regions[0]}, or take a model from GET /v1/models in {region}; a short-term key must be made for the "
        "Region that is called.",
        would_decide=(f"GET /v1/models in {region}",),
    )


def _other_api(diagnosis: Diagnosis, observation: Observation, case: Case) -> Diagnosis:
    name = model_of(observation, case)
    known = known_model(read_model_id(name).bare) if name else None
    if known is None:
        return diagnosis
    apis = " and ".join(api.value for api in known.apis)
    return make(
        diagnosis.code,
        diagnosis.confidence,
        (*diagnosis.evidence, Evidence("the model's family", f"{known.id} serves {apis} under {known.base_path}")),
        title=diagnosis.title,
        explanation=diagnosis.explanation,
        remedy=f"Use {apis} under {known.base_path} for {known.id}.",
        reference=diagnosis.reference,
    )


def _object(body: str) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
