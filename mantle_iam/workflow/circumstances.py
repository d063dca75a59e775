"""An authorization request in the circumstances of a case: which context keys are known, absent, or unknown.

A key that the request surely does not carry is left out (absent); a key that it may carry with a value that we do not know is
*unknown*, so that no statement with it decides by accident.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from dataclasses import replace

from mantle_iam.diagnose.case import Case
from mantle_iam.iam.request import AuthorizationRequest, ContextValue
from mantle_iam.mantle import catalog, overlay
from mantle_iam.mantle.call_context import DERIVED, SETTLED, TOKEN_TYPES, asked_keys
from mantle_iam.mantle.operations import AuthMethod


def token_type(auth: AuthMethod | None) -> str | None:
    """What ``bedrock-mantle:BearerTokenType`` holds in a call with that way of authenticating."""
    return TOKEN_TYPES.get(auth) if auth else None


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
    context |= {key: value for key, value in SETTLED.items() if value is not None and key not in have}
    have = {key.lower() for key in context} | set(SETTLED)
    asked = {key.lower() for key in asked_keys(case.policies)} if case.policies else set()
    unknown = {key for key in asked if key not in have and key not in DERIVED and _possible(key, carried)}
    return replace(request, context=context, unknown_context=request.unknown_context | unknown)


def _possible(key: str, carried: set[str]) -> bool:
    """Whether the request may carry ``key``.  A key of the service comes only with the actions that declare it.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockpoweredbyawsmantle.html
    """
    return not key.startswith(f"{overlay.SERVICE}:") or key in carried
