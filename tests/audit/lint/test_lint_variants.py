"""Every rule on every spelling of a document that means the same, against the evaluator, and after its own remedy."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from lint_tables import Case, cases

CASES = cases()
BOTH = [pytest.param(case, id=str(case)) for case in CASES]
Document = dict[str, Any]


@pytest.mark.parametrize("case", BOTH)
def test_rule(case: Case) -> None:
    found = {each.rule for each in case.found()}
    assert (case.rule in found) is case.fires, found


# --- spellings that mean the same


def statements(document: Document) -> list[Document]:
    listed = document["Statement"]
    return listed if isinstance(listed, list) else [listed]


def each_statement(change: Callable[[Document], None]) -> Callable[[Document], Document]:
    def changed(document: Document) -> Document:
        new = copy.deepcopy(document)
        for one in statements(new):
            change(one)
        return new

    return changed


def actions(change: Callable[[str], str]) -> Callable[[Document], Document]:
    def one(statement: Document) -> None:
        for name in ("Action", "NotAction"):
            if name in statement:
                value = statement[name]
                statement[name] = change(value) if isinstance(value, str) else [change(each) for each in value]

    return each_statement(one)


def as_lists(statement: Document) -> None:
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if isinstance(statement.get(name), str):
            statement[name] = [statement[name]]
    for keys in statement.get("Condition", {}).values():
        for key, value in keys.items():
            keys[key] = value if isinstance(value, list) else [value]


def reversed_lists(statement: Document) -> None:
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if isinstance(statement.get(name), list):
            statement[name].reverse()


def keys_in_capitals(statement: Document) -> None:
    for operator, keys in statement.get("Condition", {}).items():
        statement["Condition"][operator] = {key.upper(): value for key, value in keys.items()}


def operators_in_small_letters(statement: Document) -> None:
    if "Condition" in statement:
        statement["Condition"] = {name.lower(): keys for name, keys in statement["Condition"].items()}


def no_list_of_statements(document: Document) -> Document:
    listed = statements(document)
    return {**document, "Statement": listed[0]} if len(listed) == 1 else document


def another_order(document: Document) -> Document:
    return {**document, "Statement": statements(document)[::-1]}


def one_action_each(document: Document) -> Document:
    new: list[Document] = []
    for one in statements(document):
        listed = one.get("Action")
        split = isinstance(listed, list) and len(listed) > 1 and "Sid" not in one
        new += [{**one, "Action": each} for each in listed] if split and listed else [one]
    return {**document, "Statement": new}


def all_that_is_said_twice(document: Document) -> Document:
    new = [{key: value for key, value in one.items() if key != "Sid"} for one in statements(document)]
    return {**document, "Statement": [*statements(document), *new]}


def another_statement(document: Document) -> Document:
    """Something about another service between: of a trust policy there can be none."""
    model = statements(document)[0]
    if "Resource" not in model and "NotResource" not in model:
        return document
    other = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}
    if "Principal" in model:
        other["Principal"] = "*"
    return {**document, "Statement": [other, *statements(document)]}


def another_partition(document: Document) -> Document:
    text = json.dumps(document)
    if "us-gov" in text:
        return document
    text = (
        text.replace("arn:aws:", "arn:aws-us-gov:")
        .replace("us-east-1", "us-gov-west-1")
        .replace("eu-west-1", "us-gov-east-1")
        .replace("af-south-2", "us-gov-west-9")
    )
    return json.loads(text)


SPELLINGS: dict[str, Callable[[Document], Document]] = {
    "actions in small letters": actions(str.lower),
    "actions in capitals": actions(str.upper),
    "lists": each_statement(as_lists),
    "lists reversed": each_statement(reversed_lists),
    "condition keys in capitals": each_statement(keys_in_capitals),
    "operators in small letters": each_statement(operators_in_small_letters),
    "one statement that is no list": no_list_of_statements,
    "statements in another order": another_order,
    "one action in each statement": one_action_each,
    "everything twice": all_that_is_said_twice,
    "another service's statement first": another_statement,
    "another partition": another_partition,
}
# What is not the same for a rule that counts characters, or of which a spelling is the very matter.
DIFFERENT = {
    ("policy-too-large", "everything twice"),
    ("policy-too-large", "another service's statement first"),
    ("policy-too-large", "one action in each statement"),
    ("policy-too-large", "another partition"),
    ("allow-in-control-policy", "another service's statement first"),
    ("not-resource-refuses-key-use", "one action in each statement"),
}
FULL_AWS_ACCESS = "what AWS attaches to everything"
"""The one resource control policy that allows is only itself as it stands."""


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_means_the_same_is_judged_the_same(spelling: str) -> None:
    wrong, changed = [], 0
    for case in CASES:
        document = SPELLINGS[spelling](case.document)
        if document == case.document or (case.rule, spelling) in DIFFERENT or case.why == FULL_AWS_ACCESS:
            continue
        changed += 1
        before = {(each.rule, each.severity) for each in case.found()}
        after = {(each.rule, each.severity) for each in case.found(document)}
        if before != after:
            wrong.append((str(case), before ^ after))
    assert changed > 15
    assert wrong == []
