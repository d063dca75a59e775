"""No answer, or an answer from something else: DNS, TCP, TLS, time, proxies, other APIs.

Knows the shapes of foreign answers; knows nothing of permissions.
Source: https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html and .../endpoints-region-availability.html.
"""

from __future__ import annotations

from ipaddress import ip_address

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.compose import heard, make
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation
from mantle_iam.diagnose.rules.wording import Wording, by_table, model_of
from mantle_iam.mantle.endpoint import Endpoint, EndpointKind, Standing, known_region, known_regions
from mantle_iam.mantle.error_body import Envelope
from mantle_iam.mantle.exchange import TransportFailureKind
from mantle_iam.mantle.models import known_model, read_model_id

# Words by which other services give themselves away.  They stand before the credential tables, since these services refuse
# a Bedrock key in words that would otherwise read as an invalid key.
OTHER_SERVICES = (
    Wording(
        "not-the-service",
        ("platform.openai.com/account/api-keys", "incorrect api key provided"),
        title="OpenAI's own API answered, not Amazon Bedrock",
        explanation="The words are those of api.openai.com. The client did not use the Mantle base URL, so it sent the key to "
        "OpenAI.",
        remedy="Set OPENAI_BASE_URL (or base_url=) to https://bedrock-mantle.<region>.api.aws/v1, and reset the key in IAM "
        "if it "
        "was a Bedrock key: another company has received it.",
    ),
    Wording(
        "not-the-service",
        ("invalid x-api-key", "console.anthropic.com", "platform.claude.com"),
        title="Anthropic's own API answered, not Amazon Bedrock",
        explanation="The words are those of api.anthropic.com. The client did not use the Mantle base URL.",
        remedy="Set the base URL to https://bedrock-mantle.<region>.api.aws/anthropic (ANTHROPIC_BEDROCK_MANTLE_BASE_URL, or "
        "CLAUDE_CODE_USE_MANTLE=1), and reset the key in IAM if it was a Bedrock key.",
        confidence=Confidence.LIKELY,
        would_decide=("the URL that the client called",),
    ),
    Wording(
        "endpoint-unreachable",
        ("proxy authentication required", "407 proxy"),
        title="a proxy between here and {host} wants credentials of its own",
        explanation="The proxy answered 407, so the request never reached the service.",
        remedy="Give the proxy its credentials in HTTPS_PROXY, or add .api.aws to NO_PROXY.",
    ),
)


def no_answer(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """A transport failure, by its kind."""
    failure = observation.exchange.failure
    if failure is None:
        return ()
    unexpanded = _unexpanded(observation, case)
    if unexpanded:
        return (unexpanded,)
    kind = failure.kind
    if kind is TransportFailureKind.DNS:
        return (_dns(observation, case),)
    if kind is TransportFailureKind.TLS:
        return (_tls(observation),)
    if kind is TransportFailureKind.TIMEOUT:
        return (timed_out(observation, case),)
    if kind is TransportFailureKind.PROTOCOL:
        return (_protocol(observation),)
    return (_unreachable(observation, case, kind),)


def other_service(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """An answer that the service does not give."""
    exchange, status = observation.exchange, observation.exchange.status
    if status == 407:
        return by_table(OTHER_SERVICES[2:], observation, case) or (
            _unreachable(observation, case, TransportFailureKind.PROXY),
        )
    if observation.control and observation.success:
        return (
            _foreign(
                observation,
                "a request without a valid credential got a result, which the service never gives",
                Confidence.LIKELY,
            ),
        )
    if observation.error.envelope is Envelope.HTML:
        return (_foreign(observation, "the answer is an HTML page; the API answers JSON", Confidence.CONCLUSIVE),)
    if status is not None and 300 <= status < 400:
        where = exchange.header("location") or "another address"
        return (
            _foreign(observation, f"the answer is a redirection to {where}; the API sends none", Confidence.CONCLUSIVE),
        )
    return by_table(OTHER_SERVICES, observation, case)


def timed_out(observation: Observation, case: Case) -> Diagnosis:
    """No answer in time: a slow path, a closed network, or a wrong base path."""
    model = model_of(observation, case)
    known = known_model(read_model_id(model).bare) if model else None
    evidence = [heard(observation)]
    base = observation.endpoint.base_path if observation.endpoint else None
    if known and base is not None and base != known.base_path:
        evidence.append(Evidence("the model's family", f"{known.id} is served under {known.base_path}, not {base}"))
        return make(
            "wrong-base-path",
            Confidence.LIKELY,
            evidence,
            title=f"{observation.path} gave no answer, and {known.id} is served under {known.base_path}",
            explanation="A model called under a base path that does not serve it may hang instead of failing.",
            remedy=f"Set the base URL to {_origin(observation.endpoint)}{known.base_path} and keep a client timeout.",
            would_decide=("the same call under the other base path",),
        )
    return make(
        "timeout",
        Confidence.LIKELY,
        evidence,
        title=f"no answer in time from {observation.host or 'the service'}",
        explanation="The connection stood and nothing came. A slow network or model does this, and so does a wrong base path.",
        remedy="Try GET /v1/models with the same credential: if that answers, check the base path of the model "
        "(/v1, /openai/v1, /anthropic/v1); else check proxy, security group and VPC endpoint.",
        would_decide=("GET /v1/models on the same host", "the same call under the other base paths"),
    )


def _unexpanded(observation: Observation, case: Case) -> Diagnosis | None:
    text = observation.exchange.url or ""
    flawed = any("expand" in flaw for flaw in (*_flaws(observation.endpoint), *_flaws(case.endpoint)))
    named = any(mark in text or mark in observation.quote for mark in ("${", "$AWS_", "{region}", "<region>"))
    if not (flawed or named):
        return None
    return make(
        "endpoint-unreachable",
        Confidence.CONCLUSIVE,
        (
            heard(observation),
            Evidence("the base URL", f"holds a variable that nobody expanded: {text or 'see the text'}"),
        ),
        title="the base URL holds a variable that was not expanded",
        explanation="The host name was looked up with the variable's name in it, and no such host exists.",
        remedy="Write the Region out, as in https://bedrock-mantle.us-east-1.api.aws/v1: configuration files and .env readers "
        "often expand nothing.",
    )


def _flaws(endpoint: Endpoint | None) -> tuple[str, ...]:
    return endpoint.flaws if endpoint else ()


def _dns(observation: Observation, case: Case) -> Diagnosis:
    endpoint = observation.endpoint or case.endpoint
    region = observation.region or (endpoint.region if endpoint else None) or case.region
    mantle = endpoint is None or endpoint.kind is EndpointKind.MANTLE
    standing = known_region(region) if region else None
    served = standing is not None and standing.standing is not Standing.ABSENT
    if mantle and region and not served:
        return make(
            "region-not-served",
            Confidence.CONCLUSIVE,
            (
                heard(observation),
                Evidence(
                    "the Regions with a Mantle endpoint",
                    f"{region} is not among the {len(known_regions())} documented ones",
                ),
            ),
            title=f"there is no Mantle endpoint in {region}",
            explanation=f"The name bedrock-mantle.{region}.api.aws does not exist, and the Region is not documented for "
            "Mantle.",
            remedy="Use a Region that has one, such as us-east-1, us-west-2 or eu-west-1, in AWS_REGION and in the base URL; a "
            "short-term key must be made for that Region.",
        )
    if mantle and region is None:
        return make(
            "region-not-served",
            Confidence.LIKELY,
            (heard(observation),),
            title="the host name does not exist",
            explanation="A Mantle host name exists only for Regions with a Mantle endpoint. The text does not say which was "
            "looked up.",
            remedy="Check the Region in the base URL (https://bedrock-mantle.<region>.api.aws/v1) and that this machine "
            "resolves "
            "other public names.",
            would_decide=("the host name that was looked up",),
        )
    host = observation.host or (endpoint.host if endpoint else "the host")
    return make(
        "endpoint-unreachable",
        Confidence.LIKELY,
        (heard(observation),),
        title=f"this machine cannot resolve {host}",
        explanation="The name is one that should exist, so the fault is with name resolution here: no DNS, a private hosted "
        "zone "
        "or a resolver that blocks it.",
        remedy=f"Try `nslookup {host}` here and elsewhere; in a VPC check enableDnsSupport and a private zone for api.aws.",
        would_decide=("whether another machine resolves the name",),
    )


def _tls(observation: Observation) -> Diagnosis:
    return make(
        "tls-failure",
        Confidence.CONCLUSIVE,
        (heard(observation),),
        title=f"TLS with {observation.host or 'the host'} failed",
        explanation="The certificate was refused or the handshake broke off, so nothing was sent. On company networks a proxy "
        "that intercepts TLS is the usual cause.",
        remedy="Give the client the company's root certificate (AWS_CA_BUNDLE, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS) or bypass "
        "the proxy for .api.aws; do not switch verification off.",
    )


def _protocol(observation: Observation) -> Diagnosis:
    return make(
        "not-the-service",
        Confidence.LIKELY,
        (heard(observation),),
        title=f"what {observation.host or 'the host'} sent is not a whole HTTP answer",
        explanation="The connection broke off or something that does not speak HTTP answered.",
        remedy="Check the scheme and the port of the base URL (https, 443), and proxies between here and the host.",
        would_decide=("the same call from another network",),
    )


def _unreachable(observation: Observation, case: Case, kind: TransportFailureKind) -> Diagnosis:
    host = observation.host or (case.endpoint.host if case.endpoint else "the host")
    private = _private(observation.exchange.peer)
    words = observation.words
    # "Connection error." is all that some SDKs say, of a host that does not exist as well.
    said = observation.host is not None or any(
        mark in words for mark in ("refused", "reset", "unreachable", "proxy", "407")
    )
    return make(
        "endpoint-unreachable",
        Confidence.CONCLUSIVE if said else Confidence.LIKELY,
        (heard(observation),),
        title=f"no connection to {host}",
        explanation="The connection was refused or never stood, so this says nothing about permissions."
        + (" The address is private: a VPC endpoint answers for it here." if private else ""),
        remedy="Check HTTPS_PROXY and NO_PROXY, the firewall (TCP 443), and in a VPC the security group of the endpoint "
        "com.amazonaws.<region>.bedrock-mantle."
        if kind is not TransportFailureKind.PROXY
        else "Check the proxy named in HTTPS_PROXY: its address, its credentials, and whether it lets .api.aws through.",
        would_decide=()
        if said
        else ("the host in the base URL: a Region without a Mantle endpoint fails in the same words",),
    )


def _foreign(observation: Observation, why: str, confidence: Confidence) -> Diagnosis:
    return make(
        "not-the-service",
        confidence,
        (heard(observation, why),),
        title=f"something other than the service answered for {observation.host or 'the host'}",
        explanation=f"Here {why}. Proxies, captive portals, gateways and wrong base URLs do that.",
        remedy="Check the base URL (https://bedrock-mantle.<region>.api.aws/v1), HTTPS_PROXY, and any gateway before the "
        "service; nothing about permissions follows from this answer.",
        would_decide=() if confidence is Confidence.CONCLUSIVE else ("the same call from another network",),
    )


def _private(peer: str | None) -> bool:
    try:
        return peer is not None and ip_address(peer).is_private and not ip_address(peer).is_loopback
    except ValueError:
        return False


def _origin(endpoint: Endpoint | None) -> str:
    return endpoint.origin if endpoint else "https://bedrock-mantle.<region>.api.aws"
