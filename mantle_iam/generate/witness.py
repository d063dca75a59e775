"""Requests that stand for a permission: whoever may make all of them has it, as far as examples can show.

For each resource pattern: two instances and the pattern itself read as a name (a ``*`` in it is matched by nothing but a
wildcard).  For each condition: one context per value, and one without the key where the operator says ``IfExists``.
Nothing here evaluates.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from mantle_iam.errors import InputError
from mantle_iam.generate.grants import Conditions, Operator, normal_conditions
from mantle_iam.generate.patterns import escaped, example, has_wildcard, unescaped
from mantle_iam.iam.arn import Arn
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Statement
from mantle_iam.iam.request import AuthorizationRequest, ContextValue, Decision, PolicySet
from mantle_iam.mantle.operations import Permission

ACCOUNT = "111122223333"
REGION = "us-east-1"
USER = "example"
"""Stand in where a permission leaves account, region or principal open."""

FILLERS = ("default", "proj-x7q4example")
"""What a ``*`` stands for; the second is unlike anything that somebody would write down."""

MAX_REQUESTS = 20_000

Context = Mapping[str, ContextValue]


def requests_for(permission: Permission) -> tuple[AuthorizationRequest, ...]:
    """Representative requests for ``permission``; each must be allowed.

    Raises:
        InputError: its conditions cannot hold together, or combine too many values.
    """
    contexts = tuple(_contexts(permission))
    requests: list[AuthorizationRequest] = []
    action = example(permission.action, "X7q4")
    for context in contexts:
        # A variable has the value that the conditions give its key.
        pattern, variables = _expand(permission.resource, context)
        found = {**variables, **context}
        requests.extend(_request(action, unescaped(resource), found) for resource in _instances(pattern))
        if len(requests) > MAX_REQUESTS:
            raise InputError(f"the conditions of `{permission.action}` combine too many values")
    return tuple(requests)


def _request(action: str, resource: str, context: Context) -> AuthorizationRequest:
    arn = Arn.try_parse(resource)
    account = arn.account if arn and arn.account.isdigit() else ACCOUNT
    partition = arn.partition if arn and not has_wildcard(arn.partition) else "aws"
    return AuthorizationRequest(
        principal=f"arn:{partition}:iam::{account}:user/{USER}",
        action=action,
        resources=(resource,),
        resource_account=account,
        context=context,
    )


def _instances(pattern: str) -> tuple[str, ...]:
    if pattern == "*" or not has_wildcard(pattern):
        return (pattern,)
    arn = Arn.try_parse(pattern)
    if arn is None:
        return tuple(dict.fromkeys([*(example(pattern, filler) for filler in FILLERS), pattern]))
    found = [
        str(
            Arn(
                example(arn.partition, "aws"),
                arn.service,
                example(arn.region, REGION),
                example(arn.account, ACCOUNT),
                example(arn.resource, filler),
            )
        )
        for filler in FILLERS
    ]
    return tuple(dict.fromkeys([*found, pattern]))


def _contexts(permission: Permission) -> Iterator[Context]:
    conditions = normal_conditions(permission.conditions)
    by_key: dict[str, list[Condition]] = {}
    for condition in conditions:
        by_key.setdefault(condition.key.lower(), []).append(condition)
    choices: list[list[Context]] = []
    size = 1
    for same_key in by_key.values():
        choices.append(_values(same_key[0]) if len(same_key) == 1 else _common(same_key))
        size *= len(choices[-1])
        if size > MAX_REQUESTS:
            raise InputError(f"the conditions of `{permission.action}` combine too many values")
    for combination in itertools.product(*choices):
        merged: dict[str, ContextValue] = {}
        for part in combination:
            merged.update(part)
        yield merged


def _common(conditions: list[Condition]) -> list[Context]:
    """Of the values that each of several conditions on one key proposes, those that fulfil all of them.

    Raises:
        InputError: none does.
    """
    allow = Statement(Effect.ALLOW, ("*",), resources=("*",), conditions=tuple(conditions))
    policies = PolicySet(identity=(PolicyDocument((allow,)),))
    found: list[Context] = []
    for condition in conditions:
        for context in _values(condition):
            request = _request("example:Example", "*", context)
            if context not in found and evaluate(request, policies).decision is Decision.ALLOWED:
                found.append(context)
    if not found:
        raise InputError(f"the conditions on `{conditions[0].key}` exclude each other")
    return found


def _values(condition: Condition) -> list[Context]:
    """Contexts, each with a value for the condition's key (or without the key) that fulfils it."""
    operator = Operator.parse(condition.operator)
    if operator.base == "null":
        return [{}] if condition.values == ("true",) else [{condition.key: "example"}]
    if _negated(operator.base):
        # Also fulfilled by a request without the key: that is how AWS reads a negated operator.
        return [{condition.key: _wrap(operator, _other_than(operator.base, condition.values))}, {}]
    found: list[Context] = []
    for value in condition.values:
        text, variables = _expand(value)
        found.extend(
            {**variables, condition.key: _wrap(operator, unescaped(fulfilling))}
            for fulfilling in _fulfilling(operator.base, text)
        )
    if operator.qualifier == "forallvalues":
        texts = tuple(unescaped(v) for value in condition.values for v in _fulfilling(operator.base, _expand(value)[0]))
        found.append({condition.key: texts})
    if operator.if_exists:
        found.append({})
    return found


def against(request: AuthorizationRequest, own: Conditions, others: Iterable[Condition]) -> AuthorizationRequest:
    """``request`` with a context in which ``others`` do not hold, as far as the keys of ``own`` leave that open.

    A permission without a condition on a key is meant for every value of that key.
    """
    bound = {condition.key.lower() for condition in own} | {key.lower() for key in request.context}
    context = dict(request.context)
    for condition in others:
        if condition.key.lower() not in bound and (value := _violating(condition)) is not None:
            context[condition.key] = value
            bound.add(condition.key.lower())
    return replace(request, context=context)


def _violating(condition: Condition) -> ContextValue | None:
    """A value of the key for which ``condition`` is false; ``None``: it is false when the key is absent, as it is."""
    operator = Operator.parse(condition.operator)
    base = operator.base
    if base == "null":
        return "example" if condition.values == ("true",) else None
    if _negated(base):
        value = _fulfilling(base.replace("not", "", 1), _expand(condition.values[0])[0])[0]
        value = unescaped(value)
    elif base.startswith(("numeric", "date", "ip", "bool", "binary")):
        # Not a number, not a date, not an address, not true: false for all of them, but for Bool false.
        value = "true" if base == "bool" and condition.values == ("false",) else "x7q4"
    else:
        value = _other_than(base, condition.values)
    return _wrap(operator, value)


def is_negated(operator: str) -> bool:
    """Whether the operator asks for none of its values."""
    return _negated(Operator.parse(operator).base)


def _negated(base: str) -> bool:
    return base.startswith(("stringnot", "arnnot", "numericnot", "datenot", "notip"))


def _wrap(operator: Operator, value: str) -> ContextValue:
    return (value,) if operator.qualifier else value


def _fulfilling(base: str, value: str) -> tuple[str, ...]:
    """Values of the request that make ``base value`` true."""
    if base in ("stringlike", "arnlike", "arnequals"):
        return tuple(dict.fromkeys(example(value, filler) for filler in FILLERS))
    if base == "ipaddress":
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise InputError(f"`{value}` is not an IP address range") from None
        return tuple(dict.fromkeys((str(network[0]), str(network[-1]))))
    if base in ("numericlessthan", "numericgreaterthan"):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise InputError(f"`{value}` is not a number") from None
        return (str(number - 1 if base == "numericlessthan" else number + 1),)
    if base == "datelessthan":
        return ("0001-01-01T00:00:00Z",)
    if base == "dategreaterthan":
        return ("9999-12-31T23:59:59Z",)
    return (value,)


def _other_than(base: str, values: tuple[str, ...]) -> str:
    if base.startswith("numeric"):
        return str(max((Decimal(v) for v in values), default=Decimal(0)) + 1)
    if base.startswith("date"):
        return "9999-12-31T23:59:59Z"
    if base.startswith("notip"):
        return "192.0.2.1"
    if base.startswith("arn"):
        return "arn:aws:example:us-east-1:111122223333:x7q4/example"
    return "x7q4-example"


def _expand(text: str, given: Context | None = None) -> tuple[str, dict[str, ContextValue]]:
    """``text`` with its policy variables replaced by example values, and the context that gives those values.

    The escapes ``${*}``, ``${?}`` and ``${$}`` stay what they are, so that they are not taken for wildcards.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    parts: list[str] = []
    context: dict[str, ContextValue] = {}
    known = {name.lower(): value for name, value in (given or {}).items() if isinstance(value, str)}
    rest = text
    while "${" in rest:
        before, _, after = rest.partition("${")
        name, closed, rest = after.partition("}")
        if not closed:
            return "".join([*parts, before, "${", name]), context
        key = name.partition(",")[0].strip()
        parts.append(before)
        if key in ("*", "?", "$"):
            parts.append(f"${{{key}}}")
        elif key.lower() in known:
            # A character of a value is no wildcard, whatever it is.
            parts.append(escaped(known[key.lower()]))
        elif key.lower() == "aws:username":
            parts.append(USER)
        else:
            context[key] = "example"
            parts.append("example")
    parts.append(rest)
    return "".join(parts), context
