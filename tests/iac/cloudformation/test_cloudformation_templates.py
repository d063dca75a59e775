"""CloudFormation and SAM: cfn-lint finds nothing in any template, and AWS's own reader finds the JSON output's policies in it.

cfn-lint looks into the policies of IAM and of Identity Center.  It does not look into those of Organizations, of VPC endpoints
and of SAM's functions, nor at bare JSON: all documents are wrapped in a managed policy as well, where it does.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from corpus import CASES, Case, accepted, documents_of, text_of
from harness import Tools, could_not_check, environment_of_tools, version_of

from mantle_iam.generate.artifact import Kind
from mantle_iam.generate.render.engine import json_text
from mantle_iam.iam.grammar import parse_policy, write_policy
from mantle_iam.iam.policy import PolicyDocument

HERE = Path(__file__).parent
FORMATS = ("cloudformation", "cloudformation-json", "sam")
ALL = [pytest.param(name, case, id=f"{name}-{case.id}") for name in FORMATS for case, _ in accepted(name)]

# Where a resource type keeps policies, beside the `Policies` of roles.
POLICIES = ("PolicyDocument", "Content", "InlinePolicy")
# E3031: a name has other characters than AWS takes, which is what makes a case hostile.
RULES_FOR_NAMES = {"E3031"}


def _lint(texts: dict[str, str], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What cfn-lint finds in each of the texts, by name."""
    executable = environment_of_tools() / "bin" / "cfn-lint"
    if not executable.exists():
        could_not_check("cfn-lint", "it is not in the environment of tools")
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    command = [executable, "--include-checks", "I", "--format", "json", "--", *sorted(f"{name}.yaml" for name in texts)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    # The exit status is a sum of 2 for errors, 4 for warnings, 8 for notes; with anything else it did not run.
    assert done.returncode & ~14 == 0, done.stderr
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in texts}
    for finding in json.loads(done.stdout or "[]"):
        found[finding["Filename"].removesuffix(".yaml")].append(finding)
    return found


def _told(findings: list[dict[str, Any]]) -> list[str]:
    return [f"{each['Rule']['Id']} {each['Location'].get('Path')}: {each['Message']}" for each in findings]


@pytest.fixture(scope="session")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What cfn-lint finds, by format and case, and by the number of a document."""
    texts = {f"{name}-{case.id}": text for name in FORMATS for case, text in accepted(name)}
    for case in CASES:
        texts |= {f"document-{case.id}-{index}": text for index, text in enumerate(_wrapped(case))}
    return _lint(texts, tmp_path_factory.mktemp("lint"))


def _wrapped(case: Case) -> list[str]:
    """Each document of the case as the policy of a template; without its principals, which that has not.

    The trust policies are in roles already, where cfn-lint wants them to have principals.
    """
    documents = case.artifact.permissions if case.artifact.kind is Kind.TRUST else documents_of(case.artifact)
    found = []
    for document in documents:
        written = write_policy(document)
        for statement in written["Statement"]:
            statement.pop("Principal", None)
            statement.pop("NotPrincipal", None)
        resource = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": written}}
        found.append(json_text({"Resources": {"Policy": resource}}))
    return found


@pytest.mark.parametrize(("name", "case"), ALL)
def test_cfn_lint_finds_nothing(name: str, case: Case, findings: dict[str, Any], tools: Tools) -> None:
    found = findings[f"{name}-{case.id}"]
    assert _told([each for each in found if not (case.hostile and each["Rule"]["Id"] in RULES_FOR_NAMES)]) == []
    tools.checked("cfn-lint", version_of(tools.packaged("cfn-lint"), "--version"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_cfn_lint_finds_nothing_in_the_documents(case: Case, findings: dict[str, Any], tools: Tools) -> None:
    for index in range(len(_wrapped(case))):
        assert _told(findings[f"document-{case.id}-{index}"]) == []
    tools.checked("cfn-lint", version_of(tools.packaged("cfn-lint"), "--version"))


# --- the policies in the template ------------------------------------------------------------------------------------


def _read(texts: dict[str, str]) -> dict[str, Any]:
    """The templates as AWS's library for SAM reads them."""
    python = environment_of_tools() / "bin" / "python"
    if not python.exists():
        could_not_check("aws-sam-translator", "no environment of tools")
    done = subprocess.run(
        [python, HERE / "sam_read.py"],
        input=json.dumps(texts),
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


@pytest.fixture(scope="session")
def templates() -> dict[str, Any]:
    return _read({f"{name}-{case.id}": text for name in FORMATS for case, text in accepted(name)})


def _policies(template: dict[str, Any]) -> tuple[set[PolicyDocument], set[PolicyDocument]]:
    """Trust policies and other policies of a template."""
    trusts: list[Any] = []
    others: list[Any] = []
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        trusts.append(properties.get("AssumeRolePolicyDocument"))
        others += [properties.get(name) for name in POLICIES]
        others += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    # Read from JSON, so that a value that is no string is seen: YAML has more than one way to say `true`.
    return tuple({parse_policy(json.dumps(each)) for each in found if each is not None} for found in (trusts, others))  # type: ignore[return-value]


def _policy_problem(case: Case, template: dict[str, Any], *, transformed: bool = False) -> str | None:
    """How the template's policies differ from the artifact's; ``None`` when they do not."""
    trust, others = _policies(template)
    if case.artifact.kind is Kind.TRUST:
        wanted = (set(case.artifact.documents), set(case.artifact.permissions))
    else:
        # The role that SAM makes for a function has a trust policy of SAM's own.
        wanted = (trust if transformed else set(), set(case.artifact.documents))
    return None if (trust, others) == wanted else f"the template has {trust, others}, wanted {wanted}"


@pytest.mark.parametrize(("name", "case"), ALL)
def test_the_policy_in_the_template_is_the_json_output(
    name: str, case: Case, templates: dict[str, Any], tools: Tools
) -> None:
    template = templates[f"{name}-{case.id}"]
    assert _policy_problem(case, template, transformed=name == "sam") is None
    assert _no_number_or_boolean(template)
    tools.checked("aws-sam-translator", _sam_version(tools))


def _no_number_or_boolean(template: dict[str, Any]) -> bool:
    """Whether all leaves of the policies are strings; a reader of YAML 1.1 makes `yes` and `12:30` something else."""
    pending = [
        resource["Properties"][name]
        for resource in template["Resources"].values()
        for name in (*POLICIES, "Policies", "AssumeRolePolicyDocument")
        if name in resource["Properties"]
    ]
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list):
            pending += value.values() if isinstance(value, dict) else value
        elif not isinstance(value, str):
            return False
    return True


def _sam_version(tools: Tools) -> str:
    return version_of(tools.packaged("python"), "-c", "import samtranslator; print(samtranslator.__version__)")


def test_both_forms_are_one_template(templates: dict[str, Any], tools: Tools) -> None:
    for case, _ in accepted("cloudformation"):
        as_json = dict(templates[f"cloudformation-json-{case.id}"])
        as_json.pop("Metadata", None)
        assert templates[f"cloudformation-{case.id}"] == as_json
    tools.checked("aws-sam-translator", _sam_version(tools))


# --- would the checks find an error? ---------------------------------------------------------------------------------

PLAIN = next(case for case in CASES if case.id == "identity-described")
SET = next(case for case in CASES if case.id == "permission-set-given")
ROLE = next(case for case in CASES if case.id == "trust-lambda")
OPEN = next(case for case in CASES if case.id == "identity-open")
ERRORS = [
    ("cloudformation", PLAIN, "PolicyDocument:", "PolicyDocumnet:", "E3002"),
    ("cloudformation", PLAIN, "AWS::IAM::ManagedPolicy", "AWS::IAM::ManagedPolcy", "E3006"),
    ("cloudformation", PLAIN, "bedrock-mantle:CreateInference", "bedrock-mantle:CreateInferences", "W3037"),
    ("cloudformation-json", PLAIN, "bedrock-mantle:CreateInference", "bedrock-mantle:CreateInferences", "W3037"),
    ("cloudformation", PLAIN, "StringEquals:", "StringIsEqual:", "E3510"),
    ("cloudformation", PLAIN, "Effect: Allow", "Effect: allow", "E3510"),
    ("cloudformation", PLAIN, '"${aws:PrincipalTag/owner}"', "!Sub ${Owner}", "E1019"),
    ("cloudformation", SET, "bedrock-mantle:CreateInference", "bedrock-mantle:Invoke", "W3037"),
    ("cloudformation", ROLE, "sts:AssumeRole", "sts:AssumeRoles", "W3037"),
    ("sam", OPEN, "Handler:", "Handle:", "E3002"),
]


def test_cfn_lint_finds_planted_errors(tmp_path: Path, tools: Tools) -> None:
    tools.packaged("cfn-lint")
    texts = {}
    for number, (name, case, old, new, _) in enumerate(ERRORS):
        text = text_of(case, name)
        assert old in text
        texts[f"{number}"] = text.replace(old, new, 1)
    denial = next(case for case in CASES if case.id == "scp-open")
    texts["document"] = _wrapped(denial)[0].replace("bedrock-mantle:CallWith", "bedrock-mantle:CallsWith")
    found = {name: {each["Rule"]["Id"] for each in some} for name, some in _lint(texts, tmp_path).items()}
    missed = [(error, found[str(number)]) for number, error in enumerate(ERRORS) if error[-1] not in found[str(number)]]
    assert missed == []
    assert "W3037" in found["document"]


@pytest.mark.parametrize("format_name", ["cloudformation", "sam"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bedrock-mantle:ListModels", "bedrock-mantle:ListModel"),
        ("Effect: Allow", "Effect: Deny"),
        ('"2012-10-17"', '"2008-10-17"'),
        ('        Version: "2012', '        Id: x\n        Version: "2012'),
    ],
)
def test_the_comparison_finds_another_policy(format_name: str, old: str, new: str) -> None:
    text = text_of(OPEN, format_name).replace("        - Version:", "        -\n          Version:")
    assert old in text
    if format_name == "sam":
        new = new.replace("        ", "          ")
        old = old.replace("        ", "          ")
    read = _read({"planted": text.replace(old, new, 1)})["planted"]
    assert _policy_problem(OPEN, read, transformed=format_name == "sam") is not None


def test_the_comparison_finds_what_yaml_takes_for_no_string() -> None:
    case = next(case for case in CASES if case.id == "identity-odd-texts")
    read = _read({"planted": text_of(case, "cloudformation").replace('- "on"', "- on")})["planted"]
    assert not _no_number_or_boolean(read)
