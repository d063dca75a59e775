"""Principals whose policies say the same are told of as if each had been written for itself."""

from __future__ import annotations

from typing import Any

import pytest
from audit_world import account, allow, deny, policy, role, user

from mantle_iam.audit import matrix
from mantle_iam.audit.blanks import Blanks, blank, outline
from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.matrix import Plan, audit_account
from mantle_iam.audit.results import AccountResult
from mantle_iam.iam.inventory import Account, NamedPolicy, Place

PLAN = Plan(Wanted(capabilities=("infer",)))
EDGE = "\ue0b1"


def named(name: str, index: int, *statements: Any, arn: str = "", line: int | None = None) -> NamedPolicy:
    """A policy whose place differs from that of any other."""
    document = policy(name, *statements).document
    return NamedPolicy(name, document, place=Place(f"{index}.json", line, None, f"a-{index}", f"/p/{index}"), arn=arn)


@pytest.fixture(name="both")
def audited_both_ways(monkeypatch: pytest.MonkeyPatch) -> Any:
    def audited(found: Account) -> tuple[AccountResult, AccountResult, int]:
        filled = 0

        def counted(self: Blanks, policies: Any, account: str) -> str:
            nonlocal filled
            filled += 1
            return original(self, policies, account)

        forget()
        original = Blanks.filled
        monkeypatch.setattr(Blanks, "filled", counted)
        with_blanks = audit_account(PLAN, found)
        monkeypatch.setattr(matrix, "outline", lambda _: None)
        return with_blanks, audit_account(PLAN, found), filled

    return audited


def forget() -> None:
    """What was learned from other accounts."""
    matrix.sheet_of.cache_clear()
    matrix.across.cache_clear()


INFER = ["bedrock-mantle:CreateInference", "bedrock-mantle:CallWithBearerToken"]


@pytest.mark.parametrize("statement", [allow(INFER), deny(INFER)], ids=["allowed", "denied"])
def test_names_and_places_are_each_ones_own(both: Any, statement: Any) -> None:
    roles = [role(f"r{index}", named(f'n"{index}\n', index, statement)) for index in range(6)]
    with_blanks, without, filled = both(account(*roles))
    assert with_blanks == without
    assert filled == 5
    bodies = [with_blanks.shapes[shape].body for _, shape in with_blanks.rows]
    assert all(f'"a-{index}"' in body for index, body in enumerate(bodies))


def test_several_policies_keep_their_order(both: Any) -> None:
    principals = [
        make(f"p{index}", named("a", index, allow(INFER[0])), named("b", index + 100, allow(INFER[1])))
        for index in range(4)
        for make in (role, user)
    ]
    with_blanks, without, filled = both(account(*principals))
    assert with_blanks == without
    assert filled == 6


def test_different_outlines_are_not_mixed(both: Any) -> None:
    roles = [
        role(
            f"r{index}",
            named("n", index, allow(INFER), arn=f"arn:{index}" if index % 2 else "", line=index % 3 or None),
        )
        for index in range(18)
    ]
    with_blanks, without, filled = both(account(*roles))
    assert with_blanks == without
    assert filled == 12


@pytest.mark.parametrize("hostile", [f"{EDGE}0{EDGE}", f"{EDGE}4{EDGE}x", EDGE, f"{EDGE}99{EDGE}"])
def test_marks_of_its_own_change_nothing(both: Any, hostile: str) -> None:
    by_name = [role(f"n{index}", named(hostile, index, allow(INFER))) for index in range(4)]
    mixed = [role(f"m{index}", named(hostile if index == 2 else "n", 10 + index, allow(INFER))) for index in range(4)]
    by_sid = [role(f"s{index}", named("n", 20 + index, {**allow(INFER), "Sid": hostile})) for index in range(4)]
    with_blanks, without, _ = both(account(*by_name, *mixed, *by_sid))
    assert with_blanks == without


def test_policies_that_nothing_tells_apart_are_not_written_with_blanks() -> None:
    one = named("n", 1, allow(INFER))
    assert outline([one, one]) is None
    assert outline([one, named("n", 2, allow(INFER))]) is not None


def test_a_blank_shows_the_fields_that_are_there() -> None:
    bare = blank(NamedPolicy("n", policy("n", allow(INFER)).document), 0)
    assert (bare.arn, bare.place) == ("", Place())
    assert Blanks(f"<{bare.name}>").filled([NamedPolicy('a"b', bare.document)], "") == '<a\\"b>'
