"""What was read live into a folder that nobody knows by its name: shown by the account that it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mantle_iam.collect.saved import ORGANIZATION
from mantle_iam.iam.inventory import Account, Input, InputStatus, NamedPolicy, Place, Principal

LIVE: Final = "live"
"""Kind of an input that is a live account."""


def live_account(account: Account, folder: str) -> Account:
    """``account``, read from ``folder``, with places that name the live account instead of a file."""
    known: dict[int, tuple[NamedPolicy, NamedPolicy]] = {}

    def policy(one: NamedPolicy) -> NamedPolicy:
        found = known.get(id(one))
        if found is None or found[0] is not one:
            found = known[id(one)] = (one, replace(one, place=_place(one.place, folder)))
        return found[1]

    def levels(
        found: tuple[tuple[NamedPolicy, ...], ...] | None,
    ) -> tuple[tuple[NamedPolicy, ...], ...] | None:
        return None if found is None else tuple(tuple(map(policy, level)) for level in found)

    def principal(one: Principal) -> Principal:
        return replace(
            one,
            identity=tuple(map(policy, one.identity)),
            boundary=None if one.boundary is None else policy(one.boundary),
            trust=None if one.trust is None else policy(one.trust),
            place=_place(one.place, folder),
        )

    return replace(
        account,
        principals=tuple(map(principal, account.principals)),
        scps=levels(account.scps),
        rcps=levels(account.rcps),
        endpoints=tuple(map(policy, account.endpoints)),
    )


def live_policy(policy: NamedPolicy, folder: str) -> NamedPolicy:
    """The same for a document that binds nobody by itself."""
    return replace(policy, place=_place(policy.place, folder))


def live_path(path: str, folder: str) -> str:
    """``aws:ACCOUNT`` for a file of ``folder``; another path as it is."""
    if not path.startswith(folder):
        return path
    first = path[len(folder) :].lstrip("/\\").replace("\\", "/").partition("/")[0]
    return f"aws:{first or ORGANIZATION}"


def _place(place: Place, folder: str) -> Place:
    path = live_path(place.path, folder)
    # A pointer into a file that nobody has says nothing; the ARN stays.
    return place if path == place.path else Place(path, address=place.address)


def live_inputs(inputs: Sequence[Input], folder: str) -> list[Input]:
    """``inputs`` with the files of ``folder`` put together by account."""
    found: list[Input] = []
    at: dict[str, int] = {}
    for one in inputs:
        path = live_path(one.path, folder)
        if path == one.path:
            if one.kind == LIVE:  # put together before
                at[path] = len(found)
            found.append(one)
        elif path not in at:
            at[path] = len(found)
            found.append(replace(one, path=path, kind=LIVE, problems=_without(one.problems, folder)))
        else:
            found[at[path]] = together(found[at[path]], replace(one, problems=_without(one.problems, folder)))
    return found


def _without(problems: tuple[str, ...], folder: str) -> tuple[str, ...]:
    return tuple(problem.replace(f"{folder}/", "") for problem in problems)


def together(*inputs: Input) -> Input:
    """What became of several pieces of one input."""
    order = (InputStatus.READ, InputStatus.PARTIAL, InputStatus.FAILED)
    status = max((one.status for one in inputs), key=order.index)
    problems = dict.fromkeys(problem for one in inputs for problem in one.problems)
    whole = all(one.documents_read for one in inputs)
    return replace(inputs[0], status=status, problems=tuple(problems), documents_read=whole)
