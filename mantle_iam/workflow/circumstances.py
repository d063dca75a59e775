"""An authorization request in the circumstances of a case: which context keys are known, absent, or unknown.

A key that the request surely does not carry is left out (absent); a key that it may carry with a value that we do not know is
*unknown*, so that no statement with it decides by accident.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mantle_iam.diagnose.case import Case
from mantle_iam.iam.policy import PolicyDocument
from mantle_iam.iam.request import AuthorizationRequest, ContextValue, PolicySet
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.operations import AuthMethod

_TOKEN_TYPES = {AuthMethod.SHORT_TERM_KEY: "SHORT_TERM", AuthMethod.LONG_TERM_KEY: "LONG_TERM"}

# Keys that the evaluation derives from principal and resource.
_DERIVED = frozenset(
    ("aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:resourceaccount", "aws:username")
)

# Keys of a direct call over TLS whose value is known, or that are absent (None).
_SETTLED: dict[str, str | None] = {
    "aws:securetransport": "true",
    "aws:viaawsservice": "false",
    "aws:calledvia": None,
    "aws:calledviafirst": None,
    "aws:calledvialast": None,
}


def token_type(auth: AuthMethod | None) -> str | None:
    """What ``bedrock-mantle:BearerTokenType`` holds in a call with that way of authenticating."""
    return _TOKEN_TYPES.get(auth) if auth else None


def circumstances(request: AuthorizationRequest, case: Case, auth: AuthMethod | None) -> AuthorizationRequest:
    """``request`` with what the case tells of its context, and every other key that a policy asks for as unknown."""
    context: dict[str, ContextValue | None] = dict(request.context)
    have = {key.lower() for key in context}
    carried = {key.lower() for key in catalog.condition_keys(request.action)} if case.policies else set()
    known = {overlay.MODEL_KEY: case.model, overlay.BEARER_TYPE_KEY: token_type(auth)}
    context |= {
        key: value
        for key, value in known.items()
        if value is not None and key.lower() not in have and catalog.carries(request.action, key)
    }
    context |= {key: value for key, value in _SETTLED.items() if value is not None and key not in have}
    have = {key.lower() for key in context} | set(_SETTLED)
    asked = set(_asked_keys(case.policies)) if case.policies else set()
    unknown = {key for key in asked if key not in have and key not in _DERIVED and _possible(key, carried)}
    return replace(request, context=context, unknown_context=request.unknown_context | unknown)


def _possible(key: str, carried: set[str]) -> bool:
    """Whether the request may carry ``key``.  A key of the service comes only with the actions that declare it.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html
    """
    return not key.startswith(f"{overlay.SERVICE}:") or key in carried


def _asked_keys(policies: PolicySet) -> Iterator[str]:
    for document in _documents(policies):
        for statement in document.statements:
            for condition in statement.conditions:
                yield condition.key.lower()


def _documents(policies: PolicySet) -> Iterator[PolicyDocument]:
    yield from policies.identity
    for layer in (policies.permissions_boundary, policies.session, policies.vpc_endpoint, policies.resource):
        yield from layer or ()
    for levels in (policies.scp, policies.rcp):
        for level in levels or ():
            yield from level
