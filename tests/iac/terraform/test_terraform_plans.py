"""``terraform fmt``, ``validate`` and ``plan`` on every artifact: the policy in the plan is the policy of the JSON output.

Plans are made with a stand-in for the AWS provider (``standin.py``), each artifact as a module of its own in one plan.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from corpus import Case, accepted, cases_for, normal, text_of
from harness import Tools, could_not_check, environment_of_tools, version_of

from mantle_iam.generate.artifact import Kind
from mantle_iam.iam.grammar import parse_policy
from mantle_iam.iam.policy import PolicyDocument

HERE = Path(__file__).parent
FORMATS = {"terraform": "main.tf", "terraform-json": "main.tf.json"}
POLICIES = ("policy", "content", "inline_policy")
ALL = [pytest.param(name, case, id=f"{name}-{case.id}") for name in FORMATS for case in cases_for(name)]


@dataclass(frozen=True, slots=True)
class Terraform:
    """Terraform with the stand-in running."""

    executable: str
    environment: dict[str, str]

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.executable, *arguments],
            cwd=folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def plan(self, folder: Path) -> dict[str, Any]:
        """The plan for the configuration in ``folder``, as ``terraform show -json`` has it."""
        for arguments in (("get",), ("validate",), ("plan", "-input=false", "-lock=false", "-out=plan")):
            done = self.run(folder, *arguments)
            assert done.returncode == 0, f"terraform {arguments[0]}: {done.stdout}{done.stderr}"
        shown: dict[str, Any] = json.loads(self.run(folder, "show", "-json", "plan").stdout)
        return shown


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    executable = shutil.which("terraform")
    if executable is None:
        could_not_check("terraform", "it is not on PATH")
    python = environment_of_tools() / "bin" / "python"
    if not python.exists():
        could_not_check("terraform", "no environment for the stand-in provider")
    home = tmp_path_factory.mktemp("terraform")
    (home / "rc").write_text("", "utf-8")
    subprocess.run([python, HERE / "aws_schema.py", home / "schema.json", *_resource_types()], check=True, timeout=120)
    with subprocess.Popen(
        [python, HERE / "standin.py", home / "schema.json", home / "s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as provider:
        assert provider.stdin is not None
        assert provider.stdout is not None
        try:
            reattach = provider.stdout.readline()
            assert reattach, "the stand-in provider did not start"
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "CHECKPOINT_DISABLE": "1",
                "TF_CLI_CONFIG_FILE": str(home / "rc"),
                "TF_IN_AUTOMATION": "1",
                "TF_REATTACH_PROVIDERS": reattach,
            }
            yield Terraform(executable, environment)
        finally:
            provider.stdin.close()


def _resource_types() -> list[str]:
    """Every resource and data source that a text of the corpus names, as ``aws_schema.py`` takes them."""
    found: set[str] = set()
    for _, text in accepted("terraform-json"):
        configuration = json.loads(text)
        found |= set(configuration.get("resource", ())) | {f"data.{name}" for name in configuration.get("data", ())}
    return sorted(found)


@pytest.fixture(scope="session")
def plans(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By format, what is planned for each case."""
    made = {}
    for name, file in FORMATS.items():
        folder = tmp_path_factory.mktemp(name)
        write_root(folder, {case.id: text for case, text in accepted(name)}, file)
        made[name] = _by_module(terraform.plan(folder))
    return made


def write_root(folder: Path, texts: dict[str, str], file: str) -> None:
    """A configuration in which each text is a module."""
    root: dict[str, Any] = {"module": {}, "output": {}}
    variables = {case.id: json.loads(text).get("variable", {}) for case, text in accepted("terraform-json")}
    for name, text in texts.items():
        (folder / name).mkdir()
        (folder / name / file).write_text(text, "utf-8")
        given = {
            variable: ["given"] if each["type"].startswith("set(") else "given"
            for variable, each in variables[name].items()
        }
        root["module"][name] = {"source": f"./{name}", **given}
        root["output"][name] = {"value": f"${{module.{name}}}", "sensitive": True}
    (folder / "root.tf.json").write_text(json.dumps(root), "utf-8")


def _by_module(plan: dict[str, Any]) -> dict[str, Any]:
    """Resources and outputs of each module of the plan."""
    resources = {
        module["address"].removeprefix("module."): module["resources"]
        for module in plan["planned_values"]["root_module"].get("child_modules", ())
    }
    outputs = plan["planned_values"]["outputs"]
    return {name: (resources.get(name, []), outputs[name].get("value", {})) for name in outputs}


def _policies(resources: list[dict[str, Any]], names: tuple[str, ...]) -> set[PolicyDocument]:
    texts = [resource["values"].get(name) for resource in resources for name in names]
    return {normal(parse_policy(text)) for text in texts if isinstance(text, str)}


def _strings(value: Any) -> set[str]:
    if isinstance(value, dict | list):
        members = value.values() if isinstance(value, dict) else value
        return {text for member in members for text in _strings(member)}
    return {value} if isinstance(value, str) else set()


def _decoded(value: Any) -> Any:
    """``value`` with JSON texts in it read, since ``jsonencode`` has an order and escapes of its own."""
    if isinstance(value, dict):
        return {key: _decoded(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_decoded(member) for member in value]
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


def _policy_problem(case: Case, planned: tuple[list[dict[str, Any]], dict[str, Any]]) -> str | None:
    """How the planned policies differ from the artifact's; ``None`` when they do not."""
    resources, outputs = planned
    trust, others = _policies(resources, ("assume_role_policy",)), _policies(resources, POLICIES)
    if case.artifact.kind is Kind.SESSION:
        others = {normal(parse_policy(text)) for text in _strings(outputs)}
    documents = set(map(normal, case.artifact.documents))
    wanted = (documents, set(map(normal, case.artifact.permissions)))
    if case.artifact.kind is not Kind.TRUST:
        wanted = (set(), documents)
    return None if (trust, others) == wanted else f"planned {trust, others}, wanted {wanted}"


@pytest.mark.parametrize(("name", "case"), ALL)
def test_the_planned_policy_is_the_json_output(name: str, case: Case, plans: dict[str, Any], tools: Tools) -> None:
    assert _policy_problem(case, plans[name][case.id]) is None
    tools.checked("terraform plan", version_of(tools.on_path("terraform"), "version"))


@pytest.mark.parametrize(("name", "case"), ALL)
def test_names_arrive_as_they_are(name: str, case: Case, plans: dict[str, Any], tools: Tools) -> None:
    artifact = case.artifact
    if artifact.kind is Kind.SESSION:
        assert plans[name][case.id][0] == [], "a session policy is stored nowhere"
        return
    wanted = {artifact.description, artifact.endpoint, artifact.instance, *artifact.targets}
    wanted |= {*artifact.roles, *artifact.users, *artifact.groups}
    if artifact.trust is not None and artifact.trust.cluster:
        wanted |= {artifact.trust.cluster, artifact.trust.namespace, artifact.trust.service_account}
    if artifact.kind is not Kind.VPC_ENDPOINT:
        wanted |= {artifact.part_name(index) for index in range(len(artifact.documents))}
    assert wanted - {""} <= _strings([resource["values"] for resource in plans[name][case.id][0]])
    tools.checked("terraform plan", version_of(tools.on_path("terraform"), "version"))


def test_both_syntaxes_plan_the_same(plans: dict[str, Any], tools: Tools) -> None:
    assert _decoded(plans["terraform"]) == _decoded(plans["terraform-json"])
    tools.checked("terraform plan", version_of(tools.on_path("terraform"), "version"))


def test_terraform_fmt_changes_nothing(tmp_path: Path, tools: Tools) -> None:
    terraform = tools.on_path("terraform")
    for case, text in accepted("terraform"):
        (tmp_path / f"{case.id}.tf").write_text(text, "utf-8")
    done = _fmt(terraform, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    tools.checked("terraform fmt", version_of(terraform, "version"))


def _fmt(terraform: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [terraform, "fmt", "-check", "-diff", "-recursive"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


# --- would the checks find an error? ---------------------------------------------------------------------------------

PLAIN = next(case for case in cases_for("terraform") if case.id == "identity-described")


def _planted(old: str, new: str) -> str:
    text = text_of(PLAIN, "terraform")
    assert old in text
    return text.replace(old, new, 1)


def test_fmt_finds_what_is_not_formatted(tmp_path: Path, tools: Tools) -> None:
    (tmp_path / "main.tf").write_text(_planted("  name        =", "  name ="), "utf-8")
    assert _fmt(tools.on_path("terraform"), tmp_path).returncode != 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  description =", "  descripton =", "Unsupported argument"),
        ("  policy      =", "  polcy       =", 'The argument "policy" is required'),
        ("      test     =", "      operator =", 'The argument "test" is required'),
        ('"aws_iam_policy" ', '"aws_iam_polciy" ', "Invalid resource type"),
        ("aws_iam_policy_document.mantle_chat.json", "aws_iam_policy_document.mantle_chta.json", "undeclared resource"),
        ("data.aws_iam_policy_document.mantle_chat.json", '"{"', "invalid JSON policy"),
    ],
)
def test_validate_finds_a_planted_error(old: str, new: str, message: str, terraform: Terraform, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(_planted(old, new), "utf-8")
    done = terraform.run(tmp_path, "validate", "-json")
    assert done.returncode != 0
    assert message in " ".join(each["summary"] + each["detail"] for each in json.loads(done.stdout)["diagnostics"])


def test_plan_finds_a_sid_that_is_there_twice(terraform: Terraform, tmp_path: Path) -> None:
    doubled = _planted('    effect = "Allow"\n', '    sid    = "ShortTermOnly"\n    effect = "Allow"\n')
    (tmp_path / "main.tf").write_text(doubled, "utf-8")
    done = terraform.run(tmp_path, "plan", "-input=false")
    assert done.returncode != 0
    assert "duplicate Sid" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bedrock-mantle:CreateInference", "bedrock-mantle:CreateInferences"),
        ('"StringEquals"', '"StringLike"'),
        ('effect = "Allow"', 'effect = "Deny"'),
        ("$${aws:PrincipalTag/owner}", "aws:PrincipalTag/owner"),
    ],
)
def test_the_comparison_finds_another_policy(old: str, new: str, terraform: Terraform, tmp_path: Path) -> None:
    write_root(tmp_path, {PLAIN.id: _planted(old, new)}, "main.tf")
    assert _policy_problem(PLAIN, _by_module(terraform.plan(tmp_path))[PLAIN.id]) is not None
