"""Who probes and where: the credential, the regions and the base URLs of one run, settled before anything is sent.

Decides precedence and trust; sends nothing to the service.  The rules: what is named on the command line wins, then a key in
the environment, then the AWS credential chain, as in the SDKs of OpenAI and Anthropic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from mantle_iam.diagnose.case import FoundCredential
from mantle_iam.errors import InputError
from mantle_iam.mantle.credential import Credential, CredentialFlaw, CredentialKind, read_credential
from mantle_iam.mantle.endpoint import Endpoint, EndpointKind, is_region_name, mantle_origin, parse_base_url
from mantle_iam.mantle.exchange import Auth
from mantle_iam.mantle.models import read_model_id
from mantle_iam.mantle.operations import AuthMethod, Operation, operation_named, operations
from mantle_iam.mantle.recipes import DEFAULT_MODEL
from mantle_iam.probe.auth import AwsCredentials, bearer_headers
from mantle_iam.probe.aws import AwsSession, ChainResult, EndpointUrls
from mantle_iam.probe.discover import (
    BEDROCK_KEYS,
    KEY_VARIABLES,
    BaseUrl,
    FoundKey,
    Keys,
    discover_base_urls,
    discover_keys,
    discover_region,
)
from mantle_iam.probe.plan import CONTROL_PATH
from mantle_iam.probe.trust import TrustedHost, check_trust, is_http_url

DEFAULT_REGION = "us-east-1"
"""Where Mantle has most models; taken, with a note, when nothing names a region."""

_BEDROCK_ONLY = frozenset(entry.name for entry in KEY_VARIABLES if entry.bedrock_only)
_DAMAGED = frozenset(
    {CredentialFlaw.TRUNCATED, CredentialFlaw.UNDECODABLE, CredentialFlaw.EMPTY, CredentialFlaw.UNEXPANDED}
)
_MAX_REGIONS = 40
_AWS_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ORGANIZATIONS")


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """What the caller of ``probe`` may choose.  Secrets come wrapped (``key``)."""

    operations: tuple[str, ...] = ()
    model: str | None = None
    project: str | None = None
    regions: tuple[str, ...] = ()
    base_url: str | None = None
    trust_hosts: tuple[str, ...] = ()
    timeout: float = 15.0
    """Seconds for one exchange."""
    spend: bool = False
    runtime: bool = False
    """Send the credential to bedrock-runtime too, when that would decide."""
    key: FoundKey | None = None
    """A key from a file or standard input."""
    key_variable: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    read_policies: bool = True
    iam_endpoint_url: str | None = None
    """Where IAM and STS are, when not at AWS."""
    policy: bool = True
    """Propose a policy."""
    pause: float = 2.0
    """Seconds before the same call is sent again."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One run, settled."""

    options: ProbeOptions
    keys: Keys
    credential: Credential
    key: FoundKey | None
    aws: AwsSession
    chain: ChainResult | None
    """``None`` while the chain has not been asked: a key is used."""
    auth: Auth
    method: AuthMethod | None
    regions: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    """One for each region."""
    trusted: tuple[TrustedHost, ...]
    asked: tuple[Operation, ...]
    reads_policies: bool
    reads_organization: bool
    notes: tuple[str, ...]
    unsent: str | None
    """Why the credential is not sent, when it is not."""

    @property
    def model(self) -> str:
        """The bare id to probe with."""
        return read_model_id(self.options.model).bare if self.options.model else DEFAULT_MODEL

    def found(self, chain: ChainResult | None) -> tuple[FoundCredential, ...]:
        """Everything that was found, for the report."""
        keys = tuple(FoundCredential(key.where, key.credential, key.used) for key in self.keys.found)
        if chain is None or chain.credentials is None:
            return keys
        return (*keys, FoundCredential(chain.where, aws_credential(chain.credentials), used=self.key is None))


def prepare(options: ProbeOptions, environ: Mapping[str, str]) -> Setup:
    """Settle one run.

    Raises:
        InputError: an option cannot be used, or would send the credential to a host that is not trusted.
        UndeterminedError: the role could not be assumed.
    """
    named_aws = options.profile is not None or options.role_arn is not None
    asked = tuple(_operation(name) for name in options.operations)
    _check_texts(options)
    keys = discover_keys(environ, explicit=options.key, variable=options.key_variable, use=not named_aws)
    aws = AwsSession(environ, options.profile, options.role_arn, _endpoint_urls(options, environ))
    chain = None if keys.used else aws.credentials()
    notes = list(keys.notes)
    if chain is not None and chain.problem:
        notes.append(f"the AWS credential chain failed: {chain.problem}")
    credential = _credential(keys, chain)
    chosen, base_notes = _base_url(options, environ, keys)
    regions, region_notes = _regions(options, environ, chosen, credential, aws)
    endpoints = tuple(_endpoint(chosen, region) for region in regions)
    trusted = tuple(TrustedHost.parse(text) for text in options.trust_hosts)
    for endpoint in endpoints:
        check_trust(endpoint.origin, trusted)
    loopback = any(endpoint.kind is EndpointKind.LOOPBACK for endpoint in endpoints)
    urls = _endpoint_urls(options, environ)
    elsewhere = urls.iam is not None or urls.sts is not None
    return Setup(
        options=options,
        keys=keys,
        credential=credential,
        key=keys.used,
        aws=aws,
        chain=chain,
        auth=Auth.BEARER if keys.used else Auth.SIGV4,
        method=_method(credential, bearer=keys.used is not None),
        regions=regions,
        endpoints=endpoints,
        trusted=trusted,
        asked=asked,
        # Who stands in for the service on this machine has no account at AWS.
        reads_policies=options.read_policies and (elsewhere or not loopback),
        reads_organization=urls.organizations is not None or not elsewhere,
        notes=(*notes, *base_notes, *region_notes),
        unsent=_unsent(keys.used, chain, options.key_variable),
    )


def aws_credential(credentials: AwsCredentials) -> Credential:
    """The record of an access key."""
    read = read_credential(credentials.access_key_id)
    return replace(read, kind=CredentialKind.AWS_ACCESS_KEY, flaws=(), temporary=credentials.temporary)


def _credential(keys: Keys, chain: ChainResult | None) -> Credential:
    if keys.used:
        return keys.used.credential
    if chain and chain.credentials:
        return aws_credential(chain.credentials)
    return Credential(CredentialKind.NONE, "")


def _method(credential: Credential, *, bearer: bool) -> AuthMethod | None:
    if bearer and credential.kind is CredentialKind.AWS_ACCESS_KEY:
        # It stands where a key belongs, so it would be sent as one; that it cannot work is for the diagnosis to say.
        return AuthMethod.LONG_TERM_KEY
    return {
        CredentialKind.LONG_TERM_KEY: AuthMethod.LONG_TERM_KEY,
        CredentialKind.SHORT_TERM_KEY: AuthMethod.SHORT_TERM_KEY,
        CredentialKind.AWS_ACCESS_KEY: AuthMethod.SIGV4,
    }.get(credential.kind)


def _unsent(key: FoundKey | None, chain: ChainResult | None, named: str | None) -> str | None:
    """Why there is nothing to send, or why what there is stays here."""
    if key is None:
        return None if chain and chain.credentials else "no credential was found"
    credential = key.credential
    if credential.kind is CredentialKind.NONE:
        return "it is empty"
    if credential.kind not in BEDROCK_KEYS:
        # An unknown form may be a new one; what is plainly another vendor's secret is not AWS's to see.
        meant = key.where in _BEDROCK_ONLY or key.where == named or key.where.startswith("--")
        if credential.kind is not CredentialKind.UNKNOWN or not meant:
            return "it is not a Bedrock API key, so it was not sent"
    if _DAMAGED.intersection(credential.flaws):
        return "it is damaged, so it was not sent"
    try:
        bearer_headers(key.secret)
    except InputError as error:
        return error.message
    return None


def _operation(name: str) -> Operation:
    found = operation_named(name)
    if found is not None:
        return found
    names = [operation.name for operation in operations()]
    near = get_close_matches(name[:80], names, n=1)
    raise InputError(
        f"`{name[:80]}` is not an operation",
        help=f"did you mean {near[0]}?" if near else "the operations are " + ", ".join(names),
    )


def _check_texts(options: ProbeOptions) -> None:
    # Both go into a URL or a header.
    for what, text in (("model id", options.model), ("project", options.project)):
        if text is not None and (not text or len(text) > 2048 or any(not "!" <= mark <= "~" for mark in text)):
            raise InputError(f"the {what} is empty or holds blanks or characters that no id has")
    if not 0 < options.timeout <= 600:
        raise InputError("the time limit must be between 0 and 600 seconds")
    if len(options.regions) > _MAX_REGIONS:
        raise InputError(f"more than {_MAX_REGIONS} regions were named")


def _endpoint_urls(options: ProbeOptions, environ: Mapping[str, str]) -> EndpointUrls:
    given = [("--iam-endpoint-url", options.iam_endpoint_url), *((name, environ.get(name)) for name in _AWS_ENDPOINTS)]
    for where, url in given:
        if url and not is_http_url(url):
            raise InputError(f"{where} is not an http or https URL", help="it reads like http://127.0.0.1:4566")
    general = options.iam_endpoint_url or environ.get("AWS_ENDPOINT_URL")
    iam = options.iam_endpoint_url or environ.get("AWS_ENDPOINT_URL_IAM") or general
    # An IAM that is not AWS's goes with an STS that is not AWS's.
    sts = environ.get("AWS_ENDPOINT_URL_STS") or general or iam
    return EndpointUrls(iam, sts, environ.get("AWS_ENDPOINT_URL_ORGANIZATIONS") or environ.get("AWS_ENDPOINT_URL"))


def _base_url(options: ProbeOptions, environ: Mapping[str, str], keys: Keys) -> tuple[BaseUrl | None, tuple[str, ...]]:
    found = discover_base_urls(environ, options.base_url)
    notes = [f"{url.where}: {flaw}" for url in found for flaw in url.endpoint.flaws]
    if options.base_url is not None:
        return found[0], tuple(notes)
    usable = [url for url in found if _usable(url, options, keys)]
    origins = {url.endpoint.origin for url in usable}
    notes += [
        f"{url.where} points to `{url.endpoint.host}`, which is not Mantle; it was not used"
        for url in found
        if url not in usable and url.endpoint.origin not in origins
    ]
    own = next((entry.base_url for entry in KEY_VARIABLES if keys.used and entry.name == keys.used.where), None)
    usable.sort(key=lambda url: url.where != own)
    if len({url.endpoint.origin for url in usable}) > 1:
        listed = ", ".join(f"{url.where}={url.endpoint.base_url}" for url in usable)
        notes.append(f"several hosts are set ({listed}); {usable[0].where} was used")
    if not usable:
        return None, tuple(notes)
    return _without_client_default(usable[0], notes), tuple(notes)


def _without_client_default(url: BaseUrl, notes: list[str]) -> BaseUrl:
    """``/openai/v1`` is what openai-python's Bedrock client has by itself: right for its models, and no place to list any."""
    if url.where != "AWS_BEDROCK_BASE_URL" or url.endpoint.base_path != "/openai/v1":
        return url
    notes.append("AWS_BEDROCK_BASE_URL ends in /openai/v1, which has no model list: models were asked for under /v1")
    return BaseUrl(url.where, parse_base_url(url.endpoint.origin + CONTROL_PATH))


def _usable(url: BaseUrl, options: ProbeOptions, keys: Keys) -> bool:
    kind = url.endpoint.kind
    if kind is EndpointKind.LOOPBACK:
        # A local model server is a common value of OPENAI_BASE_URL; only its own key is meant for it.
        return url.where != "OPENAI_BASE_URL" or (keys.used is not None and keys.used.where == "OPENAI_API_KEY")
    return kind is EndpointKind.MANTLE or any(
        TrustedHost.parse(text).host == url.endpoint.host for text in options.trust_hosts
    )


def _regions(
    options: ProbeOptions,
    environ: Mapping[str, str],
    chosen: BaseUrl | None,
    credential: Credential,
    aws: AwsSession,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if options.regions:
        for region in options.regions:
            if not is_region_name(region):
                mantle_origin(region)  # raises, with the nearest name
        return tuple(dict.fromkeys(options.regions)), ()
    if chosen is not None and chosen.endpoint.region is not None:
        return (chosen.endpoint.region,), ()

    def profile_region() -> str | None:
        # Asking the profile imports botocore; a key that names its region makes it unnecessary.
        if credential.region:
            return None
        try:
            return aws.region()
        except InputError:
            if options.profile is not None:
                raise
            return None  # AWS_PROFILE names none; nobody asked for it here

    found = discover_region(environ, profile_region)
    if found is not None:
        region, where = found
        if not is_region_name(region):
            raise InputError(f"{where} is not the name of a region", help="set it to something like us-east-1")
        return (region,), ()
    if credential.region and is_region_name(credential.region):
        return (credential.region,), (f"no region was named; {credential.region}, the key's own, was used",)
    return (DEFAULT_REGION,), (
        f"no region was named; {DEFAULT_REGION} was used (--region or AWS_REGION names another)",
    )


def _endpoint(chosen: BaseUrl | None, region: str) -> Endpoint:
    if chosen is None:
        return parse_base_url(mantle_origin(region) + CONTROL_PATH)
    endpoint = chosen.endpoint
    if endpoint.kind is EndpointKind.MANTLE and endpoint.region != region:
        return parse_base_url(mantle_origin(region) + endpoint.base_path)
    return endpoint
