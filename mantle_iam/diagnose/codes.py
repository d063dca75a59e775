"""The vocabulary of causes: every diagnosis code with its family, its meaning and its sources, the most important first.

Decides in what order diagnoses of equal confidence are told; knows nothing of exchanges and of the rules that make diagnoses.
A code never changes its meaning; codes may be added.  ``docs/diagnoses.md`` has one section per code, under ``Code.anchor``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

USER_GUIDE = "https://docs.aws.amazon.com/bedrock/latest/userguide"
IAM_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
GITHUB = "https://github.com"


class Family(StrEnum):
    """Groups of codes, in the words of the documentation."""

    RESULT = "result"
    TRANSPORT = "transport"
    ROUTING = "routing"
    CREDENTIAL = "credential"
    AUTHORIZATION = "authorization"
    MODEL = "model"
    RESOURCE = "resource"
    REQUEST = "request"
    CAPACITY = "capacity"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Code:
    """One code of the vocabulary.  ``references`` are public URLs, the first being the best single one."""

    code: str
    family: Family
    meaning: str
    references: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """The anchor of its section in ``docs/diagnoses.md``."""
        return self.code


# Order = precedence among diagnoses of equal confidence.  What stops everything behind it comes first: no connection, then no
# credential, then no route, then no permission; then what concerns one model, one resource, one request; then what passes by
# itself.  The two results come last: they tell nothing to mend.
CODES: tuple[Code, ...] = (
    Code(
        "region-not-served",
        Family.TRANSPORT,
        "the host name does not exist: there is no Mantle endpoint in this Region",
        (f"{USER_GUIDE}/endpoints-region-availability.html", f"{GITHUB}/obra/lace/pull/355"),
    ),
    Code(
        "endpoint-unreachable",
        Family.TRANSPORT,
        "there is no TCP or proxy path to the host",
        (f"{USER_GUIDE}/vpc-interface-endpoints.html", f"{USER_GUIDE}/endpoints.html"),
    ),
    Code(
        "tls-failure",
        Family.TRANSPORT,
        "the certificate was refused, or something intercepts TLS",
        ("https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html", f"{USER_GUIDE}/endpoints.html"),
    ),
    Code(
        "not-the-service",
        Family.TRANSPORT,
        "something else answered: a proxy, a captive portal, another API",
        (f"{USER_GUIDE}/endpoints.html",),
    ),
    Code(
        "credential-missing",
        Family.CREDENTIAL,
        "no credential was sent, or a placeholder stands where the key belongs",
        (f"{USER_GUIDE}/api-keys-use.html", f"{GITHUB}/NousResearch/hermes-agent/issues/87190"),
    ),
    Code(
        "wrong-kind-of-key",
        Family.CREDENTIAL,
        "an OpenAI key, an Anthropic key or an AWS access key stands where a Bedrock API key belongs",
        (
            f"{USER_GUIDE}/api-keys.html",
            f"{GITHUB}/aws-solutions-library-samples/guidance-for-claude-code-with-amazon-bedrock/issues/784",
        ),
    ),
    Code(
        "bearer-token-malformed",
        Family.CREDENTIAL,
        "the key is truncated, quoted, broken by white space, or cannot be decoded",
        (f"{USER_GUIDE}/api-keys-use.html",),
    ),
    Code(
        "bearer-token-expired",
        Family.CREDENTIAL,
        "a short-term key, or a long-term key with an expiry date, is past its time",
        (f"{USER_GUIDE}/api-keys-generate.html",),
    ),
    Code(
        "bearer-token-wrong-region",
        Family.CREDENTIAL,
        "a short-term key is used outside the Region that it was made for",
        (f"{USER_GUIDE}/api-keys-generate.html",),
    ),
    Code(
        "bearer-token-invalid",
        Family.CREDENTIAL,
        "the key is well formed and refused: deleted, deactivated, reset, or of another service",
        (
            f"{USER_GUIDE}/api-keys-use.html",
            f"{GITHUB}/NousResearch/hermes-agent/issues/87190",
            f"{GITHUB}/openai/codex/issues/23650",
        ),
    ),
    Code(
        "security-token-invalid",
        Family.CREDENTIAL,
        "the AWS credential, or the one inside a short-term key, is not valid",
        (f"{GITHUB}/openai/codex/issues/37246", f"{IAM_GUIDE}/id_credentials_temp.html"),
    ),
    Code(
        "security-token-expired",
        Family.CREDENTIAL,
        "the AWS session is over",
        (f"{IAM_GUIDE}/id_credentials_temp.html", f"{USER_GUIDE}/api-keys-generate.html"),
    ),
    Code(
        "signature-scope-mismatch",
        Family.CREDENTIAL,
        "the request is signed (SigV4) for another service or another Region",
        (
            f"{GITHUB}/BerriAI/litellm/pull/31476",
            f"{GITHUB}/BYK/loreai/pull/935",
            f"{IAM_GUIDE}/reference_sigv-troubleshooting.html",
        ),
    ),
    Code(
        "signature-mismatch",
        Family.CREDENTIAL,
        "the SigV4 signature does not match: a wrong secret, headers altered on the way, a proxy",
        (f"{IAM_GUIDE}/reference_sigv-troubleshooting.html",),
    ),
    Code(
        "clock-skew",
        Family.CREDENTIAL,
        "the time of the signature is too far from the server's",
        (f"{IAM_GUIDE}/reference_sigv-troubleshooting.html",),
    ),
    Code(
        "wrong-endpoint",
        Family.ROUTING,
        "the request belongs to bedrock-runtime, or the other way round",
        (f"{USER_GUIDE}/endpoints.html",),
    ),
    Code(
        "wrong-base-path",
        Family.ROUTING,
        "the model or the API lives on another base path (/v1, /openai/v1, /anthropic/v1), however that is disguised",
        (
            f"{USER_GUIDE}/endpoints.html",
            f"{GITHUB}/BerriAI/litellm/pull/33027",
            f"{GITHUB}/openai/codex/issues/23650",
            f"{GITHUB}/NousResearch/hermes-agent/issues/52316",
        ),
    ),
    Code(
        "route-not-found",
        Family.ROUTING,
        "a 404 without an error object: there is no such route",
        (f"{USER_GUIDE}/endpoints.html", f"{GITHUB}/openai/codex/issues/23650"),
    ),
    Code(
        "explicit-deny",
        Family.AUTHORIZATION,
        "a statement denies it in the layer that policy_type names; no Allow can help",
        (
            f"{IAM_GUIDE}/troubleshoot_access-denied.html",
            f"{IAM_GUIDE}/reference_policies_evaluation-logic.html",
            f"{GITHUB}/aws-samples/sample-badgers/issues/33",
        ),
    ),
    Code(
        "missing-permission",
        Family.AUTHORIZATION,
        "nothing allows it in the layer that policy_type names (an implicit denial)",
        (
            f"{IAM_GUIDE}/troubleshoot_access-denied.html",
            f"{USER_GUIDE}/security-iam-projects.html",
            "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html",
        ),
    ),
    Code(
        "condition-not-met",
        Family.AUTHORIZATION,
        "the action is granted, but a condition (model, token type, Region, tag, tier …) does not hold",
        (
            f"{IAM_GUIDE}/reference_policies_elements_condition.html",
            f"{USER_GUIDE}/bedrock-managed-agents-openai-security.html",
            f"{USER_GUIDE}/api-keys-permissions.html",
        ),
    ),
    Code(
        "marketplace-permission-missing",
        Family.AUTHORIZATION,
        "the AWS Marketplace actions that a third-party model needs are missing",
        (f"{USER_GUIDE}/model-access.html", f"{GITHUB}/aws-samples/anthropic-on-aws/pull/252"),
    ),
    Code(
        "preview-not-enabled",
        Family.MODEL,
        "the feature is not enabled for this account",
        (f"{USER_GUIDE}/bedrock-managed-agents-openai-security.html",),
    ),
    Code(
        "model-not-entitled",
        Family.MODEL,
        "the account is not entitled to the model; this is not an IAM matter",
        (f"{USER_GUIDE}/model-access.html", f"{GITHUB}/anthropics/claude-code/issues/51183"),
    ),
    Code(
        "use-case-form-missing",
        Family.MODEL,
        "the provider's use-case form has not been submitted",
        (f"{USER_GUIDE}/troubleshooting-api-error-codes.html", f"{USER_GUIDE}/model-access.html"),
    ),
    Code(
        "data-retention-conflict",
        Family.MODEL,
        "the data-retention mode rules the model out",
        (f"{USER_GUIDE}/data-retention.html",),
    ),
    Code(
        "model-id-prefixed",
        Family.MODEL,
        "a `us.`, `global.`, ARN or client-prefixed id stands where Mantle wants the bare id",
        (f"{GITHUB}/BerriAI/litellm/pull/39846", f"{USER_GUIDE}/endpoints.html"),
    ),
    Code(
        "model-not-in-region",
        Family.MODEL,
        "the model exists, but not in this Region",
        (
            f"{USER_GUIDE}/endpoints-region-availability.html",
            f"{GITHUB}/anomalyco/models.dev/issues/4818",
            f"{GITHUB}/anomalyco/opencode/issues/43514",
        ),
    ),
    Code(
        "model-not-found",
        Family.MODEL,
        "there is no such model id",
        (f"{USER_GUIDE}/endpoints-region-availability.html", f"{GITHUB}/BerriAI/litellm/pull/39846"),
    ),
    Code(
        "model-api-unsupported",
        Family.MODEL,
        "the model does not serve this API",
        (
            f"{USER_GUIDE}/endpoints.html",
            f"{GITHUB}/mnfst/llm-gateway/issues/2657",
            f"{GITHUB}/BerriAI/litellm/pull/29490",
        ),
    ),
    Code(
        "project-not-found",
        Family.RESOURCE,
        "the named project or workspace does not exist here",
        (f"{USER_GUIDE}/projects.html", f"{USER_GUIDE}/workspaces.html"),
    ),
    Code(
        "response-not-found",
        Family.RESOURCE,
        "the stored response does not exist, or was not stored",
        (f"{USER_GUIDE}/inference-responses-api.html",),
    ),
    Code(
        "invalid-request-body",
        Family.REQUEST,
        "the body is not what the API takes",
        (f"{USER_GUIDE}/inference-responses-api.html", f"{USER_GUIDE}/inference-messages-api.html"),
    ),
    Code(
        "invalid-parameter",
        Family.REQUEST,
        "one parameter is refused",
        (f"{USER_GUIDE}/inference-responses-api.html", f"{GITHUB}/BerriAI/litellm/pull/24365"),
    ),
    Code("throttled", Family.CAPACITY, "a quota or a rate limit is reached", (f"{USER_GUIDE}/quotas-mantle.html",)),
    Code(
        "service-unavailable",
        Family.SERVICE,
        "the service is overloaded or away for the moment",
        (f"{USER_GUIDE}/troubleshooting-api-error-codes.html",),
    ),
    Code(
        "service-error",
        Family.SERVICE,
        "the service failed",
        (f"{USER_GUIDE}/troubleshooting-api-error-codes.html", f"{GITHUB}/obra/lace/pull/355"),
    ),
    Code(
        "timeout",
        Family.TRANSPORT,
        "no answer came in time (a known symptom of a wrong base path, too)",
        (f"{USER_GUIDE}/endpoints.html",),
    ),
    Code(
        "inconclusive",
        Family.RESULT,
        "the evidence does not decide; says what was tried and what would decide",
        (f"{IAM_GUIDE}/troubleshoot_access-denied.html",),
    ),
    Code(
        "allowed",
        Family.RESULT,
        "the call was authorised (a 400 that comes after authorisation counts, and says so)",
        (f"{USER_GUIDE}/inference.html",),
    ),
)

_RANKS = {code.code: rank for rank, code in enumerate(CODES)}
_BY_NAME = {code.code: code for code in CODES}


def code_info(code: str) -> Code:
    """The entry of ``code``.  Raises ``KeyError`` for a word that is not in the vocabulary."""
    return _BY_NAME[code]


def is_code(word: str) -> bool:
    """Whether ``word`` is in the vocabulary."""
    return word in _BY_NAME


def rank(code: str) -> int:
    """Position of ``code`` in the order of importance, 0 being the first."""
    return _RANKS[code]
