"""The request context: keys that were given, keys that are unknown, and keys that follow from principal and resource.

Source of the derived ones: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html and the
table of principal key values in .../reference_policies_variables.html.  Keys whose value only AWS can know (``aws:userid`` of
a user, ``aws:SourceIp`` ...) are absent unless given or declared unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mantle_iam.iam.principals import Caller, CallerKind
from mantle_iam.iam.request import ContextValue
from mantle_iam.iam.services import CONTESTED_KEYS

Found = ContextValue | None | frozenset[str]
_NOTHING: Mapping[str, str] = {}


def _principal_arn(caller: Caller, _: str | None) -> Found:
    if caller.kind in (CallerKind.ANONYMOUS, CallerKind.SERVICE):
        return None
    return caller.principal_arn or frozenset({"aws:PrincipalArn"})


def _principal_type(caller: Caller, _: str | None) -> Found:
    if caller.kind is CallerKind.SERVICE:
        return None
    return CallerKind.SESSION.value if caller.kind is CallerKind.ROLE else caller.kind.value


def _userid(caller: Caller, _: str | None) -> Found:
    if caller.kind is CallerKind.ROOT:
        return caller.account
    if caller.kind is CallerKind.FEDERATED_USER:
        return f"{caller.account}:{caller.name}"
    return "anonymous" if caller.kind is CallerKind.ANONYMOUS else None


_DERIVED: dict[str, Callable[[Caller, str | None], Found]] = {
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": lambda caller, _: caller.account,
    "aws:principaltype": _principal_type,
    "aws:principalisawsservice": lambda caller, _: "true" if caller.kind is CallerKind.SERVICE else "false",
    "aws:principalservicename": lambda caller, _: caller.name if caller.kind is CallerKind.SERVICE else None,
    "aws:username": lambda caller, _: caller.name if caller.kind is CallerKind.USER else None,
    "aws:userid": _userid,
    "aws:resourceaccount": lambda _, account: account,
}


class RequestContext:
    """What conditions and variables see of one request on one resource."""

    __slots__ = ("_caller", "_contested", "_given", "_resource_account", "_unknown", "missing")

    def __init__(
        self,
        given: Mapping[str, ContextValue | None],
        unknown: frozenset[str],
        caller: Caller,
        service: str,
        resource_account: str | None,
    ) -> None:
        self._given = {key.lower(): value for key, value in given.items()}
        self._unknown = {key.lower(): key for key in unknown} if unknown else _NOTHING
        self._contested = CONTESTED_KEYS.get(service, _NOTHING)
        self._caller = caller
        self._resource_account = resource_account
        self.missing: dict[str, str] = {}
        """Keys that were asked for and are absent: lower case to the policy's spelling."""

    def given(self, key: str) -> Found:
        """What the request says of the lower-case ``key``, without deriving it or counting it as missing."""
        if key in self._given:
            return self._given[key]
        return frozenset({self._unknown[key]}) if key in self._unknown else None

    def get(self, key: str, asked_as: str) -> Found:
        """The value of the lower-case ``key``; ``None`` when absent; the names on which it hangs when unknown."""
        value: Found = self._given.get(key)
        if value is not None:
            return value
        if key in self._given:
            # Given as absent for certain: neither derived, nor contested, nor unknown.
            self.missing.setdefault(key, asked_as)
            return None
        if key in self._unknown:
            return frozenset({self._unknown[key]})
        if key in self._contested:
            return frozenset({self._contested[key]})
        derive = _DERIVED.get(key)
        if derive is not None:
            value = derive(self._caller, self._resource_account)
        if value is None:
            self.missing.setdefault(key, asked_as)
        return value
