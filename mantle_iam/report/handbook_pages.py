"""The texts of the handbook: a table with one entry per diagnosis code, in the order of families.

Wordings in quotes are the service's or a client's, as they were seen; shortened with ``…``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Page:
    """The prose of one code, in Markdown's inline marks."""

    looks: str
    """How it looks: status codes and words that were seen."""
    why: str
    """Why it happens."""
    do: tuple[str, ...]
    """What to do, the best first."""


_TRANSPORT = {
    "region-not-served": Page(
        'No answer: NXDOMAIN, "Could not resolve host", "getaddrinfo ENOTFOUND"; SDKs show "Connection error."',
        "The endpoint is `bedrock-mantle.<region>.api.aws`, and the name exists only in Regions that Mantle serves. A "
        "misspelt Region and an unexpanded `${AWS_REGION}` look the same.",
        (
            "Choose a Region from the list of endpoints and set it in `AWS_REGION` and in the base URL.",
            "If the Region is in the list, the resolver is at fault: try the name with `nslookup` outside the VPC or "
            "VPN.",
        ),
    ),
    "endpoint-unreachable": Page(
        'No answer: "Connection refused", `ECONNREFUSED`, "No route to host", an error of the proxy.',
        "The name resolves, and no connection comes about: a firewall, a proxy setting, a security group of a VPC "
        "endpoint.",
        (
            "Check `HTTPS_PROXY` and `NO_PROXY`, then the way out: `curl -v https://bedrock-mantle.<region>.api.aws/`.",
            "If the name resolves to a private address, look at the VPC endpoint's security group and subnets.",
        ),
    ),
    "tls-failure": Page(
        'No answer: "certificate verify failed", `SELF_SIGNED_CERT_IN_CHAIN`, curl exit code 60 or 35.',
        "Something between you and AWS presents its own certificate (a company proxy), or the client's certificate "
        "store is old.",
        (
            "Give the client the company's root certificate (`SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, "
            "`NODE_EXTRA_CA_CERTS`, "
            "`AWS_CA_BUNDLE`).",
            "Do not turn verification off: the key would go to whoever intercepts the connection.",
        ),
    ),
    "timeout": Page(
        'No answer within the client\'s limit: "Request timed out.", `ReadTimeout`, curl exit code 28.',
        "Besides a slow network, a wrong base path is a known cause: a model asked for on a path that does not serve "
        "it was "
        "seen to stall instead of answering.",
        (
            "Check the base path of the model first: `/v1`, `/openai/v1` or `/anthropic/v1`.",
            "Then try `GET /v1/models`: if that answers at once, the network is fine.",
        ),
    ),
    "not-the-service": Page(
        "HTML, a login page, a certificate of another name, a body that is neither the OpenAI nor the Anthropic "
        "form, no "
        "request id; from bedrock-runtime, status 200 with `UnknownOperationException`.",
        "The host is not the Mantle endpoint, or something in front of it answered.",
        (
            "Compare the host of the base URL with `bedrock-mantle.<region>.api.aws`.",
            "If the host is right, look for a proxy, a gateway or a captive portal on the way.",
        ),
    ),
}

_ROUTING = {
    "route-not-found": Page(
        '404 without an error object: an empty body or `{}`. SDKs then show nothing but "Error code: 404".',
        "There is no such route. Routing was seen to come before authentication, so the same request without any "
        "credential answers 404 as well; if that one answers 401, the route exists, and the 404 means something else. "
        "One article tells of a bare 404 for `models.list()` with a long-term key that lacked the permission; every other "
        "refusal that was found came with a JSON error and 401 or 403.",
        (
            "Check the base URL: the control plane (`/models`, `/files`, `/organization/projects`) exists under "
            "`/v1` only.",
            "Run `mantle-iam probe`: it sends the same path without a credential, which decides.",
        ),
    ),
    "wrong-base-path": Page(
        '404 without an error object; 400 "model `…` isn\'t supported on this route"; 401 "Berm is not enabled for '
        "this "
        'account"; or no answer at all.',
        "Each model family lives on one base path: open-weight and chat-only families on `/v1`, GPT-5 and later, "
        "Gemma 4 and "
        "Grok 4 on `/openai/v1`, Claude on `/anthropic/v1`. No API tells which, and the errors seldom say it.",
        (
            "Change the base URL to the path that the diagnosis names.",
            "For `models.list()` the base URL must end in `/v1` and not in `/openai/v1`.",
        ),
    ),
    "wrong-endpoint": Page(
        '400 "The provided model identifier is invalid", 200 with `UnknownOperationException`, 404 on a path of the '
        "other "
        "service, `Credential should be scoped to correct service`.",
        "bedrock-mantle and bedrock-runtime are two services with two IAM namespaces (`bedrock-mantle:` and "
        "`bedrock:`), different "
        "model ids and different paths.",
        (
            "Send the request to `bedrock-mantle.<region>.api.aws`, or use the ids and paths of bedrock-runtime.",
            "Grant the actions of the service that is called: `bedrock:InvokeModel` gives nothing on Mantle.",
        ),
    ),
}

_CREDENTIAL = {
    "credential-missing": Page(
        '401 "Missing \'authorization\' or \'x-api-key\' header"; runtime: 403 `{"Message":"Authorization header is '
        'missing"}`.',
        "No key was sent: the variable is not set in this process, its name is another, or its value is a "
        "placeholder such as "
        "`$AWS_BEARER_TOKEN_BEDROCK` that nothing expanded.",
        (
            "Set the variable that the client reads: `AWS_BEARER_TOKEN_BEDROCK`, or `OPENAI_API_KEY` for the plain "
            "OpenAI SDK.",
            "`mantle-iam key inspect` shows which variables are set and what is in them, without the secret.",
        ),
    ),
    "wrong-kind-of-key": Page(
        '401 "Invalid bearer token"; runtime: 403 "Invalid API Key format: Must start with pre-defined prefix".',
        "A key of another vendor (`sk-…`), of Claude Platform on AWS, an access key id (`AKIA…`), an SSO token or a "
        "JWT was sent. On bedrock-runtime the same words were reported once for a missing `bedrock:CallWithBearerToken`. "
        "Bedrock API keys begin with `ABSK` (long-term) or `bedrock-api-key-` (short-term).",
        (
            "Send a Bedrock API key, or sign with SigV4 if what you have are AWS access keys.",
            "Look for a second variable that wins: a client may prefer `OPENAI_API_KEY` to the one that you set.",
        ),
    ),
    "bearer-token-malformed": Page(
        '401 "Invalid bearer token", the same words as for a key that does not exist.',
        "The key lost or gained characters on its way: quotes, a line break, `Bearer ` twice, a cut end.",
        ("Copy the key again, without quotes and white space; `mantle-iam key inspect` says what is wrong with it.",),
    ),
    "bearer-token-invalid": Page(
        '401 `invalid_api_key` "Invalid bearer token" (OpenAI form), `authentication_error` (Anthropic form).',
        "The key is well formed and unknown to the service: deleted, deactivated, reset, expired long ago, or made "
        "for another "
        "service. It has nothing to do with permissions.",
        (
            "Check the key's state: `aws iam list-service-specific-credentials --user-name NAME --service-name "
            "bedrock.amazonaws.com`.",
            "Make a new key, and restart whatever still holds the old one.",
        ),
    ),
    "bearer-token-expired": Page(
        '401 "Signature expired: T1 is now earlier than T2", where T1 is the key\'s own end; "expired" in other words.',
        "A short-term key lives at most 12 hours and never longer than the session that made it; a long-term key may "
        "have an "
        "expiry date. A short-term key cannot be renewed.",
        (
            "Make a new short-term key; better, let the client make them (a token provider) or sign with SigV4.",
            "`mantle-iam key inspect` shows issue time and expiry.",
        ),
    ),
    "bearer-token-wrong-region": Page(
        '401; the exact words on Mantle were not seen. bedrock-runtime: "Authentication failed: Please make sure '
        "your API Key is "
        'valid."',
        "A short-term key works only in the Region that it was made for. Long-term keys are not bound to a Region.",
        ("Make the key for the Region of the base URL, or change the base URL to the Region of the key.",),
    ),
    "security-token-invalid": Page(
        '401 or 403 "The security token included in the request is invalid."',
        "The access key behind the request, or the one inside a short-term key, was deleted or deactivated, belongs "
        "to another "
        "partition, or its session token is missing.",
        (
            "Ask AWS who you are with the same credentials: `aws sts get-caller-identity`.",
            "Sign in again (`aws sso login`), then make a new short-term key.",
        ),
    ),
    "security-token-expired": Page(
        '403 "The security token included in the request is expired".',
        "The AWS session that signed the request, or that made the short-term key, is over.",
        ("Sign in again or let the client refresh its credentials; then make a new short-term key.",),
    ),
    "signature-scope-mismatch": Page(
        "401 \"Credential should be scoped to correct service: 'bedrock-mantle'.\", or the same with a Region.",
        "SigV4 signs for one service and one Region. Mantle takes the service names `bedrock-mantle` and `bedrock`; "
        "bedrock-runtime takes `bedrock` only.",
        (
            "Sign for the service `bedrock-mantle` in the Region of the host.",
            'With curl: `--aws-sigv4 "aws:amz:REGION:bedrock-mantle"`.',
        ),
    ),
    "signature-mismatch": Page(
        '401 or 403 "The request signature we calculated does not match the signature you provided."',
        "The secret access key is wrong, or something changed a signed header, the path or the body after signing.",
        (
            "Check the secret (a `/` or `+` lost in copying is common).",
            "Do not sign hop-by-hop headers, and look for a proxy that rewrites headers or the path.",
        ),
    ),
    "clock-skew": Page(
        '401 "Signature expired: …" or "Signature not yet current: …" although no key is past its time.',
        "The clock of the machine that signs differs from AWS's by more than five minutes.",
        ("Set the clock (NTP); in containers and virtual machines after a pause, too.",),
    ),
}

_AUTHORIZATION = {
    "missing-permission": Page(
        '401 or 403 (both were seen for the same thing) with "User: … is not authorized to perform: bedrock-mantle:… '
        "on resource: "
        '… because no identity-based policy allows the … action". `policy_type` says which layer has no Allow.',
        "Nothing in the named layer allows the action on that resource. Mantle's actions begin with "
        "`bedrock-mantle:`; grants of "
        "`bedrock:InvokeModel` do not count. A call with an API key needs `bedrock-mantle:CallWithBearerToken` on "
        "`*` beside its "
        "own action, and refusals name one action at a time. A condition that does not hold reads exactly the same.",
        (
            "Attach the policy that the diagnosis prints; `mantle-iam attach` does it.",
            "For a permissions boundary, session policy, SCP or VPC endpoint policy, the statement goes into that "
            "policy, since "
            "those only limit what identity policies grant.",
            "Policies take some seconds to be in force everywhere.",
        ),
    ),
    "explicit-deny": Page(
        '401 or 403 "… with an explicit deny in a service control policy" (or identity-based policy, permissions '
        "boundary, …), "
        "sometimes with the policy's ARN. These are IAM's words: they were seen from other services, and "
        "none was found from Mantle itself.",
        "A Deny statement matches, and it wins over every Allow. A policy named `AWSCompromisedKeyQuarantineV…` "
        "means that AWS found "
        "the key in public.",
        (
            "Ask whoever owns the named policy for an exception; no policy of your own can help.",
            "For a compromised key: delete the key, look at what it was used for, and only then have the quarantine "
            "removed.",
        ),
    ),
    "condition-not-met": Page(
        "The same sentence as for a missing permission: it names neither the condition nor the model. Often one "
        "model answers and "
        "another is refused with the same key.",
        "A statement grants the action under a condition that this request does not fulfil: another model id "
        "(`bedrock-mantle:Model` compares the exact id), another kind of key (`bedrock-mantle:BearerTokenType` is "
        "`SHORT_TERM` or "
        "`LONG_TERM`), a tag, a network, a Region. `aws:RequestedRegion` was "
        "reported twice not to hold on Mantle calls; others use it with SigV4.",
        (
            "Use what the condition allows, or have the condition widened by exactly that value.",
            "On actions that do not carry the key (GetInference, ListModels) use a statement of its own.",
        ),
    ),
    "marketplace-permission-missing": Page(
        '403 "… not authorized to perform the required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, '
        'aws-marketplace:Subscribe) …"',
        "The first call to a third-party model subscribes the account in AWS Marketplace, on behalf of the caller.",
        (
            "Let an administrator call the model once, which subscribes the account for all.",
            "Or grant the two actions with `aws:CalledViaLast` = `bedrock-mantle.amazonaws.com`.",
        ),
    ),
}

_MODEL = {
    "model-not-found": Page(
        "404 `not_found_error` \"The model '…' does not exist\".",
        "No model has that id, at least not in this Region. Ids on Mantle are bare, such as `openai.gpt-oss-120b`. "
        "Unsupported beta "
        "headers with Claude were reported to give the same words.",
        ("List the ids of the Region: `GET /v1/models`.", "Remove beta headers and try again, for Claude models."),
    ),
    "model-not-in-region": Page(
        "404 `not_found_error` \"The model '…' does not exist\", although the id is right.",
        "Model coverage differs by Region and changes.",
        ("Use a Region whose `GET /v1/models` has the model, or a model that this Region has.",),
    ),
    "model-id-prefixed": Page(
        "404 `not_found_error` \"The model 'us.…' does not exist\".",
        "`us.`, `eu.`, `global.` and ARNs name inference profiles of bedrock-runtime; some clients add prefixes of "
        "their own "
        "(`bedrock/`, a Region). Mantle has no cross-Region inference.",
        ("Use the bare id that the diagnosis names.",),
    ),
    "model-api-unsupported": Page(
        "400 `validation_error` \"The model '…' does not support the '/v1/responses' API\".",
        "Claude models serve Messages only, most open-weight models Chat Completions only, some both Chat and "
        "Responses. The "
        "permission is probably there: one observer found that this check comes after authorisation.",
        ("Call the API that the model serves, or choose another model.",),
    ),
    "model-not-entitled": Page(
        '403 or 401 "… is not available for this account", "Your account is currently being verified", '
        "`INVALID_PAYMENT_INSTRUMENT`; no IAM action is named.",
        "AWS has not opened the model to the account. It was seen to come after IAM: callers with every permission "
        "get it, too.",
        (
            "No policy helps. Check `aws bedrock get-foundation-model-availability`, the account's payment method "
            "and its age. That all its fields are positive was seen not to be enough.",
            "Ask AWS Support or Sales; until then use another model.",
        ),
    ),
    "use-case-form-missing": Page(
        '404 "model does not exist" for Claude, `FTUFormNotFilled`, 400 "You have not filled out the required '
        'use-case form".',
        "Anthropic wants a use-case form once per account. AWS's documentation does not ask for it on Mantle; one report "
        "tells of a 404 there until the form was submitted.",
        (
            "Submit the form in the Bedrock console (Model catalog), or with `aws bedrock "
            "put-use-case-for-model-access`.",
        ),
    ),
    "data-retention-conflict": Page(
        "400 \"This model is not available under data retention mode 'none'.\"; status `unavailable` in `GET "
        "/v1/models/{id}`.",
        "The account's or the project's data-retention mode excludes the model.",
        (
            "Use a project with a mode that the model accepts, or another model.",
            "Changing the account's mode takes `bedrock-mantle:PutAccountDataRetention`, and is a decision about "
            "your data.",
        ),
    ),
    "preview-not-enabled": Page(
        '401 "Bedrock Managed Agents is not available for this account."',
        "The feature is in preview and not enabled for this account or Region.",
        ("Ask AWS for access; no policy helps.",),
    ),
}

_RESOURCE_AND_REQUEST = {
    "project-not-found": Page(
        "404 `not_found_error` that names the ARN of a project.",
        "`OpenAI-Project` or `anthropic-workspace` names a project that does not exist in this account and Region.",
        (
            "List the projects: `GET /v1/organization/projects`; or leave the header out, for the project `default`.",
            "An id of OpenAI's own platform (`proj_…` from there) is no project of Mantle.",
        ),
    ),
    "response-not-found": Page(
        "404 \"Response 'resp_…' not found.\"",
        "The response was made with `store: false`, in another project, Region or account, or has been deleted.",
        ("Read it with the key and the project that made it; make it with `store: true`.",),
    ),
    "invalid-request-body": Page(
        '400 "Failed to deserialize the JSON body into the target type: …"',
        "The body is not what this API takes, often because the client speaks another API's form.",
        ("Compare the body with the API's reference; update the client.",),
    ),
    "invalid-parameter": Page(
        "400 \"Invalid 'max_output_tokens': integer below minimum value …\", \"Unsupported parameter: 'max_tokens' "
        '…".',
        "One parameter is outside of what this model or API takes.",
        ("Change the parameter that the message names.",),
    ),
}

_CAPACITY_SERVICE_RESULT = {
    "throttled": Page(
        '429, `rate_limit_error`, "Too many tokens".',
        "Mantle's quotas count tokens per minute; a request reserves its input and its `max_tokens` when it is "
        "admitted.",
        ("Wait and retry with growing pauses; lower `max_tokens`; ask for a higher quota.",),
    ),
    "service-unavailable": Page(
        "503, or 529 on the Anthropic form.",
        "The service is overloaded or away for the moment.",
        ("Retry with growing pauses; try another Region or model.",),
    ),
    "service-error": Page(
        '500 `api_error`, or a 4xx whose message is "Internal server error".',
        "The service failed. If it repeats for one model in one Region, the path to that model is broken.",
        ("Retry; then try another Region, and tell AWS Support the request id.",),
    ),
    "inconclusive": Page(
        'Anything from which several causes remain: a bare 403, a gateway\'s "temporarily unavailable", a text '
        "without an error.",
        'The evidence does not decide. This is not the same as "denied".',
        (
            "Do what `would_decide` lists; `mantle-iam probe` does most of it by itself.",
            "Paste more: the status line, the headers and the body (`curl -i`).",
        ),
    ),
    "allowed": Page(
        "2xx; or a 400 of a kind that was seen to come after authorisation, which the diagnosis then says.",
        "Every permission that this call needs is there.",
        ("Nothing. If an application is refused all the same, it uses another credential, Region or base URL.",),
    ),
}

PAGES: Mapping[str, Page] = MappingProxyType(
    {
        **_TRANSPORT,
        **_ROUTING,
        **_CREDENTIAL,
        **_AUTHORIZATION,
        **_MODEL,
        **_RESOURCE_AND_REQUEST,
        **_CAPACITY_SERVICE_RESULT,
    }
)
