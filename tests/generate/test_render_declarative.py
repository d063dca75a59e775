"""Terraform, CloudFormation and SAM: what each kind becomes, and that hostile texts arrive as they are at independent readers.

What the tools themselves say of them is asked by ``tests/iac``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam import bundled
from mantle_iam.errors import InputError
from mantle_iam.generate.artifact import Artifact, Kind, Trust, TrustedBy
from mantle_iam.generate.render import FORMATS, render
from mantle_iam.generate.render.engine import json_text
from mantle_iam.generate.render.hcl import identifier
from mantle_iam.generate.render.yaml_writer import yaml_string, yaml_text
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import Condition, Effect, PolicyDocument, Principals, Statement

DECLARATIVE = ("terraform", "terraform-json", "cloudformation", "cloudformation-json", "sam")
CHAT = PolicyDocument(
    (
        Statement(
            Effect.ALLOW,
            actions=("bedrock-mantle:CreateInference", "bedrock-mantle:ListModels"),
            resources=("arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",),
            conditions=(Condition("StringEquals", "aws:PrincipalTag/team", ("${aws:ResourceTag/team}",)),),
            sid="Chat",
        ),
    )
)
PODS = PolicyDocument(
    (
        Statement(
            Effect.ALLOW,
            principals=Principals((("Service", ("pods.eks.amazonaws.com",)),)),
            actions=("sts:AssumeRole", "sts:TagSession"),
        ),
    )
)
LAMBDA = PolicyDocument(
    (
        Statement(
            Effect.ALLOW, principals=Principals((("Service", ("lambda.amazonaws.com",)),)), actions=("sts:AssumeRole",)
        ),
    )
)


def template(name: str) -> str:
    return bundled.templates().joinpath(*name.split("/")).read_text("utf-8")


def text_of(name: str, artifact: Artifact) -> str:
    return render(artifact, name, template)


class _Reader(yaml.SafeLoader):
    """YAML 1.1 with CloudFormation's short forms."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if name == "Fn::GetAtt" else value}
    return {name: loader.construct_sequence(node, deep=True)}


_Reader.add_multi_constructor("!", _function)


def read_yaml(text: str) -> Any:
    return yaml.load(text, _Reader)


# --- kinds -----------------------------------------------------------------------------------------------------------


def example(kind: Kind) -> Artifact:
    artifact = Artifact((CHAT,), kind, name="mantle-chat", description="Chat: what it may do.")
    if kind is Kind.TRUST:
        return replace(artifact, documents=(LAMBDA,), permissions=(CHAT,), trust=Trust(TrustedBy.LAMBDA))
    return replace(artifact, key_age_days=30) if kind is Kind.LONG_TERM_KEY else artifact


@pytest.mark.parametrize("name", DECLARATIVE)
@pytest.mark.parametrize("kind", Kind)
def test_a_kind_has_a_form_or_a_reason_why_not(name: str, kind: Kind) -> None:
    (found,) = [one.load() for one in FORMATS if one.name == name]
    artifact = example(kind)
    if kind in found.missing:
        with pytest.raises(InputError, match="has no form for") as caught:
            text_of(name, artifact)
        assert found.missing[kind] in str(caught.value)
        assert "terraform" in (caught.value.help or "")
        return
    text = text_of(name, artifact)
    assert text == text_of(name, artifact)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "bedrock-mantle:CreateInference" in text
    assert not any(line != line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("name", DECLARATIVE)
@pytest.mark.parametrize("kind", [Kind.BOUNDARY, Kind.VPC_ENDPOINT, Kind.SESSION, Kind.PERMISSION_SET])
def test_several_documents_where_one_is_in_force_are_refused(name: str, kind: Kind) -> None:
    artifact = replace(example(kind), documents=(CHAT, CHAT))
    with pytest.raises(InputError, match=r"only one can be in force|has no form"):
        text_of(name, artifact)


@pytest.mark.parametrize("name", DECLARATIVE)
def test_several_documents_have_names_and_labels_of_their_own(name: str) -> None:
    artifact = Artifact((CHAT, PODS, LAMBDA), name="mantle")
    text = text_of(name, artifact)
    if name != "sam":  # whose policies are parts of one role
        assert all(f"mantle-{number}" in text for number in (1, 2, 3))
    assert text.count("sts:TagSession") == 1
    assert parse_policy(json.dumps(_documents(name, text)[2])) == LAMBDA


def _documents(name: str, text: str) -> list[Any]:
    """The policy documents in a text, in their order."""
    if name == "sam":
        (function,) = read_yaml(text)["Resources"].values()
        return list(function["Properties"]["Policies"])
    if name.startswith("cloudformation"):
        read = json.loads(text) if name.endswith("json") else read_yaml(text)
        return [each["Properties"]["PolicyDocument"] for each in read["Resources"].values()]
    if name == "terraform-json":
        return [_from_data_source(each) for each in json.loads(text)["data"]["aws_iam_policy_document"].values()]
    import io

    import hcl2

    blocks = [
        each["aws_iam_policy_document"] if "aws_iam_policy_document" in each else each['"aws_iam_policy_document"']
        for each in hcl2.load(io.StringIO(text))["data"]
    ]
    return [
        _from_data_source(_unquoted(body[0] if isinstance(body, list) else body))
        for block in blocks
        for body in block.values()
    ]


def _unquoted(value: Any) -> Any:
    """What ``hcl2`` read, its string literals as JSON syntax has them: without quotes and escapes, but for ``$${``."""
    if isinstance(value, dict):
        return {key: _unquoted(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_unquoted(member) for member in value]
    return json.loads(value, strict=False) if isinstance(value, str) and value.startswith('"') else value


def _from_data_source(body: dict[str, Any]) -> dict[str, Any]:
    """The document that an ``aws_iam_policy_document`` of the JSON syntax stands for."""
    elements = {
        "actions": "Action",
        "not_actions": "NotAction",
        "resources": "Resource",
        "not_resources": "NotResource",
    }
    statements = []
    for given_ in body["statement"]:
        written: dict[str, Any] = {"Sid": _plain(given_["sid"])} if "sid" in given_ else {}
        written["Effect"] = given_["effect"]
        for name, element in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
            for each in given_.get(name, ()):
                if each["type"] == "*":
                    written[element] = "*"
                else:
                    written.setdefault(element, {})[each["type"]] = list(map(_plain, each["identifiers"]))
        written |= {element: list(map(_plain, given_[name])) for name, element in elements.items() if name in given_}
        for each in given_.get("condition", ()):
            keys = written.setdefault("Condition", {}).setdefault(_plain(each["test"]), {})
            keys[_plain(each["variable"])] = list(map(_plain, each["values"]))
        statements.append(written)
    return {"Version": body["version"], "Statement": statements}


def _plain(text: str) -> str:
    return text.replace("$${", "${").replace("%%{", "%{")


# --- hostile texts ---------------------------------------------------------------------------------------------------

WORDS = (
    *(
        "yes",
        "No",
        "on",
        "~",
        "null",
        "1e3",
        "0x1F",
        "12:30:45",
        "2012-10-17",
        "<<",
        "=",
        "!",
        "!Ref",
        "&",
        "*",
        "-",
        "?",
        "|",
    ),
    *(
        ">",
        "%",
        "@",
        "`",
        "{",
        "}",
        "[",
        "]",
        ",",
        "#",
        ":",
        "''",
        '""',
        "---",
        "...",
        "a: b",
        "a #b",
        "- a",
        "${x}",
        "$${x}",
    ),
    *("%{if}", "%%{x}", "\\", "'", "a\nb", "\t", "\r\n", "\u2028", "\x85", "😀", "{{ x }}", "{% x %}", "key:"),
)
ODD = st.one_of(st.sampled_from(WORDS), st.text(st.characters(codec="utf-8"), max_size=12))
FILLED = ODD.filter(bool)
STATEMENTS = st.builds(
    Statement,
    effect=st.sampled_from(Effect),
    actions=st.lists(FILLED, min_size=1, max_size=3).map(tuple),
    not_resources=st.lists(FILLED, max_size=2).map(tuple),
    conditions=st.dictionaries(
        st.tuples(
            st.sampled_from(("StringEquals", "Bool", "Null")), FILLED.filter(lambda key: not key.startswith("Fn::"))
        ),
        st.lists(ODD, min_size=1, max_size=3),
        max_size=3,
    ).map(lambda found: tuple(Condition(*key, tuple(values)) for key, values in sorted(found.items()))),
    sid=st.none() | FILLED,
)
DOCUMENTS = st.builds(PolicyDocument, st.lists(STATEMENTS, min_size=1, max_size=2).map(tuple))


def same(read: Any, document: PolicyDocument) -> bool:
    return parse_policy(json.dumps(read)).statements == document.statements


@given(DOCUMENTS, ODD)
def test_yaml_and_json_templates_say_the_document(document: PolicyDocument, name: str) -> None:
    for kind in (Kind.IDENTITY, Kind.SCP):
        artifact = Artifact((document,), kind, name=name or "x", description=name, roles=(name or "x",))
        in_yaml = read_yaml(text_of("cloudformation", artifact))
        in_json = json.loads(text_of("cloudformation-json", artifact))
        in_json.pop("Metadata")
        assert in_yaml == in_json
        (resource,) = in_yaml["Resources"].values()
        properties = resource["Properties"]
        assert same(properties["PolicyDocument" if kind is Kind.IDENTITY else "Content"], document)
        assert properties["ManagedPolicyName" if kind is Kind.IDENTITY else "Name"] == (name or "x")
        assert properties.get("Description", "") == name


@given(DOCUMENTS, ODD)
def test_terraforms_json_syntax_says_the_document(document: PolicyDocument, name: str) -> None:
    artifact = Artifact((document,), name=name or "x", description=name)
    text = text_of("terraform-json", artifact)
    read = json.loads(text)
    (policy,) = read["resource"]["aws_iam_policy"].values()
    assert _plain(policy["name"]) == (name or "x")
    if "data" in read:
        assert same(_documents("terraform-json", text)[0], document)
    else:
        assert same(json.loads(_plain(policy["policy"])), document)


@given(DOCUMENTS)
def test_sam_says_the_document(document: PolicyDocument) -> None:
    (function,) = read_yaml(text_of("sam", Artifact((document,))))["Resources"].values()
    assert same(function["Properties"]["Policies"][0], document)


@given(ODD, ODD)
def test_a_yaml_string_is_that_string_as_key_and_value(key: str, value: str) -> None:
    assert yaml.safe_load(f"{yaml_string(key)}: {yaml_string(value)}\n") == {key: value}
    assert yaml.safe_load(f"- {yaml_string(value)}\n") == [value]
    assert yaml.safe_load(f"[{yaml_string(value)}]\n") == [value]
    assert "\n" not in yaml_string(value)


TREES = st.recursive(
    st.one_of(ODD, st.booleans(), st.integers()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(ODD, TREES, min_size=1, max_size=3))
def test_yaml_is_the_data(data: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml_text(data)) == data
    assert yaml.safe_load(json_text(data)) == json.loads(json_text(data)) == data


@given(st.text())
def test_an_identifier_is_one(name: str) -> None:
    assert identifier(name).isascii()
    assert identifier(name).isidentifier()


# --- what cannot be said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cloudformation", "cloudformation-json", "sam"])
def test_what_cloudformation_would_replace_is_refused(name: str) -> None:
    resolved = replace(CHAT.statements[0], resources=("{{resolve:ssm:x}}",))
    function = replace(CHAT.statements[0], conditions=(Condition("StringEquals", "Fn::Sub", ("x",)),))
    for statement in (resolved, function):
        with pytest.raises(InputError, match="CloudFormation"):
            text_of(name, Artifact((PolicyDocument((statement,)),)))


def test_cloudformation_takes_no_endpoint_that_is_there() -> None:
    with pytest.raises(InputError, match="vpce-1"):
        text_of("cloudformation", Artifact((CHAT,), Kind.VPC_ENDPOINT, endpoint="vpce-1"))


def test_sam_takes_nothing_that_is_not_its_functions() -> None:
    with pytest.raises(InputError, match="`app`"):
        text_of("sam", Artifact((CHAT,), roles=("app",)))
    with pytest.raises(InputError, match="Lambda"):
        text_of("sam", Artifact((PODS,), Kind.TRUST, trust=Trust(TrustedBy.POD_IDENTITY)))


@pytest.mark.parametrize(
    "document",
    [
        PolicyDocument((replace(CHAT.statements[0], resources=("a&{b}",)),)),
        PolicyDocument((replace(CHAT.statements[0], conditions=(Condition("Bool", "a", ()),)),)),
        parse_policy(
            '{"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Elsewhere": {"x": [1, true]}}]}'
        ),
    ],
    ids=["ampersand", "no values", "unknown element"],
)
def test_what_the_data_source_would_change_is_encoded_as_it_is(document: PolicyDocument) -> None:
    written = json.loads(text_of("json", Artifact((document,))))
    (policy,) = json.loads(text_of("terraform-json", Artifact((document,))))["resource"]["aws_iam_policy"].values()
    assert json.loads(_plain(policy["policy"])) == written
    text = text_of("terraform", Artifact((document,)))
    assert "jsonencode({" in text
    assert "aws_iam_policy_document" not in text


# --- goldens ---------------------------------------------------------------------------------------------------------

GOLDENS = {
    "scp.tf": ("terraform", replace(example(Kind.SCP), targets=("r-ab12",))),
    "permission-set.tf": ("terraform", example(Kind.PERMISSION_SET)),
    "long-term-key.tf": ("terraform", example(Kind.LONG_TERM_KEY)),
    "pod-identity.tf": (
        "terraform",
        Artifact(
            (PODS,), Kind.TRUST, "mantle-pods", permissions=(CHAT,), trust=Trust(TrustedBy.POD_IDENTITY, namespace="ml")
        ),
    ),
    "session.tf.json": ("terraform-json", example(Kind.SESSION)),
    "vpc-endpoint.yaml": ("cloudformation", example(Kind.VPC_ENDPOINT)),
    "identity.yaml": ("cloudformation", example(Kind.IDENTITY)),
    "boundary.json": ("cloudformation-json", example(Kind.BOUNDARY)),
    "function.sam.yaml": ("sam", example(Kind.TRUST)),
}


@pytest.mark.parametrize("file", GOLDENS)
def test_golden_texts(file: str, golden: Any) -> None:
    golden(f"generate/formats/{file}", text_of(*GOLDENS[file]))
