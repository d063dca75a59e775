"""Who is calling: what refusals say about keys, tokens and signatures, read together with the credential itself.

Knows credentials as records only; never sees a secret.
Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html, and the issues at the rows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mantle_iam.diagnose.case import Case
from mantle_iam.diagnose.codes import GITHUB, USER_GUIDE
from mantle_iam.diagnose.compose import heard, make
from mantle_iam.diagnose.diagnosis import Confidence, Diagnosis, Evidence
from mantle_iam.diagnose.observation import Observation
from mantle_iam.diagnose.rules.offline import expired, flawed, sent_credentials, wrong_kind, wrong_region
from mantle_iam.diagnose.rules.wording import Wording, first_wording, told
from mantle_iam.mantle.credential import Credential, CredentialKind
from mantle_iam.mantle.endpoint import EndpointKind
from mantle_iam.mantle.exchange import Auth

FRESH_KEY = (
    "Make a new key: a short-term one with aws-bedrock-token-generator, or a long-term one with "
    "`aws iam create-service-specific-credential --service-name bedrock.amazonaws.com --user-name NAME`."
)

SCOPES = (
    Wording(
        "signature-scope-mismatch",
        ("credential should be scoped to correct service: 'bedrock-mantle'", "correct service: bedrock-mantle"),
        title="the request is signed for another service than bedrock-mantle",
        explanation="Mantle takes signatures for the service names bedrock-mantle and bedrock only. Permissions were not "
        "looked "
        "at yet.",
        remedy="Sign with the service name bedrock-mantle (curl: --aws-sigv4 aws:amz:{region}:bedrock-mantle).",
        reference=f"{GITHUB}/BerriAI/litellm/pull/31476",
    ),
    Wording(
        "signature-scope-mismatch",
        ("credential should be scoped to correct service: 'bedrock'", "correct service: bedrock"),
        title="the request is signed for another service than bedrock",
        explanation="bedrock-runtime takes signatures for the service name bedrock only; bedrock-mantle is Mantle's name.",
        remedy="Sign with the service name bedrock for bedrock-runtime, or send the request to "
        "https://bedrock-mantle.<region>.api.aws.",
        reference=f"{GITHUB}/BYK/loreai/pull/935",
    ),
    Wording(
        "signature-scope-mismatch",
        ("credential should be scoped to",),
        title="the request is signed for another Region or service",
        explanation="The scope of the signature (key id/date/Region/service) is not that of the host that was called.",
        remedy="Sign for the Region in the host name and for the service bedrock-mantle; check AWS_REGION against the base "
        "URL.",
        reference="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html",
    ),
)

WORDINGS = (
    Wording(
        "credential-missing",
        (
            "missing 'authorization' or 'x-api-key' header",
            "authorization header is missing",
            "missing authorization header",
            "missing authentication token",
            "missingauthenticationtoken",
            "you didn't provide an api key",
            "could not resolve authentication method",
            "the api_key client option must be set",
            "unable to locate credentials",
            "could not load credentials from any providers",
        ),
        title="no credential was sent",
        explanation="The request carried neither a bearer key nor a signature, so nobody was asked for permissions.",
        remedy="Set AWS_BEARER_TOKEN_BEDROCK (or OPENAI_API_KEY for the plain OpenAI client) to a Bedrock API key, or let the "
        "client sign with AWS credentials.",
    ),
    Wording(
        "bearer-token-expired",
        (
            "bearer token has expired",
            "bearer token is expired",
            "api key has expired",
            "token has expired",
            "key has expired",
        ),
        title="the key is past its time",
        explanation="The service says that the key has expired; short-term keys live twelve hours at most, and no longer "
        "than the "
        "session they were made with.",
        remedy=FRESH_KEY,
        none_of=("security token",),
    ),
    Wording(
        "security-token-expired",
        (
            "security token included in the request is expired",
            "expiredtoken",
            "the provided token has expired",
            "token included in the request is expired",
            "sso session associated with this profile has expired",
            "error loading sso token",
        ),
        title="the AWS session is over",
        explanation="The temporary credentials have run out, those inside a short-term key included.",
        remedy="Renew the session (`aws sso login`, or assume the role again), then make a new short-term key if one is used.",
    ),
    Wording(
        "security-token-invalid",
        (
            "security token included in the request is invalid",
            "unrecognizedclient",
            "invalidclienttokenid",
            "aws access key id you provided does not exist",
        ),
        title="AWS does not know the credential",
        explanation="The access key id or session token, possibly the one inside a short-term key, is deleted, deactivated, of "
        "another partition, or copied incompletely.",
        remedy="Check with `aws sts get-caller-identity`; renew the AWS credential, and with it any short-term key made from "
        "it.",
    ),
    Wording(
        "signature-mismatch",
        (
            "signature we calculated does not match",
            "signaturedoesnotmatch",
            "invalid signature",
            "signature does not match",
            "the request signature",
        ),
        none_of=("signature expired", "not yet current"),
        title="the signature does not match the request",
        explanation="The secret key is not the one of the access key id, or a header or the body was changed after signing, as "
        "proxies do.",
        remedy="Check that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together, and sign neither hop-by-hop headers "
        "nor "
        "through a proxy that rewrites them.",
    ),
)

INVALID_KEY = (
    Wording(
        "bearer-token-invalid",
        (
            "invalid bearer token",
            "please make sure your api key is valid",
            "invalid api key",
            "invalid_api_key",
            "bearer token is invalid",
            "invalid authentication token",
        ),
        title="the key is refused as invalid",
        explanation="The service does not know this bearer token: deleted, deactivated, reset, of another service, or not the "
        "key that was meant. Permissions were not looked at yet.",
        remedy="Look at the key with `mantle-iam key inspect` and at every variable that may hold another one "
        "(AWS_BEARER_TOKEN_BEDROCK, OPENAI_API_KEY). " + FRESH_KEY,
        confidence=Confidence.LIKELY,
        would_decide=("the key itself: `mantle-iam key inspect` tells its kind, Region and expiry offline",),
    ),
)

KEY_FORMAT = (
    Wording(
        "wrong-kind-of-key",
        ("invalid api key format", "must start with pre-defined prefix"),
        title="what was sent does not look like a Bedrock API key to bedrock-runtime",
        explanation="These words were seen for OpenAI keys, SSO tokens, JWTs, presigned URLs and access-key pairs, and once "
        "where only bedrock:CallWithBearerToken was missing.",
        remedy="Send a key that begins with ABSK or bedrock-api-key-; `mantle-iam key inspect` tells what the variable holds.",
        confidence=Confidence.LIKELY,
        reference=f"{GITHUB}/aws-solutions-library-samples/guidance-for-claude-code-with-amazon-bedrock/issues/784",
        would_decide=("the key itself: `mantle-iam key inspect`",),
    ),
)


def signature_time(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """``Signature expired: T1 is now earlier than T2``: on Mantle often an expired short-term key, not a clock.

    For a short-term key T1 is X-Amz-Date + X-Amz-Expires of the key; the parenthesis with the five minutes may be absent.
    """
    words = observation.words
    early = "not yet current" in words
    if not early and "signature expired" not in words:
        return ()
    first, second = _times(observation.quote if "20" in observation.quote else observation.exchange.body)
    keys = [key for key in sent_credentials(observation, case) if key.kind is CredentialKind.SHORT_TERM_KEY]
    same = next((key for key in keys if key.expires_at is not None and first == key.expires_at), None)
    if same is not None and not early:
        return (
            make(
                "bearer-token-expired",
                Confidence.CONCLUSIVE,
                (heard(observation), Evidence("the key itself", f"its time ended at {_iso(same.expires_at)}")),
                title="the short-term key is past its time",
                explanation="The time in the message is the end of the key's life, not the time of a wrong clock.",
                remedy=FRESH_KEY,
                reference=f"{USER_GUIDE}/api-keys-generate.html",
            ),
        )
    skew = _skew(observation)
    signed = observation.exchange.auth is Auth.SIGV4 or (not keys and _is_signers_answer(observation))
    if early or skew or signed or (keys and not _any_expired(keys, case)):
        evidence = [heard(observation)]
        if skew:
            evidence.append(Evidence("the answer's Date against this clock", skew))
        return (
            make(
                "clock-skew",
                Confidence.CONCLUSIVE if skew or early else Confidence.LIKELY,
                evidence,
                title="the clock of the signing machine is wrong" if not early else "the signature lies in the future",
                explanation="A signature counts for a few minutes around the server's time, and this one lies outside.",
                remedy="Set the clock (NTP; in WSL, Docker or a resumed VM restart time synchronisation), then sign again.",
                would_decide=() if skew or early else ("the answer's Date header against the local clock",),
            ),
        )
    evidence = [heard(observation)]
    if first and second:
        evidence.append(Evidence("the times in the message", f"{_iso(first)} against {_iso(second)}"))
    return (
        make(
            "bearer-token-expired",
            Confidence.LIKELY,
            evidence,
            title="the short-term key is past its time",
            explanation="With a bearer key this message means that the signature inside the key has run out. With a signed "
            "request "
            "it would mean a wrong clock.",
            remedy=FRESH_KEY + " If the request was signed instead, set the clock.",
            reference=f"{USER_GUIDE}/api-keys-generate.html",
            would_decide=("the key's own expiry: `mantle-iam key inspect`",),
        ),
    )


def _is_signers_answer(observation: Observation) -> bool:
    """Whether only a signed request is answered so: the exception's name, or the fifteen minutes of other services."""
    words = observation.words
    return "- 15 min" in words or any(name in words for name in ("signaturedoesnotmatch", "invalidsignatureexception"))


def scope(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """``Credential should be scoped to …``: the signature's own scope, or that of a short-term key of another Region."""
    row = first_wording(SCOPES, observation, case)
    if row is None:
        return ()
    region_words = "region" in observation.words
    for key in sent_credentials(observation, case):
        if region_words and (found := wrong_region(key, observation.region or case.region)):
            return (_with(found, observation, Confidence.CONCLUSIVE),)
    diagnosis = told(row, observation, case)
    signed = observation.exchange
    if signed.signing_service:
        evidence = Evidence(
            "the signature",
            f"was made for the service {signed.signing_service} in {signed.signing_region or 'no Region'}",
        )
        return (_adding(diagnosis, evidence),)
    return (diagnosis,)


def key_format(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """bedrock-runtime's "Invalid API Key format": a wrong kind of key, or a missing permission in disguise."""
    row = first_wording(KEY_FORMAT, observation, case)
    if row is None:
        return ()
    keys = sent_credentials(observation, case)
    bedrock = {CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY}
    for key in keys:
        if found := wrong_kind(key, case) or flawed(key):
            return (_with(found, observation, Confidence.CONCLUSIVE),)
    permission = make(
        "missing-permission",
        Confidence.LIKELY if keys and keys[0].kind in bedrock else Confidence.INCONCLUSIVE,
        (heard(observation),),
        title="bedrock:CallWithBearerToken may be missing",
        explanation="bedrock-runtime was seen to answer so where the principal lacked bedrock:CallWithBearerToken, although "
        "the "
        "key was well formed.",
        remedy="Allow bedrock:CallWithBearerToken on resource * to the principal of the key.",
        reference=row.reference,
        effect="implicit",
        actions=("bedrock:CallWithBearerToken",),
        resource="*",
        would_decide=("the key itself: `mantle-iam key inspect`", "the policies of the principal"),
    )
    if keys and keys[0].kind in bedrock:
        return (permission,)
    return (told(row, observation, case), permission)


def invalid_key(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """A bearer token that is refused: what is known of the key offline says more than the message."""
    row = first_wording(INVALID_KEY, observation, case)
    if row is None:
        return ()
    if observation.control:
        return (told(row, observation, case),)
    region = observation.region or case.region
    for key in sent_credentials(observation, case):
        found = wrong_kind(key, case) or flawed(key) or expired(key, case.now)
        if found:
            return (_with(found, observation, Confidence.CONCLUSIVE),)
        if found := wrong_region(key, region):
            # Which words a key of another Region gets on Mantle is not known, so the match of the two stays an inference.
            return (_with(found, observation, Confidence.LIKELY),)
        if key.kind in {CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY}:
            told_ = told(row, observation, case, Confidence.CONCLUSIVE)
            return (_adding(told_, Evidence("the key itself", f"{key.masked} is a well-formed {key.kind.value}")),)
    diagnoses = [told(row, observation, case)]
    if "please make sure your api key is valid" in observation.words:
        diagnoses.append(_perhaps_other_region(observation, case))
    return tuple(diagnoses)


def by_words(observation: Observation, case: Case) -> tuple[Diagnosis, ...]:
    """What the words alone say about the credential."""
    row = first_wording(WORDINGS, observation, case)
    if row is None:
        return ()
    diagnosis = told(row, observation, case)
    if row.code == "security-token-invalid" and observation.endpoint:
        other = [key for key in sent_credentials(observation, case) if wrong_region(key, observation.region)]
        if other and observation.endpoint.kind is EndpointKind.MANTLE:
            evidence = Evidence(
                "the key itself", f"was made for {other[0].region}, and {observation.region} was called"
            )
            return (_adding(diagnosis, evidence),)
    return (diagnosis,)


def _perhaps_other_region(observation: Observation, case: Case) -> Diagnosis:
    return make(
        "bearer-token-wrong-region",
        Confidence.INCONCLUSIVE,
        (heard(observation),),
        title="the short-term key may belong to another Region",
        explanation="bedrock-runtime was seen to answer so to a short-term key of another Region; the key itself would tell.",
        remedy="Make the short-term key in the Region that is called; it works nowhere else.",
        would_decide=("the key's own Region: `mantle-iam key inspect`",),
    )


def _with(offline: Diagnosis, observation: Observation, confidence: Confidence) -> Diagnosis:
    """An offline finding, now with the refusal that it explains."""
    return make(
        offline.code,
        confidence,
        (heard(observation), *offline.evidence),
        title=offline.title,
        explanation=offline.explanation,
        remedy=offline.remedy,
        reference=offline.reference,
        would_decide=() if confidence is Confidence.CONCLUSIVE else offline.would_decide,
    )


def _adding(diagnosis: Diagnosis, evidence: Evidence) -> Diagnosis:
    return make(
        diagnosis.code,
        diagnosis.confidence,
        (*diagnosis.evidence, evidence),
        title=diagnosis.title,
        explanation=diagnosis.explanation,
        remedy=diagnosis.remedy,
        reference=diagnosis.reference,
        would_decide=() if diagnosis.confidence is Confidence.CONCLUSIVE else diagnosis.would_decide,
    )


def _any_expired(keys: list[Credential], case: Case) -> bool:
    return any(key.expires_at is None or case.now is None or key.expires_at <= case.now for key in keys)


def _skew(observation: Observation) -> str | None:
    """How far our clock was from the server's, when that alone explains a refused signature."""
    sent, stated = observation.exchange.sent_at, observation.exchange.header("date")
    if sent is None or stated is None:
        return None
    from email.utils import parsedate_to_datetime

    try:
        server = parsedate_to_datetime(stated)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if server.tzinfo is None or sent.tzinfo is None:
        return None
    apart = sent - server
    if abs(apart) < timedelta(minutes=4):
        return None
    minutes = round(abs(apart).total_seconds() / 60)
    return f"this clock is {minutes} minutes {'ahead of' if apart > timedelta() else 'behind'} the server's"


def _times(text: str) -> tuple[datetime | None, datetime | None]:
    """The first two ``20261122T101500Z`` in ``text``."""
    found: list[datetime] = []
    for word in text.replace("(", " ").replace(")", " ").replace('"', " ").replace("'", " ").split():
        stamp = word.strip(".,;:")
        if len(stamp) == 16 and stamp[8] == "T" and stamp[-1] == "Z" and stamp[:8].isascii():
            try:
                found.append(datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
            except ValueError:
                continue
        if len(found) == 2:
            break
    return (found[0] if found else None), (found[1] if len(found) > 1 else None)


def _iso(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "an unknown time"
