"""Which key, base URL and region an application here would use, and where each comes from.

Reads the mapping it is given as the environment, sends nothing, and knows no AWS credential chain (``aws.py`` does).  A client
picks by its own rules, so everything that is found is listed and the clients that disagree are named.

Sources: the variables that openai-python (``openai/lib/bedrock.py``), anthropic (``anthropic/lib/bedrock/_mantle.py``) and
litellm (https://docs.litellm.ai/docs/providers/bedrock_mantle) read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mantle_iam.errors import InputError
from mantle_iam.mantle.credential import Credential, CredentialKind, cleaned, read_credential
from mantle_iam.mantle.endpoint import Endpoint, EndpointKind, parse_base_url
from mantle_iam.probe.secret import Secret

BEDROCK_KEYS = frozenset({CredentialKind.LONG_TERM_KEY, CredentialKind.SHORT_TERM_KEY})


@dataclass(frozen=True, slots=True)
class KeyVariable:
    """An environment variable that clients send as a bearer key."""

    name: str
    base_url: str | None
    """The variable that says where the same client sends it."""
    bedrock_only: bool
    """What it holds can only be meant for Bedrock; else it may belong to another vendor."""


# The order is our precedence.  The documented variable of all clients comes first; the vendors' own variables last, and only
# when they hold a Bedrock key or their base URL points to Mantle: mostly they are set for the vendor's own service.
KEY_VARIABLES = (
    KeyVariable("AWS_BEARER_TOKEN_BEDROCK", "AWS_BEDROCK_BASE_URL", bedrock_only=True),
    KeyVariable("BEDROCK_MANTLE_API_KEY", "BEDROCK_MANTLE_API_BASE", bedrock_only=True),
    KeyVariable("OPENAI_API_KEY", "OPENAI_BASE_URL", bedrock_only=False),
    KeyVariable("ANTHROPIC_AWS_API_KEY", "ANTHROPIC_BEDROCK_MANTLE_BASE_URL", bedrock_only=False),
    KeyVariable("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", bedrock_only=False),
)

BASE_URL_VARIABLES = (
    "OPENAI_BASE_URL",
    "AWS_BEDROCK_BASE_URL",
    "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
    "BEDROCK_MANTLE_API_BASE",
)

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", "BEDROCK_MANTLE_REGION")


@dataclass(frozen=True, slots=True)
class Client:
    """Which of the variables a client sends, the first that is set; then the AWS credential chain, where it has one."""

    name: str
    keys: tuple[str, ...]
    chain: bool


CLIENTS = (
    Client("openai-python `OpenAI()`", ("OPENAI_API_KEY",), chain=False),
    Client("openai-python `BedrockOpenAI()`", ("AWS_BEARER_TOKEN_BEDROCK",), chain=True),
    Client("anthropic `AnthropicBedrockMantle()`", ("AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_AWS_API_KEY"), chain=True),
    Client("litellm", ("BEDROCK_MANTLE_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"), chain=True),
)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A bearer key, where it was found, and what it reveals.  The text to send is wrapped."""

    where: str
    credential: Credential
    secret: Secret
    used: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys found (one of them used, or none), and what should be known about them."""

    found: tuple[FoundKey, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> FoundKey | None:
        """The key that would be sent."""
        return next((key for key in self.found if key.used), None)


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A base URL and where it was found."""

    where: str
    endpoint: Endpoint


def explicit_key(text: str, where: str) -> FoundKey:
    """The key that a file or standard input held."""
    return FoundKey(where, read_credential(text), Secret(cleaned(text)), used=True)


def discover_keys(
    environ: Mapping[str, str], *, explicit: FoundKey | None = None, variable: str | None = None, use: bool = True
) -> Keys:
    """Every bearer key in ``environ`` and the explicit one.

    ``variable`` names the environment variable to use, whatever precedence says; with ``use`` false none is used, because AWS
    credentials were named explicitly.

    Raises:
        InputError: ``variable`` is not set.
    """
    if variable is not None and not environ.get(variable):
        raise InputError(f"the environment variable `{variable}` is not set")
    names = tuple(entry.name for entry in KEY_VARIABLES)
    wanted = names if variable is None or variable in names else (*names, variable)
    found = [
        FoundKey(name, read_credential(environ[name]), Secret(cleaned(environ[name])))
        for name in wanted
        if environ.get(name)
    ]
    chosen = None
    if explicit is None and use:
        chosen = variable or next((key.where for key in found if _means_bedrock(key, environ)), None)
    keys = tuple(FoundKey(key.where, key.credential, key.secret, used=key.where == chosen) for key in found)
    all_keys = keys if explicit is None else (explicit, *keys)
    return Keys(all_keys, _disagreements(all_keys))


def _means_bedrock(key: FoundKey, environ: Mapping[str, str]) -> bool:
    entry = next((entry for entry in KEY_VARIABLES if entry.name == key.where), None)
    if entry is None or entry.bedrock_only or key.credential.kind in BEDROCK_KEYS:
        return True
    url = environ.get(entry.base_url, "") if entry.base_url else ""
    endpoint = _try_parse(url)
    return endpoint is not None and endpoint.kind is EndpointKind.MANTLE


def _disagreements(keys: tuple[FoundKey, ...]) -> tuple[str, ...]:
    """A note when Bedrock keys differ: a stale one in the environment beats a good role, and says nothing."""
    bedrock = [key for key in keys if key.used or key.credential.kind in BEDROCK_KEYS]
    if len(bedrock) < 2 or all(key.secret == bedrock[0].secret for key in bedrock):
        return ()
    names = {key.where for key in keys}
    sends = []
    for client in CLIENTS:
        variable = next((name for name in client.keys if name in names), None)
        if variable is not None:
            sends.append(f"{client.name} sends {variable}")
    listed = ", ".join(key.where for key in bedrock)
    return (f"{len(bedrock)} different keys were found ({listed}): " + "; ".join(sends),)


def chain_note(keys: Keys, chain_where: str) -> str | None:
    """What to say when a key in the environment hides AWS credentials; ``None`` when it does not."""
    key = keys.used
    if key is None or key.where not in {entry.name for entry in KEY_VARIABLES}:
        return None
    return (
        f"AWS credentials were found too ({chain_where}), but {key.where} wins in openai-python, anthropic and litellm; "
        "unset it to use them"
    )


def discover_base_urls(environ: Mapping[str, str], explicit: str | None) -> tuple[BaseUrl, ...]:
    """Every base URL, the explicit one first, then in the order of ``BASE_URL_VARIABLES``.

    Raises:
        InputError: the explicit one is no http(s) URL.  A variable that holds none is left out.
    """
    found = [BaseUrl("--base-url", parse_base_url(explicit))] if explicit is not None else []
    for name in BASE_URL_VARIABLES:
        endpoint = _try_parse(environ.get(name, ""))
        if endpoint is not None:
            found.append(BaseUrl(name, endpoint))
    return tuple(found)


def discover_region(environ: Mapping[str, str], profile_region: Callable[[], str | None]) -> tuple[str, str] | None:
    """Region and where it was found, or ``None``.  ``profile_region`` is asked last, since it costs an import."""
    for name in REGION_VARIABLES:
        if environ.get(name, "").strip():
            return environ[name].strip(), name
    region = profile_region()
    return (region, "the AWS profile") if region else None


def _try_parse(url: str) -> Endpoint | None:
    if not url.strip():
        return None
    try:
        return parse_base_url(url)
    except InputError:
        return None
