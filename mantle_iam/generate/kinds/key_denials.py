"""Denials about API keys: their use, by type, and the making of long-term ones.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-permissions.html,
https://github.com/aws-samples/service-control-policy-examples (and its pull request 29: both actions).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from mantle_iam.errors import InputError
from mantle_iam.generate.kinds.denial import ACCOUNT, Built, deny, request_for, spellings, with_key
from mantle_iam.generate.kinds.limits import checked_age
from mantle_iam.generate.kinds.wish import Wish
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.request import AuthorizationRequest
from mantle_iam.mantle.overlay import BEARER_ACTION, BEARER_TYPE_KEY, RUNTIME_BEARER_ACTION

RUNTIME_BEARER_TYPE_KEY: Final = "bedrock:BearerTokenType"
KEY_SERVICE: Final = "bedrock.amazonaws.com"
"""``ServiceName`` of a long-term key: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-generate.html"""
KEY_SERVICE_KEY: Final = "iam:ServiceSpecificCredentialServiceName"
KEY_AGE_KEY: Final = "iam:ServiceSpecificCredentialAgeDays"
KEY_USER: Final = f"arn:aws:iam::{ACCOUNT}:user/example"

_TWINS: Final = (
    (BEARER_ACTION, BEARER_TYPE_KEY, "OnMantle"),
    (RUNTIME_BEARER_ACTION, RUNTIME_BEARER_TYPE_KEY, "OnBedrock"),
)


def keys_of_type(sid: str, denied: str, kept: str) -> Callable[[Wish], Built]:
    """A denial of the calls with keys of the type ``denied``; those of ``kept`` go on."""

    def build(_: Wish) -> Built:
        statements = tuple(
            deny(f"{sid}{where}", action, conditions=(Condition("StringEquals", key, (denied,)),))
            for action, key, where in _TWINS
        )
        return Built(
            statements,
            denied=tuple(
                with_key(request_for(spelling), name, denied)
                for action, key, _ in _TWINS
                for spelling in spellings(action)
                # An older page of AWS spells the key `bearerTokenType`; keys are compared without case.
                for name in (key, key.replace("Bearer", "bearer"))
            ),
            kept=(
                *(with_key(request_for(action), key, kept) for action, key, _ in _TWINS),
                # The twin's key says nothing about this call, and a call without the key is not known to be of that type.
                *(with_key(request_for(BEARER_ACTION), RUNTIME_BEARER_TYPE_KEY, denied),),
                *(request_for(action) for action, _, _ in _TWINS),
            ),
            notes=(
                f"both actions are named, each with its own key: denying {RUNTIME_BEARER_ACTION} alone leaves Mantle open",
                "a call with a key whose BearerTokenType AWS did not send would not be denied; AWS documents the key for "
                "every such call, and all-keys denies without asking for it",
            ),
        )

    return build


def all_keys(_: Wish) -> Built:
    """Calls with any key; nothing is asked of its type, so a call without one is denied too."""
    return Built(
        (deny("NoKeys", RUNTIME_BEARER_ACTION, BEARER_ACTION),),
        denied=tuple(
            request
            for action, key, _ in _TWINS
            for spelling in spellings(action)
            for request in (
                request_for(spelling),
                with_key(request_for(spelling), key, "LONG_TERM"),
                with_key(request_for(spelling), key, "SHORT_TERM"),
            )
        ),
        kept=(),
        notes=("clients that make a short-term key of a role (Strands, some gateways) are refused too",),
    )


_CREATE_KEY: Final = "iam:CreateServiceSpecificCredential"
_RESET_KEY: Final = "iam:ResetServiceSpecificCredential"


def _key_requests(action: str, service: str) -> Iterator[AuthorizationRequest]:
    for spelling in spellings(action):
        yield with_key(request_for(spelling, KEY_USER), KEY_SERVICE_KEY, service)


def key_creation(_: Wish) -> Built:
    """Making and resetting long-term Bedrock keys; other services' credentials are let be."""
    actions = (_CREATE_KEY, _RESET_KEY)
    return Built(
        (deny("NoKeyCreation", *actions, conditions=(Condition("StringEquals", KEY_SERVICE_KEY, (KEY_SERVICE,)),)),),
        denied=tuple(request for action in actions for request in _key_requests(action, KEY_SERVICE)),
        kept=(
            *(
                request
                for action in actions
                for service in ("codecommit.amazonaws.com", "cassandra.amazonaws.com")
                for request in _key_requests(action, service)
            ),
            # Who may not make keys must still be able to take them away.
            *_key_requests("iam:DeleteServiceSpecificCredential", KEY_SERVICE),
            *_key_requests("iam:UpdateServiceSpecificCredential", KEY_SERVICE),
        ),
        notes=(
            "resetting a key is denied with creating one, since it hands out a new secret",
            "short-term keys are made without any call to AWS, so only their use can be denied: --deny short-term-keys",
        ),
    )


def old_keys(wish: Wish) -> Built:
    """Making long-term keys that are to live longer than ``max_key_age_days``, or for ever.

    Raises:
        InputError: no age is said, or it is none.
    """
    days = checked_age(wish.max_key_age_days)
    if days is None:
        raise InputError("`old-keys` needs the greatest age of a key", help="--max-key-age takes days, such as 90")
    create = with_key(request_for(_CREATE_KEY, KEY_USER), KEY_SERVICE_KEY, KEY_SERVICE)
    return Built(
        (
            deny(
                "NoOldKeys",
                _CREATE_KEY,
                conditions=(
                    Condition("StringEquals", KEY_SERVICE_KEY, (KEY_SERVICE,)),
                    # IfExists: without an age the key never expires, and the condition key is not there to be compared.
                    Condition("NumericGreaterThanIfExists", KEY_AGE_KEY, (str(days),)),
                ),
            ),
        ),
        denied=(
            create,
            with_key(create, KEY_AGE_KEY, str(days + 1)),
            with_key(create, KEY_AGE_KEY, "1000000"),
            *(replace(create, action=spelling) for spelling in spellings(_CREATE_KEY)),
        ),
        kept=(
            with_key(create, KEY_AGE_KEY, str(days)),
            with_key(create, KEY_AGE_KEY, "1"),
            *_key_requests(_CREATE_KEY, "codecommit.amazonaws.com"),
        ),
        notes=(
            f"keys that are to live more than {days} days, or for ever, are not made; keys that exist are not touched",
            "that a request without an age lacks iam:ServiceSpecificCredentialAgeDays is an inference; the condition holds "
            "either way for a longer one",
        ),
    )
