"""Whether two readings of the same infrastructure contradict each other: a yes of one where the other has a no.

An answer that says of itself that it is not known contradicts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import product, zip_longest

from mantle_iam.collect.dump_reader import Gathered
from mantle_iam.iam.evaluation import evaluate
from mantle_iam.iam.inventory import UNRESOLVED_KEY, Principal
from mantle_iam.iam.request import AuthorizationRequest, Decision, PolicySet

ACTIONS = ("CreateInference", "ListModels", "GetModel", "DeleteProject", "CallWithBearerToken")
PROJECTS = ("default", "prod", "one", "a", "b")
MODELS = ("openai.gpt-oss-20b", "openai.gpt-oss-120b")


def by_address(one: Principal) -> str:
    """A principal by the address of the code that makes it."""
    return one.place.address


def by_arn(one: Principal) -> str:
    """A principal by its ARN."""
    return one.arn


def principals(found: Gathered, key: Callable[[Principal], str] = by_address) -> dict[str, Principal]:
    """Every principal, by what it is told apart by."""
    return {key(one): one for account in found.accounts for one in account.principals}


def decisions(principal: Principal) -> Mapping[tuple[str, str, str], Decision]:
    """What a principal may do, by action, project and model."""
    boundary = None if principal.boundary is None else (principal.boundary.document,)
    policies = PolicySet(
        identity=tuple(policy.document for policy in principal.identity),
        permissions_boundary=boundary,
        unknown=principal.unknown,
    )
    return {
        (action, project, model): evaluate(_request(action, project, model), policies).decision
        for action in ACTIONS
        for project in PROJECTS
        for model in MODELS
    }


def _request(action: str, project: str, model: str) -> AuthorizationRequest:
    return AuthorizationRequest(
        "arn:aws:iam::111122223333:role/any",
        f"bedrock-mantle:{action}",
        (f"arn:aws:bedrock-mantle:us-east-1:111122223333:project/{project}",),
        unknown_context=frozenset({UNRESOLVED_KEY}),
        context={"bedrock-mantle:Model": (model,)},
    )


def contradictions(
    code: Gathered, plan: Gathered, seen: Counter[str], key: Callable[[Principal], str] = by_address
) -> Iterator[str]:
    """Sentences, each about one; ``seen`` counts what was compared."""
    ours, theirs = principals(code, key), principals(plan, key)
    said = " ".join(sentence for one in code.inputs for sentence in one.problems)
    for address in ours.keys() ^ theirs.keys():
        seen["principals of one alone"] += 1
        if "how many of a resource there are is not known" not in said or (
            address in theirs and not any(stem in ours for stem in _stems(address))
        ):
            yield f"{address}: only {'the code' if address in ours else 'the plan'} has it, and nothing is said"
    for address in ours.keys() & theirs.keys():
        seen["principals"] += 1
        if ours[address].arn != theirs[address].arn:
            yield f"{address}: {ours[address].arn} is {theirs[address].arn} in the plan"
        found, planned = decisions(ours[address]), decisions(theirs[address])
        for request, one in found.items():
            other = planned[request]
            vague = Decision.UNKNOWN in (one, other)
            seen["unknown" if vague else "settled"] += 1
            if Decision.ALLOWED in (one, other) and one is not other and not vague:
                yield f"{address}: {request} is {one.value}, in the plan {other.value}"


def _stems(address: str) -> Iterator[str]:
    """The address with fewer indexes of instances."""
    pieces = address.replace("]", "[").split("[")
    for kept in product((True, False), repeat=len(pieces) // 2):
        indexes = (f"[{pieces[2 * at + 1]}]" if keep else "" for at, keep in enumerate(kept))
        yield "".join(part for pair in zip_longest(pieces[::2], indexes, fillvalue="") for part in pair)
