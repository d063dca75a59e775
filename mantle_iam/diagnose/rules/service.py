"""The request itself, capacity, and faults of the service: what passes by itself or is mended in the request.

Knows no permission.  Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html,
.../quotas-mantle.html, and the answers committed in https://github.com/aws-samples/sample-per-model-bedrock.
"""

from __future__ import annotations

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.codes import GITHUB
from mantle_iam.diagnose.compose import heard, make
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis
from mantle_iam.diagnose.observation import Observation
from mantle_iam.diagnose.rules.wording import Wording, by_table
from mantle_iam.mantle.error_body import Envelope

REQUESTS = (
    Wording(
        "invalid-request-body",
        (
            "failed to deserialize the json body",
            "expected request with `content-type",
            "not valid json",
            "could not parse the",
        ),
        title="the body is not what {path} takes",
        explanation="The service could not read the body. Clients that speak another API's dialect cause this.",
        remedy="Compare the body with the API's reference; the message names the field and the column.",
        statuses=(400, 413, 415, 422),
    ),
    Wording(
        "invalid-parameter",
        (
            "unsupported parameter",
            "unsupported value",
            "invalid value:",
            "integer below minimum value",
            "integer above maximum value",
            "field required",
            "extra inputs are not permitted",
            "unknown parameter",
            "missing required parameter",
            "invalid 'max_output_tokens'",
            "invalid 'max_tokens'",
            "is too large. this model supports",
        ),
        title="one parameter of the request is refused",
        explanation="The request reached the model's API, and one of its parameters does not suit. Whether permissions were "
        "checked before is not known.",
        remedy="Change the parameter that the message names: max_output_tokens is 16 at least, newer models want "
        "max_completion_tokens instead of max_tokens, Messages needs max_tokens.",
        statuses=(400, 422),
    ),
)

CAPACITY = (
    Wording(
        "throttled",
        (
            "throttl",
            "rate limit",
            "rate_limit",
            "too many requests",
            "too many tokens",
            "quota exceeded",
            "servicequotaexceeded",
        ),
        title="a quota or rate limit is reached",
        explanation="Mantle counts input tokens plus max_tokens at admission, so large limits use the quota up before "
        "anything is "
        "generated. This says nothing about permissions.",
        remedy="Wait and retry with growing pauses, lower max_tokens, or ask for more in Service Quotas.",
    ),
    Wording(
        "service-unavailable",
        ("overloaded", "temporarily unavailable", "service unavailable", "serviceunavailable", "model is not ready"),
        title="the service is away for the moment",
        explanation="Overload passes by itself. Gateways use the same words when they got no HTTP answer at all.",
        remedy="Retry after a pause; if it stays, look at the AWS Health Dashboard and call the service without the gateway.",
        confidence=Confidence.LIKELY,
        would_decide=("the same call after a pause",),
    ),
    Wording(
        "service-error",
        ("internal server error", "internalservererror", "internalfailure", "an internal error"),
        title="the service failed",
        explanation='"Internal server error" is a fault of the service, whatever the status code.',
        remedy="Retry; if one model in one Region fails every time, try another and report the request id to AWS Support.",
    ),
)


def request(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """Bodies and parameters that are refused."""
    return by_table(REQUESTS, observation, case)


def capacity(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """Throttling, overload, faults, by their words."""
    return by_table(CAPACITY, observation, case)


def by_status(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """What is left to the status code: 429, 5xx, and a 400 in words not known."""
    status = observation.exchange.status
    if status is None:
        return ()
    if status == 429:
        return (_plain("throttled", observation, CAPACITY[0]),)
    if status in {502, 503, 504, 529}:
        return (_plain("service-unavailable", observation, CAPACITY[1]),)
    if status >= 500:
        return (_plain("service-error", observation, CAPACITY[2], f"{GITHUB}/obra/lace/pull/355"),)
    if status in {400, 413, 415, 422}:
        return (_rejected(observation),)
    return ()


def _plain(code: str, observation: Observation, row: Wording, reference: str | None = None) -> Diagnosis:
    return make(
        code,
        Confidence.CONCLUSIVE,
        (heard(observation),),
        title=row.title,
        explanation=row.explanation,
        remedy=row.remedy,
        reference=reference,
    )


def _rejected(observation: Observation) -> Diagnosis:
    parameter = observation.error.param
    known = observation.error.envelope in {Envelope.OPENAI, Envelope.ANTHROPIC, Envelope.CORAL}
    code = "invalid-parameter" if parameter else "invalid-request-body"
    return make(
        code,
        Confidence.CONCLUSIVE if parameter else Confidence.LIKELY,
        (heard(observation),),
        title=f"the parameter {parameter} is refused" if parameter else "the request is refused as invalid",
        explanation="The service names the request, not the caller, as the fault."
        + ("" if known else " The answer is in no known form, so something else may have written it."),
        remedy="Change what the message names; it is no matter of permissions.",
        would_decide=() if parameter else ("the request's body",),
    )
