"""What a dump says twice or in another form than AWS's is said and unknown, wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.collect.documents import Documents
from mantle_iam.collect.dumps import Dumped, Page, read_pages
from mantle_iam.collect.fields import Notes
from mantle_iam.iam.grammar import load_json
from mantle_iam.iam.request import PolicyType

ACCOUNT = "111122223333"
TWICE = "a key occurs more than once; the last one counts"
NO_LIST = "what should be a list of objects is not understood"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*"}]}


def arn(kind: str, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"


def dump() -> dict[str, Any]:
    attached = [{"PolicyName": "m", "PolicyArn": arn("policy", "m")}]
    inline = [{"PolicyName": "p", "PolicyDocument": DOCUMENT}]
    bounds = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn("policy", "m")}
    more = {"AttachedManagedPolicies": attached, "Tags": [{"Key": "team", "Value": "a"}], "PermissionsBoundary": bounds}
    return {
        "UserDetailList": [{"Arn": arn("user", "u"), "UserPolicyList": inline, "GroupList": ["g"], **more}],
        "GroupDetailList": [
            {"Arn": arn("group", "g"), "GroupName": "g", "GroupPolicyList": inline, "AttachedManagedPolicies": attached}
        ],
        "RoleDetailList": [{"Arn": arn("role", "r"), "RolePolicyList": inline, **more}],
        "Policies": [
            {
                "Arn": arn("policy", "m"),
                "DefaultVersionId": "v1",
                "PolicyVersionList": [{"VersionId": "v1", "Document": DOCUMENT}],
            }
        ],
        "IsTruncated": False,
    }


def read(text: str) -> tuple[Dumped, Notes]:
    notes = Notes()
    return read_pages([Page(load_json(text))], Documents(), {}, notes), notes


def at(value: Any, path: list[Any]) -> Any:
    for step in path:
        value = value[step]
    return value


def objects(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all objects of the dump that are no part of a document."""
    if isinstance(value, dict) and "Statement" not in value:
        return [path, *(found for key, item in value.items() for found in objects(item, (*path, key)))]
    return (
        [found for i, item in enumerate(value) for found in objects(item, (*path, i))]
        if isinstance(value, list)
        else []
    )


OBJECTS = objects(dump())
LISTS = [
    (*path, name)
    for path in [(), *(path for path in OBJECTS if path and path[0] != "Policies")]
    for name, value in at(dump(), list(path)).items()
    if isinstance(value, list) and name != "GroupList"
]


def test_an_ordinary_dump_has_nothing_to_be_noted() -> None:
    dumped, notes = read(json.dumps(dump()))
    assert (notes.sentences(), notes.partial) == ((), False)
    assert [one.unknown for account in dumped.accounts for one in account.principals] == [frozenset()] * 2


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: "/".join(map(str, path)))
def test_a_key_that_is_there_twice_is_said(path: tuple[Any, ...]) -> None:
    value = dump()
    owner = at(value, list(path))
    name = next(iter(owner))
    owner["@"] = owner[name]
    text = json.dumps(value).replace('"@":', f"{json.dumps(name)}:")
    _, notes = read(text)
    assert notes.partial
    assert any(sentence.startswith(TWICE) for sentence in notes.sentences()), notes.sentences()
    # Written with escapes the key is the same.
    assert read(text.replace(f'"{name}"', f'"\\u{ord(name[0]):04x}{name[1:]}"', 1))[1].partial


@pytest.mark.parametrize("path", LISTS, ids=lambda path: "/".join(map(str, path)))
@pytest.mark.parametrize("odd", [{"a": 1}, "text", 1, True, [None], ["x"], [[]]], ids=json.dumps)
def test_what_is_no_list_of_objects_is_said_and_its_layer_unknown(path: tuple[Any, ...], odd: Any) -> None:
    if path[-1] == "Tags" and isinstance(odd, dict):
        return  # tags may be an object
    value = dump()
    at(value, list(path[:-1]))[path[-1]] = odd
    dumped, notes = read(json.dumps(value))
    assert notes.partial
    assert any(sentence.startswith(NO_LIST) for sentence in notes.sentences()), notes.sentences()
    concerned = {"UserDetailList": "user", "GroupDetailList": "user", "RoleDetailList": "role"}.get(path[0], "")
    if len(path) > 1 and path[-1] != "Tags":
        principals = [one for account in dumped.accounts for one in account.principals if f":{concerned}/" in one.arn]
        assert [PolicyType.IDENTITY in one.unknown for one in principals] == [True]


def test_a_group_that_is_no_name_leaves_the_user_unknown() -> None:
    value = dump()
    value["UserDetailList"][0]["GroupList"] = ["g", {"GroupName": "h"}]
    dumped, notes = read(json.dumps(value))
    assert notes.partial
    (user,) = [one for account in dumped.accounts for one in account.principals if ":user/" in one.arn]
    assert user.unknown == {PolicyType.IDENTITY}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from([*OBJECTS, *LISTS]), ANY)
def test_nothing_in_a_dump_is_raised(path: tuple[Any, ...], odd: Any) -> None:
    value = dump()
    if path:
        at(value, list(path[:-1]))[path[-1]] = odd
    dumped, notes = read(json.dumps(value))
    # What is gone is unknown or said, unless it may be left out.
    assert notes.partial or odd in (None, [], {}) or len(dumped.accounts[0].principals) == 2
