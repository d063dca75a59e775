"""What is decoded at once is read as what is read with care: random dumps, whole and spoilt, by both ways."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.collect.documents import Document, Documents
from mantle_iam.collect.dump_reader import Binding, Dump, DumpReader
from mantle_iam.collect.dumps import Page, is_dump, read_pages
from mantle_iam.collect.fields import Notes
from mantle_iam.collect.openers import Opener
from mantle_iam.collect.ordinary import document_of, page_of
from mantle_iam.collect.places import TextError, read_json
from mantle_iam.collect.records import maker
from mantle_iam.collect.values import values_of
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.inventory import Input, NamedPolicy, Place, Principal
from mantle_iam.iam.policy import PolicyDocument, UnreadDocument

A, B = "111122223333", "123456789012"


def statement(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": ["bedrock-mantle:Get*", "s3:GetObject"], "Resource": "*", **more}


def document(*statements: Any, **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements) or [statement()], **more}


DOCUMENTS: list[Any] = [
    document(),
    document(statement(Sid="A"), statement(Effect="Deny", Action="*", Resource=["a", "b"])),
    {"Statement": statement()},
    {"Version": "2008-10-17", "Id": "é:\"\\ ", "Statement": statement(Condition={"Bool": {"aws:SecureTransport": "true"}})},
    document(statement(Condition={"StringLike": {"aws:PrincipalTag/a": ["x:y", '"z":'], "aws:userid": "b"}, "Null": {"c": "d"}})),
    document(statement(Resource="${mantle-iam:Unresolved}")),
    # From here on none is ordinary.
    document(statement(Condition={"NumericLessThan": {"s3:max-keys": 10}})),
    document(statement(Condition={"StringEquals": {"a": []}})),
    document({"Effect": "Allow", "NotAction": "s3:*", "NotResource": "*"}),
    document(statement(NotAction="s3:*")),
    document(statement(Principal="*")),
    document(statement(Action=[])),
    document(statement(Effect="allow")),
    document(statement(Resources="*")),
    {"Statement": []},
    {"Version": "2012-10-17"},
    {"Version": "2013-10-17", "Statement": statement()},
    json.dumps(document()),
    "%7B%22Statement%22%3A%20%5B%5D%7D",
    "",
    None,
    7,
    [],
]  # fmt: skip


def arn(kind: str, name: str, account: str = A) -> str:
    return f"arn:aws:iam::{account}:{kind}/{name}"


def dump(documents: list[Any]) -> dict[str, Any]:
    first, second, third, fourth = documents
    attached = [{"PolicyName": "m", "PolicyArn": arn("policy", "m")}]
    bounds = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn("policy", "m")}
    more = {"AttachedManagedPolicies": attached, "Tags": [{"Key": "team", "Value": "a: b"}]}
    return {
        "UserDetailList": [
            {"Arn": arn("user", "u"), "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": first}], "GroupList": ["g"],
             "PermissionsBoundary": bounds, **more}
        ],
        "GroupDetailList": [
            {"Arn": arn("group", "g"), "GroupName": "g", "GroupPolicyList": [{"PolicyName": "q", "PolicyDocument": second}],
             "AttachedManagedPolicies": attached}
        ],
        "RoleDetailList": [
            {"Path": "/", "RoleName": f"r{at}", "Arn": arn("role", f"r{at}", account), "CreateDate": "2026-01-01T00:00:00+00:00",
             "AssumeRolePolicyDocument": fourth, "RoleLastUsed": {},
             "RolePolicyList": [{"PolicyName": "p:", "PolicyDocument": first}, {"PolicyName": "s", "PolicyDocument": third}],
             **more}
            for at, account in enumerate((A, B))
        ],
        "Policies": [
            {"PolicyName": "m", "Arn": arn("policy", "m"), "DefaultVersionId": "v2", "IsAttachable": True, "AttachmentCount": 1,
             "PolicyVersionList": [
                 {"VersionId": "v1", "Document": first, "IsDefaultVersion": False},
                 {"VersionId": "v2", "Document": fourth, "IsDefaultVersion": True},
             ]}
        ],
        "IsTruncated": False,
    }  # fmt: skip


def outcome(text: str, read: Callable[[str], Any]) -> tuple[Any, ...]:
    """Everything that is said of a text: accounts, documents and notes, or the error."""
    notes, found = Notes(), []
    documents = Documents()
    try:
        for value, pointer in values_of(text, notes, read):
            if is_dump(value):
                dumped = read_pages([Page(value, "a.json", pointer)], documents, {}, notes)
                found += [dumped, [fields_of(one) for account in dumped.accounts for one in account.principals]]
    except (TextError, RecursionError) as error:
        return str(error), notes.sentences(), notes.partial
    return found, notes.sentences(), notes.partial, notes.documents_read


def fields_of(value: Principal) -> list[Any]:
    return [getattr(value, field.name) for field in fields(value)]


def quick(text: str) -> Any:
    page = page_of(text)
    return read_json(text) if page is None else page


four = st.lists(st.sampled_from(DOCUMENTS), min_size=4, max_size=4)
layouts = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"separators": (" ,\n", " : ")}])


@settings(max_examples=150, deadline=None)
@given(four, layouts, st.booleans())
def test_both_ways_say_the_same_of_a_whole_dump(documents: list[Any], layout: dict[str, Any], ascii_: bool) -> None:
    text = json.dumps(dump(documents), ensure_ascii=ascii_, **layout)
    assert page_of(text) is not None or "\\u003" in text
    assert outcome(text, quick) == outcome(text, read_json)


spoils: st.SearchStrategy[tuple[str, str]] = st.sampled_from(
    [
        ('"', "'"), (":", ""), (",", ""), ("{", "["), ("]", ""), ("}", "},"), ('"Arn"', '"arn"'), ('"Arn"', '"\\u0041rn"'),
        ('"Action"', '"Action": "iam:*", "Action"'), ('"Action"', '"Action" : "iam:*" , "\\u0041ction"'),
        ('"Effect"', '"Effect":"Deny","Effect"'), ('"PolicyDocument"', '"PolicyDocument": {}, "PolicyDocument"'),
        ('"RoleName"', '"Arn": "arn:aws:iam::111122223333:role/x", "RoleName"'), ('"Tags"', '"Tags": [], "Tags"'),
        ('"Key"', '"Key": "a", "Key"'), ('"RoleDetailList"', '"RoleDetailList": [], "RoleDetailList"'),
        ('"IsTruncated": false', '"IsTruncated": true'), ('"IsTruncated": false', '"IsTruncated": "no"'), ("true", "1"),
        ('"team"', "null"), ('["g"]', '["g", 7]'), ('["g"]', "null"), ('"p"', '"p", "New": 1'), ('"Path"', '"Unknown"'),
        ('"p:"', '"p\\u003a"'), ('"a: b"', '"a\\u003a\\ud800"'), ('"a: b"', '"\x01"'),
        ('"RoleLastUsed": {}', '"RoleLastUsed": NaN'),
        ('"RoleLastUsed": {}', '"RoleLastUsed": 01'), ('"RoleLastUsed": {}', '"RoleLastUsed": {"a": 1, "a": 2}'),
        ('"RoleLastUsed": {}', '"RoleLastUsed": ' + "[" * 3000 + "]" * 3000), ('"Value"', '"Value" \t: "x", "Value"'),
        ('"PermissionsBoundaryArn"', '"PermissionsBoundaryArn": "x", "PermissionsBoundaryArn"'), ("{", "\ufeff{"), ("}", "}{}"),
        ("2012-10-17", "2012-10-17\\n"), ('"AttachedManagedPolicies": [', '"AttachedManagedPolicies": [7, '),
        ('"Arn"', '"Arn": 7, "A"'),
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(four, spoils, st.integers(0, 12), st.integers(0, 4000))
def test_both_ways_say_the_same_of_a_spoilt_dump(
    documents: list[Any], spoil: tuple[str, str], at: int, cut: int
) -> None:
    text = json.dumps(dump(documents))
    parts = text.split(spoil[0])
    at %= len(parts)
    text = spoil[0].join(parts[: at + 1]) + (spoil[1] if at + 1 < len(parts) else "") + spoil[0].join(parts[at + 1 :])
    if cut < len(text) // 8:
        text = text[: cut * 8]
    assert outcome(text, quick) == outcome(text, read_json)


@pytest.mark.parametrize("source", DOCUMENTS, ids=lambda source: json.dumps(source)[:60])
def test_a_document_as_bytes_is_read_as_the_object(source: Any) -> None:
    content = json.dumps(source).encode()
    whole, object_ = Documents().read(content), Documents().read(source)
    assert replace(whole, document=None) == replace(object_, document=None)
    assert (whole.document is None) is (object_.document is None)
    if whole.document is not None:
        assert whole.document == object_.document
        assert object_.document == whole.document


def test_what_is_ordinary_is_decoded_at_once_and_nothing_else() -> None:
    ordinary = [at for at, source in enumerate(DOCUMENTS) if document_of(json.dumps(source).encode())]
    # The fourth and the fifth have a backslash, and go the long way.
    assert ordinary == [0, 1, 2, 5, 14]
    assert page_of(json.dumps(dump(DOCUMENTS[:4]))) is not None


@pytest.mark.parametrize("twice", ["Action", "Effect", "Resource", "Sid", "Condition"])
def test_an_element_that_is_there_twice_is_said(twice: str) -> None:
    item = statement(Sid="A", Condition={"Bool": {"a": "true"}})
    value = json.dumps(document(item)).replace(f'"{twice}":', f'"{twice}" :{json.dumps(item[twice])},"{twice}":', 1)
    read = Documents().read(value.encode())
    assert read.document is not None
    assert [problem.pointer for problem in read.document.problems] == [f"/Statement/0/{twice}"]


def test_a_colon_that_is_spelt_out_hides_no_key_that_is_there_twice() -> None:
    value = dump(DOCUMENTS[:3] + DOCUMENTS[:1])
    text = json.dumps(value).replace('"a: b"', '"a\\u003a b"', 1).replace('"Key"', '"Key": "x", "Key"', 1)
    assert page_of(text) is None
    found = outcome(text, quick)
    assert found == outcome(text, read_json)
    assert any("more than once" in sentence for sentence in found[1])


def test_statements_are_made_when_they_are_asked_for_and_the_document_is_as_any_other() -> None:
    content = json.dumps(document(statement(Sid="A"), statement(Action="*"))).encode()
    known = parse_policy(content)
    unread = document_of(content)
    assert isinstance(unread, UnreadDocument)
    assert [list(one) for one in unread.action_patterns()] == [["bedrock-mantle:Get*", "s3:GetObject"], ["*"]]
    for one in (unread, copy.deepcopy(unread), pickle.loads(pickle.dumps(unread))):
        assert (one, known, hash(one)) == (known, one, hash(known))
    shorter = replace(unread, statements=known.statements[:1])
    assert shorter == PolicyDocument(known.statements[:1])
    assert [list(one) for one in shorter.action_patterns()] == [["bedrock-mantle:Get*", "s3:GetObject"]]
    with pytest.raises(AttributeError):
        unread.version = None  # type: ignore[misc]
    with pytest.raises(AttributeError):
        unread.nothing  # noqa: B018


@pytest.mark.parametrize("record", [Place("a", 1, 2, "b", "c"), Document(None, "x"), NamedPolicy("n", PolicyDocument(())),
                                    Principal("a")])  # fmt: skip
def test_a_record_that_is_made_quickly_is_the_record(record: Any) -> None:
    values = [getattr(record, field.name) for field in fields(record)]
    made = maker(type(record))(*values)
    assert (type(made), made, hash(made), repr(made)) == (type(record), record, hash(record), repr(record))
    with pytest.raises(AttributeError):
        setattr(made, fields(made)[0].name, "other")


def test_a_file_with_a_member_of_another_time_is_read_whole() -> None:
    value = dump(DOCUMENTS[:4])
    value["RoleDetailList"][0]["Invented"] = {"by": "AWS"}
    reader = DumpReader(Binding(), {})
    held = {name: json.dumps(one).encode() for name, one in (("new", value), ("old", dump(DOCUMENTS[:4])))}
    new, old = ([*reader.read(Dump((name,)), Opener(held=held))] for name in ("new", "old"))
    assert [one.arn for one in new[0].accounts[0].principals] == [one.arn for one in old[0].accounts[0].principals]
    assert [given.status for given in (*new[1].inputs, *old[1].inputs)] == [given.status for given in old[1].inputs] * 2
    assert all(isinstance(given, Input) for given in new[1].inputs)
