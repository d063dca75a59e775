"""Terraform code by itself: where its documents stand, what it may not reach, and how little it can make anybody wait."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mantle_iam.collect.dump_reader import Gathered
from mantle_iam.collect.files import read_inputs
from mantle_iam.collect.locator import located, within
from mantle_iam.iam.inventory import InputStatus, NamedPolicy
from mantle_iam.iam.request import PolicyType

DOCUMENT = '{"Version": "2012-10-17",\n  "Statement": [{"Effect": "Allow", "Action": ["%s"],\n    "Resource": "%s"}]}'
POLICY = 'resource "aws_iam_policy" "p" {{\n  name   = "p"\n  policy = {0}\n}}\n'
ENCODED = 'jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "a:B", Resource = "*" }] })'
ROLE = 'resource "aws_iam_role" "r" {{\n{0}  name = "r"\n}}\n'
INLINE = 'resource "aws_iam_role_policy" "p" {{\n{0}  role = aws_iam_role.r.name\n  policy = {1}\n}}\n'


def read(folder: Path, files: dict[str, str | bytes], *given: str) -> Gathered:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_inputs([str(folder / name) for name in given] or [str(folder)])


def policies(found: Gathered) -> list[NamedPolicy]:
    bound = [policy for account in found.accounts for each in account.principals for policy in each.identity]
    return [*bound, *found.policies]


def at(policy: NamedPolicy, pointer: str) -> tuple[str, str]:
    """The file's name, and its text from the place of an element to the end of the line."""
    place = within(policy, pointer)
    place = located([place])[place]
    lines = Path(place.path).read_text("utf-8").splitlines()
    return Path(place.path).name, lines[(place.line or 0) - 1][(place.column or 0) - 1 :]


HEREDOC = "<<-EOT\n    " + DOCUMENT.replace("\n", "\n    ") % ("a:B", "${var.x}/*") + "\n  EOT"
WRITTEN = {
    "heredoc": ({"main.tf": POLICY.format(HEREDOC) + 'variable "x" {\n  default = "y"\n}\n'}, "main.tf", '"a:B"],'),
    "heredoc-crlf": (
        {"main.tf": (POLICY.format(HEREDOC) + 'variable "x" {\n  default = "y"\n}\n').replace("\n", "\r\n")},
        "main.tf",
        '"a:B"],',
    ),
    "local": (
        {"main.tf": POLICY.format("local.p"), "locals.tf": "locals {\n  p = " + ENCODED + "\n}\n"},
        "locals.tf",
        '"a:B", Resource = "*" }] })',
    ),
    "file": ({"main.tf": POLICY.format('file("p.json")'), "p.json": DOCUMENT % ("a:B", "*")}, "p.json", '"a:B"],'),
    "templatefile": (
        {
            "main.tf": POLICY.format('templatefile("${path.module}/p.tpl", { x = "*" })'),
            "p.tpl": DOCUMENT % ("a:B", "${x}"),
        },
        "p.tpl",
        '"a:B"],',
    ),
    "module": (
        {
            "main.tf": 'module "m" {\n  source = "./m"\n}\n',
            "m/main.tf": POLICY.format("var.p"),
            "m/variables.tf": f'variable "p" {{\n  default = {"<<EOT" + chr(10) + DOCUMENT % ("a:B", "*")}\nEOT\n}}\n',
        },
        "variables.tf",
        '"a:B"],',
    ),
}


@pytest.mark.parametrize(("files", "name", "rest"), WRITTEN.values(), ids=list(WRITTEN))
def test_an_element_has_its_line_and_column(
    files: dict[str, str | bytes], name: str, rest: str, tmp_path: Path
) -> None:
    found = read(tmp_path, files, *([] if "locals.tf" in files else ["main.tf"]))
    (policy,) = policies(found)
    assert policy.document.statements[0].actions == ("a:B",)
    place, text = at(policy, "/Statement/0/Action/0" if "[" in rest or "]," in rest else "/Statement/0/Action")
    assert (place, text) == (name, rest)


SURE = {
    "always": ("", "", True),
    "neither": ("  count = var.n\n", "", True),
    "both": ("  count = var.n\n", "  count = var.n\n", True),
    "only the policy": ("", "  count = var.n\n", False),
    "of another number": ("  count = var.m\n", "  count = var.n\n", False),
}


@pytest.mark.parametrize(("role", "policy", "sure"), SURE.values(), ids=list(SURE))
def test_a_policy_of_which_nobody_knows_whether_it_is_there(role: str, policy: str, sure: bool, tmp_path: Path) -> None:
    variables = 'variable "n" {}\nvariable "m" {}\n'
    found = read(tmp_path, {"main.tf": INLINE.format(policy, ENCODED) + variables + ROLE.format(role)})
    (principal,) = found.accounts[0].principals
    assert (len(principal.identity) == 1, PolicyType.IDENTITY not in principal.unknown) == (sure, sure)
    assert [each.document.statements[0].actions for each in policies(found)] == [("a:B",)]  # linted all the same


def test_what_there_is_none_of_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, {"main.tf": INLINE.format("  count = 0\n", ENCODED) + ROLE.format("")})
    assert policies(found) == []
    assert "there are none" in found.inputs[0].problems[0]
    assert found.inputs[0].status is InputStatus.READ


VALUES = {
    "length(var.unknown)": None,
    'try(var.none.x, "y")': "y",
    'coalesce(null, "", "z")': "z",
    'var.none == null ? "null" : "set"': "null",
    'var.unknown == null ? "null" : "set"': None,
    'false && var.unknown ? "a" : "b"': "b",
    'true || var.unknown ? "a" : "b"': "a",
    "{ a = 1 }.b": None,
    '[for k, v in { b = 1, a = 2 } : "${k}${v}"][0]': "a2",
    '{ for x in ["p", "q"] : x => upper(x) if x != "q" }["p"]': "P",
    'join(",", sort(toset(["b", "a", "b"])))': "a,b",
    'join(",", distinct([var.unknown, var.unknown]))': None,
    '["a", var.unknown][0]': None,
    '"${1 + 2 * 3}-${-1}-${!true}"': "7--1-false",
    'format("%s/%s", "a", "b")': "a/b",
    'format("%05d", 3)': None,
    'lookup({ a = "b" }, "c", "d")': "d",
    'jsondecode("{\\"a\\": [\\"b\\"]}").a[0]': "b",
    'replace("a-b", "-", "/")': "a/b",
    'replace("a-b", "/[a-z]/", "x")': None,
    'concat(["a"], var.unknown)[0]': None,
    'concat(["a"], [])[0]': "a",
    "(var.many...)": None,
    'merge(var.objects...)["k"]': "v2",
    'element(["a", "b"], 3)': "b",
    "sha256(var.none)": None,
    "var.objects[*].k": None,
    'join(",", var.objects[*].k)': "v1,v2",
    'join(",", [for pair in setproduct(["a"], ["b", "c"]) : join("", pair)])': "ab,ac",
}
VARIABLES = """
variable "unknown" {}
variable "none" {
  default = null
}
variable "objects" {
  default = [{ k = "v1" }, { k = "v2" }]
}
"""


@pytest.mark.parametrize(("expression", "value"), VALUES.items(), ids=list(VALUES))
def test_an_expression_has_its_value_or_none(expression: str, value: str | None, tmp_path: Path) -> None:
    text = f'resource "aws_iam_user" "u" {{\n  name = "u-${{{expression}}}"\n}}\n{VARIABLES}'
    found = read(tmp_path, {"main.tf": text})
    named = [each.arn for account in found.accounts for each in account.principals]
    if expression.startswith("("):
        assert found.inputs[0].status is InputStatus.FAILED
    else:
        assert named == [f"arn:aws:iam::000000000000:user/{'aws_iam_user.u' if value is None else f'u-{value}'}"]


def test_a_variable_given_by_the_user_wins(tmp_path: Path) -> None:
    files: dict[str, str] = {
        "main.tf": 'variable "n" {\n  type = list(string)\n}\nresource "aws_iam_user" "u" {\n'
        "  for_each = toset(var.n)\n  name = each.key\n}\n",
        "terraform.tfvars": 'n = ["a"]\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")

    def names(**given: str) -> list[str]:
        found = read_inputs([str(tmp_path / "main.tf")], parameters=given)
        return [each.arn.rpartition("/")[2] for account in found.accounts for each in account.principals]

    assert names() == ["a"]
    assert names(n='["b", "c"]') == ["b", "c"]


def test_modules_are_read_once_whoever_comes_first(tmp_path: Path) -> None:
    inner = 'variable "n" {}\nresource "aws_iam_user" "u" {\n  name = var.n\n}\n' + POLICY.format(ENCODED)
    for first, caller in (("a", "z"), ("z", "a")):
        folder = tmp_path / first
        outer = f'module "m" {{\n  source = "../{first}"\n  n = "x"\n}}\n'
        found = read(folder, {f"{first}/main.tf": inner, f"{caller}/main.tf": outer})
        assert [each.arn for account in found.accounts for each in account.principals] == [
            "arn:aws:iam::000000000000:user/x"
        ]
        assert len(policies(found)) == 1


def test_a_module_from_elsewhere_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, {"main.tf": 'module "m" {\n  source = "acme/role/aws"\n}\n' + POLICY.format(ENCODED)})
    assert found.inputs[0].status is InputStatus.PARTIAL
    assert found.inputs[0].documents_read
    assert "acme/role/aws" in found.inputs[0].problems[0]
    assert len(policies(found)) == 1


def test_a_module_chooses_no_file_outside_of_modules(tmp_path: Path) -> None:
    secret = DOCUMENT % ("a:B", "*")
    files = {"s/secret.json": secret, "m/own.json": secret, "r/main.tf": 'module "m" {\n  source = "../m"\n}\n'}
    for name, number in (("own.json", 1), ("../s/secret.json", 0), ("/etc/hostname", 0)):
        code = POLICY.format(f'file("${{path.module}}/{name}")')
        assert len(policies(read(tmp_path, {**files, "m/main.tf": code}, "r"))) == number


def test_files_that_are_not_understood_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "bad.tf": 'resource "aws_iam_policy" {{{',
        "x_override.tf": POLICY.format('"{}"'),
        "utf16.tf": POLICY.format(ENCODED).encode("utf-16"),
        "terraform.tfvars": "a = = b",
    }
    found = read(tmp_path, files)
    assert found.inputs[0].status is InputStatus.PARTIAL
    text = " ".join(found.inputs[0].problems)
    assert all(name in text for name in ("bad.tf", "x_override.tf", "terraform.tfvars"))
    assert [each.document.statements[0].actions for each in policies(found)] == [("a:B",)]


def doubling(first: str, step: str) -> str:
    steps = "".join(f"  a{n} = {step.replace('@', f'local.a{n - 1}')}\n" for n in range(1, 80))
    return f"locals {{\n  a0 = {first}\n{steps}}}\n"


HOSTILE = {
    "texts that double": doubling('"x"', '"${@}${@}"') + POLICY.format("local.a79"),
    "lists that double": doubling("[]", "[@, @]") + POLICY.format("jsonencode(local.a79)"),
    "lists that grow": doubling('["x"]', "concat(@, @)") + POLICY.format("jsonencode(local.a79)"),
    "a chain": doubling(ENCODED, "@").replace("80", "400") + POLICY.format("local.a79"),
    "loops": "locals {\n  x = [for a in range(9999) : [for b in range(9999) : a]]\n}\n" + POLICY.format("local.x"),
    "a large range": POLICY.format("jsonencode(range(999999999))"),
    "nested": POLICY.format("(" * 900 + "1" + ")" * 900),
    "a circle": "locals {\n  a = local.b\n  b = local.a\n}\n" + POLICY.format("local.a"),
    "a module in itself": 'module "m" {\n  source = "./"\n}\n' + POLICY.format("module.m.x"),
    "many": 'resource "aws_iam_user" "u" {\n  count = 999999999\n  name = "u"\n}\n',
    "expressions in a text": POLICY.format("<<E\n" + "".join(f"${{a{n}}}" for n in range(20_000)) + "\nE"),
    "an expression without end": POLICY.format("<<E\n" + "${" * 20_000 + "\nE"),
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=list(HOSTILE))
def test_code_that_asks_for_too_much_is_unknown(code: str, tmp_path: Path) -> None:
    found = read(tmp_path, {"main.tf": code})
    assert found.inputs[0].status is InputStatus.PARTIAL
    assert policies(found) == []


def test_names_that_are_hostile_stay_names(tmp_path: Path) -> None:
    names = ["a\nb", 'c"d', "\x1b[31m", "</script>"]
    code = f'resource "aws_iam_user" "u" {{\n  for_each = toset({json.dumps(names)})\n  name = each.key\n}}\n'
    found = read(tmp_path, {"main.tf": code})
    assert sorted(each.arn.partition("user/")[2] for each in found.accounts[0].principals) == sorted(names)
    assert all("\n" not in each.place.address for each in found.accounts[0].principals)


def test_a_file_that_the_code_takes_up_is_read_once(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"main.tf": POLICY.format('file("p.json")'), "p.json": DOCUMENT % ("a:B", "*")}
    files |= {"q.json": DOCUMENT % ("c:D", "*")}
    found = read(tmp_path, files)
    assert sorted(each.document.statements[0].actions for each in policies(found)) == [("a:B",), ("c:D",)]
    assert {one.status for one in found.inputs} == {InputStatus.READ}
