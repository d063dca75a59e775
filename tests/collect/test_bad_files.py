"""Inputs that are broken, hostile or something else: each fails by itself with its reason, and nothing is raised."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mantle_iam.collect.files import read_inputs
from mantle_iam.collect.places import TextError, decode_text, locate, read_json, repeated_keys
from mantle_iam.iam.inventory import InputStatus

ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"bedrock-mantle:*","Resource":"*"}]}'
USER = '{"UserDetailList":[{"UserName":"a","Arn":"arn:aws:iam::123456789012:user/a","UserPolicyList":[%s]}]}'
FAILED, PARTIAL, READ = InputStatus.FAILED, InputStatus.PARTIAL, InputStatus.READ

BAD: tuple[tuple[str, bytes, InputStatus, str], ...] = (
    ("empty", b"", FAILED, "empty"),
    ("breaks off", ALLOW[:50].encode(), FAILED, "not complete"),
    ("two values, one broken", f"{ALLOW}\n{{nope\n{ALLOW}".encode(), PARTIAL, "not JSON"),
    ("another thing", b'{"hello": "world"}', FAILED, "none of the kinds"),
    ("a number", b"[1, 2]", FAILED, "none of the kinds"),
    ("an AWS error", b'{"Error": {"Code": "AccessDenied"}}', FAILED, "error message"),
    ("a file of passwords", b"root:*:19000:0:99999:7:::\nsvc:$6$never-shown:19000::\n", FAILED, "none of the kinds"),
    ("keys that are secrets", b'{"name": 1, "sk-never-shown-1": 2, "sk-never-shown-1": 3}', FAILED, "it has `name`"),
    ("an environment", b"TOKEN=never-shown\n", FAILED, "none of the kinds"),
    ("not text", bytes(range(256)) * 4, FAILED, "text"),
    ("nested", b"[" * 100_000, FAILED, "nested too deeply"),
    ("NaN", b'{"Statement": NaN}', FAILED, "NaN"),
    ("broken gzip", gzip.compress(ALLOW.encode())[:-12], FAILED, "compressed"),
    ("gzip of nonsense", b"\x1f\x8b" + b"x" * 50, FAILED, "compressed"),
    ("state file", b'{"version": 4, "terraform_version": "1.9.0", "lineage": "x"}', FAILED, "terraform show -json"),
    ("plan of the future", b'{"format_version": "2.0", "planned_values": {}}', FAILED, "format `2.0`"),
    ("no statement", b'{"PolicyDocument": {"Version": "2012-10-17"}}', FAILED, "Statement"),
    ("wrong effect", ALLOW.replace("Allow", "allow").encode(), FAILED, "Effect"),
    ("repeated key", ALLOW.replace('"Effect"', '"Effect":"Deny","Effect"').encode(), READ, "more than once"),
    ("latin-1", ALLOW.replace("bedrock", "é").encode("latin-1"), READ, "Latin-1"),
    ("entity without arn", b'{"UserDetailList": [{"UserName": "a"}]}', PARTIAL, "without an ARN"),
    ("document of a wrong type", (USER % '{"PolicyName":"p","PolicyDocument":7}').encode(), PARTIAL, "a number"),
    ("document cut", (USER % '{"PolicyName":"p","PolicyDocument":"{\\"Stat"}').encode(), PARTIAL, "not JSON"),
    ("lists that are none", b'{"UserDetailList": [], "RoleDetailList": {"a": 1}}', PARTIAL, "not understood"),
    ("yaml of a circle", b"Resources: &a\n  X: *a\n", FAILED, "circle"),
    ("yaml bomb", b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 110)), FAILED, "elements"),
    ("broken yaml", b"Resources:\n  - [\n", FAILED, "line"),
    ("python in yaml", b"Resources: !!python/object/apply:os.system ['true']", FAILED, "none of the kinds"),
    ("unknown template", b'{"Resources": {"A": {"Type": "AWS::IAM::Novelty"}}}', PARTIAL, "AWS::IAM::Novelty"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "data", "status", "says"), BAD, ids=[row[0] for row in BAD])
def test_one_bad_input(name: str, data: bytes, status: InputStatus, says: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(data)
    (tmp_path / "good.json").write_text(ALLOW, "utf-8")
    began = time.monotonic()
    found = read_inputs([str(tmp_path)])
    assert time.monotonic() - began < 20
    by_name = {Path(given.path).name: given for given in found.inputs}
    assert by_name["good.json"].status is READ
    assert by_name["bad.json"].status is status, by_name["bad.json"]
    assert says in " ".join(by_name["bad.json"].problems)
    assert "never-shown" not in str(found.inputs)
    assert any(policy.place.path.endswith("good.json") for policy in found.policies)


def test_code_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text('resource "aws_iam_policy" {{{', "utf-8")
    assert read_inputs([str(tmp_path / "a.tf")]).inputs[0].status is FAILED
    (tmp_path / "b.tf").write_text('resource "aws_iam_novelty" "n" {\n  policy = "x"\n}\n', "utf-8")
    found = read_inputs([str(tmp_path)]).inputs[0]
    assert found.status is PARTIAL
    assert "aws_iam_novelty" in " ".join(found.problems)


def test_a_policy_of_many_megabytes_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "huge.json"
    file.write_text(
        '{"Statement": [' + ",".join(['{"Effect":"Allow","Action":"a:b","Resource":"*"}'] * 60_000) + "]}", "utf-8"
    )
    (found,) = read_inputs([str(file)]).inputs
    assert found.status is FAILED
    assert "2,000,000" in found.problems[0]


@pytest.mark.parametrize("path", ["no/such/file", "a\0b", "x" * 5000, "/"[:0]])
def test_paths_that_are_none(path: str) -> None:
    (found,) = read_inputs([path]).inputs
    assert found.status is FAILED


def test_a_hostile_name_is_shown_safely(tmp_path: Path) -> None:
    name = "a\x1b[31m\n\u202eb.json"
    (tmp_path / name).write_text("{", "utf-8")
    (found,) = read_inputs([str(tmp_path)]).inputs
    assert "\x1b" not in found.path
    assert "\n" not in found.path


def test_standard_input_and_an_empty_folder(tmp_path: Path) -> None:
    assert [p.name for p in read_inputs(["-"], stdin=gzip.compress(ALLOW.encode())).policies] == ["-"]
    assert read_inputs([str(tmp_path)]).inputs[0].problems == ("an empty folder",)


def test_what_a_folder_holds_besides_is_named(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("x", "utf-8")
    (given_input,) = read_inputs([str(tmp_path)]).inputs
    assert given_input.status is READ
    assert "readme.md" in given_input.problems[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"{", b"[", b"\x1f\x8b\x08", b"\xff\xfe", b"a: "]))
def test_random_bytes_never_raise(data: bytes, head: bytes) -> None:
    (found,) = read_inputs(["-"], stdin=head + data).inputs
    assert found.path == "-"


SEEDS = (
    ALLOW,
    USER % '{"PolicyName":"p","PolicyDocument":{"Statement":[]}}',
    json.dumps({"format_version": "1.2", "planned_values": {"root_module": {"resources": [
        {"address": "aws_iam_role.r", "mode": "managed", "type": "aws_iam_role", "name": "r",
         "values": {"name": "r", "assume_role_policy": ALLOW, "inline_policy": [{"name": "i", "policy": ALLOW}]}}]}}}),
    json.dumps({"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [
        {"PolicyName": {"Fn::Sub": "${AWS::StackName}-p"}, "PolicyDocument": json.loads(ALLOW)}]}}}}),
    json.dumps({"Roots": [{"Id": "r-ab12", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}],
                "Policy": {"PolicySummary": {"Id": "p-1", "Type": "SERVICE_CONTROL_POLICY"}, "Content": ALLOW}}),
    json.dumps({"VpcEndpoints": [{"ServiceName": "x.bedrock-mantle", "PolicyDocument": ALLOW}]}),
    json.dumps({"ServiceSpecificCredentials": [{"UserName": "u", "CreateDate": 12, "ExpirationDate": "x"}]}),
)  # fmt: skip
JUNK: tuple[Any, ...] = (
    None,
    True,
    7,
    -1.5,
    "",
    "x",
    [],
    {},
    [[]],
    {"": None},
    "${mantle-iam:Unresolved}",
    {"Ref": []},
)


def _spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, item in inner for spot in _spots(item, (*path, key)))]


@settings(max_examples=250, deadline=None)
@given(seed=st.sampled_from(SEEDS), chosen=st.integers(0, 10_000), junk=st.sampled_from(JUNK))
def test_any_part_may_be_of_any_type(seed: str, chosen: int, junk: Any) -> None:
    value = json.loads(seed)
    spots = _spots(value)[1:]
    *path, last = spots[chosen % len(spots)]
    owner = value
    for key in path:
        owner = owner[key]
    owner[last] = junk
    assert read_inputs(["-"], stdin=json.dumps(value).encode()).inputs


def test_places_are_those_of_the_text() -> None:
    text = '{\n  "a": [1, {"b/c": "x"}],\r\n  "k": {"k": 1, "k": 2}\n}'
    places = locate(text, ["", "/a/1/b~1c", "/k/k", "/a/9/z"])
    assert {pointer: (p.line, p.column) for pointer, p in places.items()} == {
        "": (1, 1),
        "/a/1/b~1c": (2, 20),
        "/k/k": (3, 22),
        "/a/9/z": (2, 8),
    }
    assert list(repeated_keys(read_json(text))) == ["/k/k"]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=15,
)


@given(_json, st.sampled_from([None, 1, 2]))
def test_every_element_is_found_where_it_begins(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    pointers = {
        "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in spot): spot for spot in _spots(value)
    }
    lines = text.split("\n")
    for pointer, place in locate(text, pointers).items():
        found = value
        for key in pointers[pointer]:
            found = found[key]
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        assert json.JSONDecoder().raw_decode(rest)[0] == found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(encoding: str) -> None:
    assert decode_text(ALLOW.encode(encoding)).text == ALLOW


def test_a_hostile_text_takes_linear_time() -> None:
    for text in ('"\\' * 200_000, '{"a":' * 100_000, "[1," * 200_000, '"' * 300_001):
        began = time.monotonic()
        locate(text, ["/a/a/a"])
        with pytest.raises(TextError):
            read_json(text)
        assert time.monotonic() - began < 10
