"""What the credential, the base URL and the environment say before anything is sent.

Compares records with an instant and a Region given as arguments; knows no clock and no environment.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html (lifetimes, Regions), .../api-keys.html.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.compose import make
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation
from mantle_iam.mantle.credential import Credential, CredentialFlaw, CredentialKind
from mantle_iam.mantle.endpoint import EndpointKind
from mantle_iam.mantle.exchange import Auth
from mantle_iam.mantle.operations import AuthMethod

_FOREIGN: dict[CredentialKind, str] = {
    CredentialKind.OPENAI_KEY: "an OpenAI key",
    CredentialKind.ANTHROPIC_KEY: "an Anthropic key",
    CredentialKind.CLAUDE_PLATFORM_KEY: "a key of Claude Platform on AWS, which is another service",
    CredentialKind.JWT: "a JSON Web Token, such as an SSO or OIDC token",
    CredentialKind.PRESIGNED_URL: "a raw presigned URL, not yet made into a key",
    CredentialKind.AWS_ACCESS_KEY: "an AWS access key, which signs requests and is no bearer key",
}

_FLAWS: dict[CredentialFlaw, tuple[str, str]] = {
    CredentialFlaw.QUOTED: ("has quotation marks around it", "Take the quotation marks away"),
    CredentialFlaw.WHITESPACE: ("holds white space", "Take out spaces and line ends"),
    CredentialFlaw.TRUNCATED: ("is cut off", "Copy the whole key again"),
    CredentialFlaw.UNDECODABLE: ("cannot be decoded", "Copy the key again from where it was made"),
    CredentialFlaw.PREFIXED: ("has `Bearer ` or a variable name before it", "Leave only the key itself"),
    CredentialFlaw.DUPLICATED: ("is there more than once", "Paste it once"),
    CredentialFlaw.ESCAPED: ("holds escapes", "Undo the escapes: %2B is +, %2F is /, %3D is ="),
}


def offline(case: Case) -> tuple[Diagnosis, ...]:
    """What stands against the credential and the endpoint without any call."""
    found: list[Diagnosis] = []
    key = case.credential
    if key is not None:
        region = case.region or (case.endpoint.region if case.endpoint else None)
        judged = missing(key, case) or wrong_kind(key, case) or flawed(key)
        if judged is None:
            found.extend(
                filter(None, (expired(key, case.now), wrong_region(key, region), _from_the_future(key, case.now)))
            )
        else:
            found.append(judged)
    endpoint = case.endpoint
    if endpoint is not None and endpoint.kind is EndpointKind.CONTROL_PLANE:
        found.append(_control_plane(case))
    return tuple(found)


def sent_credentials(observation: Observation, case: Case) -> tuple[Credential, ...]:
    """The credential that this exchange carried, where the case knows it."""
    if observation.control or observation.exchange.auth is Auth.NONE:
        return ()
    wants_key = observation.exchange.auth is Auth.BEARER
    wants_signature = observation.exchange.auth is Auth.SIGV4
    credentials = [case.credential] if case.credential else []
    credentials += [found.credential for found in case.found if found.used]
    return tuple(
        dict.fromkeys(
            key
            for key in credentials
            if not (wants_key and key.kind is CredentialKind.AWS_ACCESS_KEY and case.auth is AuthMethod.SIGV4)
            and not (wants_signature and key.kind is not CredentialKind.AWS_ACCESS_KEY)
        )
    )


def missing(key: Credential, case: Case) -> Diagnosis | None:
    """No credential, or what stands for one in examples."""
    placeholder = key.kind is CredentialKind.PLACEHOLDER or CredentialFlaw.UNEXPANDED in key.flaws
    empty = key.kind is CredentialKind.NONE or CredentialFlaw.EMPTY in key.flaws
    if not (placeholder or empty):
        return None
    what = "a placeholder, not a key" if placeholder else "empty"
    return make(
        "credential-missing",
        Confidence.CONCLUSIVE,
        (Evidence(_where(case), f"the credential is {what}" + (f": {key.masked}" if placeholder else "")),),
        title="no credential was found" if empty else "a placeholder stands where the key belongs",
        explanation="Without a credential the service refuses every call before it looks at permissions."
        + (" A variable was not expanded, or the text of an example was kept." if placeholder else ""),
        remedy="Set AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key (ABSK… or bedrock-api-key-…), or configure AWS credentials "
        "and sign.",
    )


def wrong_kind(key: Credential, case: Case) -> Diagnosis | None:
    """A credential of another service or kind where a Bedrock API key belongs."""
    if key.kind is CredentialKind.AWS_ACCESS_KEY and case.auth in {None, AuthMethod.SIGV4}:
        return None
    what = _FOREIGN.get(key.kind)
    if what is None:
        return None
    return make(
        "wrong-kind-of-key",
        Confidence.CONCLUSIVE,
        (Evidence(_where(case), f"{key.masked} is {what}"),),
        title=f"the credential is {what.partition(',')[0]}",
        explanation="Mantle takes Bedrock API keys, which begin with ABSK (long-term) or bedrock-api-key- (short-term), and "
        "signed requests. Nothing else can work, whatever the policies say.",
        remedy="Put a Bedrock API key there; where OPENAI_API_KEY also serves OpenAI itself, set AWS_BEARER_TOKEN_BEDROCK and "
        "the base URL for Mantle separately.",
    )


def flawed(key: Credential) -> Diagnosis | None:
    """A key whose text is damaged."""
    flaw = next((flaw for flaw in key.flaws if flaw in _FLAWS), None)
    if flaw is None:
        return None
    says, do = _FLAWS[flaw]
    return make(
        "bearer-token-malformed",
        Confidence.CONCLUSIVE,
        (Evidence("the key itself", f"{key.masked} {says}"),),
        title=f"the key {says}",
        explanation="A key must be sent exactly as it was made; the service refuses a damaged one before it looks at "
        "permissions.",
        remedy=f"{do}; `mantle-iam key inspect` checks it offline.",
    )


def expired(key: Credential, now: datetime | None) -> Diagnosis | None:
    """A key whose own text says that its time is over."""
    if key.expires_at is None or now is None or key.expires_at > now:
        return None
    since = now - key.expires_at
    return make(
        "bearer-token-expired",
        Confidence.CONCLUSIVE,
        (Evidence("the key itself", f"its time ended at {_iso(key.expires_at)}, {_ago(since)} ago"),),
        title=f"the key expired {_ago(since)} ago",
        explanation="A short-term key lives twelve hours at most, and no longer than the session it was made with. It cannot "
        "be "
        "renewed.",
        remedy="Make a new key (aws-bedrock-token-generator, or the console), in the Region that is called.",
    )


def wrong_region(key: Credential, region: str | None) -> Diagnosis | None:
    """A short-term key is usable only in the Region that it was made for."""
    if key.kind is not CredentialKind.SHORT_TERM_KEY or not key.region or not region or key.region == region:
        return None
    return make(
        "bearer-token-wrong-region",
        Confidence.LIKELY,
        (Evidence("the key itself", f"was made for {key.region}, and {region} is called"),),
        title=f"the short-term key belongs to {key.region}, not {region}",
        explanation="A short-term key is usable only in the Region that it was made for.",
        remedy=f"Call https://bedrock-mantle.{key.region}.api.aws, or make a key for {region}.",
        would_decide=(f"the same call in {key.region}",),
    )


def _from_the_future(key: Credential, now: datetime | None) -> Diagnosis | None:
    if key.issued_at is None or now is None or key.issued_at - now < timedelta(minutes=5):
        return None
    return make(
        "clock-skew",
        Confidence.LIKELY,
        (Evidence("the key itself", f"was made at {_iso(key.issued_at)}, and this clock shows {_iso(now)}"),),
        title="the key was made in the future, by this clock",
        explanation="Either the machine that made the key or this one has a wrong clock.",
        remedy="Set the clock of both machines (NTP) and make the key again.",
        would_decide=("the Date header of any answer",),
    )


def _control_plane(case: Case) -> Diagnosis:
    host = case.endpoint.host if case.endpoint else "the host"
    return make(
        "wrong-endpoint",
        Confidence.LIKELY,
        (Evidence("the base URL", f"{host} is Amazon Bedrock's control plane"),),
        title=f"{host} serves no inference",
        explanation="The OpenAI- and Anthropic-shaped APIs live on bedrock-mantle.<region>.api.aws and on bedrock-runtime.",
        remedy=f"Set the base URL to https://bedrock-mantle.{case.region or '<region>'}.api.aws/v1.",
        would_decide=("one call to the Mantle host",),
    )


def _where(case: Case) -> str:
    return next((found.where for found in case.found if found.used), "the credential")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _ago(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes} minute{'s' if minutes != 1 else ''}"
    hours = minutes // 60
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"
