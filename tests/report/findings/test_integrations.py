"""The GitHub Action and the pre-commit hook: their shape, and the Action's steps run for real."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from composite_action import Job, Runner

ROOT = Path(__file__).resolve().parents[3]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]

BAD = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:InvokeModel", "Resource": "*"}],
}


GOOD = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "bedrock-mantle:CreateInference",
            "Resource": "arn:aws:bedrock-mantle:us-east-1:111122223333:project/default",
        }
    ],
}
DUMP = {
    "UserDetailList": [],
    "GroupDetailList": [],
    "RoleDetailList": [
        {
            "RoleName": "app",
            "Arn": "arn:aws:iam::111122223333:role/app",
            "Path": "/",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": GOOD}],
            "AttachedManagedPolicies": [],
        }
    ],
    "Policies": [],
}


def test_every_action_that_is_used_is_pinned() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name) for name in used)


def test_no_script_holds_an_expression() -> None:
    """An input within a script is a script: https://docs.github.com/en/actions/reference/security/secure-use"""
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert len(scripts) == 3
    assert [script for script in scripts if "${{" in script] == []
    assert all(step["shell"] == "bash" for step in STEPS if "run" in step)


def test_every_input_is_used_and_every_used_one_exists() -> None:
    text = (ROOT / "action.yml").read_text("utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(ACTION["inputs"])


UPLOAD = "github/codeql-action/upload-sarif"


def run(folder: Path, paths: str, **inputs: str) -> Job:
    """Use the action on what is in ``folder / "work space"``, with the program of this tree in place of an installed one.

    The step that installs it is run for real by the heavy stage (``tests/iac``).
    """
    runner = Runner(ROOT, folder)
    program = runner.temporary / "mantle-iam" / "bin" / "mantle-iam"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from mantle_iam.cli.main import main\nmain()\n",
        "utf-8",
    )
    program.chmod(0o755)
    return runner.use(
        {"paths": paths, **{name.replace("_", "-"): value for name, value in inputs.items()}},
        {"actions/setup-python": {"python-path": sys.executable}, UPLOAD: {}},
        without=("Install",),
    )


def policy(folder: Path, name: str, document: Any = BAD) -> None:
    path = folder / "work space" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), "utf-8")


@pytest.mark.slow
def test_the_action_shows_annotates_summarizes_and_uploads(tmp_path: Path) -> None:
    policy(tmp_path, "infra/a policy.json")
    job = run(tmp_path, "infra/a policy.json\n\n", arguments="--kind=identity\r\n", upload_sarif="true", category="iam")
    assert job.failed
    assert job.outputs["exit-code"] == "1"
    assert "infra/a policy.json:6:" in job.log, "people read the text"
    assert "::error file=infra/a policy.json,line=" in job.log
    assert job.summary.startswith("### mantle-iam\n")
    assert "<code>infra/a policy.json:" in job.summary
    assert job.used[UPLOAD] == {"sarif_file": job.outputs["sarif-file"], "category": "iam"}
    (sarif,) = json.loads(Path(job.outputs["sarif-file"]).read_text("utf-8"))["runs"]
    assert "unknown-action" in [result["ruleId"] for result in sarif["results"]]
    for result in sarif["results"]:
        where = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert where["uriBaseId"] == "%SRCROOT%"
        assert (tmp_path / "work space" / unquote(where["uri"])).is_file(), "GitHub shows what is in the checkout"


@pytest.mark.slow
def test_the_action_passes_what_is_clean_and_says_as_little_as_it_is_told(tmp_path: Path) -> None:
    policy(tmp_path, "good.json", GOOD)
    job = run(tmp_path, "good.json", annotations="false", summary="false")
    assert (job.failed, job.outputs["exit-code"], job.summary) == (False, "0", "")
    assert "::" not in job.log.replace("::sso", "")
    assert UPLOAD not in job.used
    assert json.loads(Path(job.outputs["sarif-file"]).read_text("utf-8"))["runs"][0]["results"] == []


@pytest.mark.slow
def test_the_action_is_a_gate_for_requirements(tmp_path: Path) -> None:
    policy(tmp_path, "dump.json", DUMP)
    rules = {
        "version": 1,
        "rules": [{"name": "no keys", "must": "not-allow", "principals": "*", "capabilities": "infer"}],
    }
    policy(tmp_path, "access.json", rules)
    job = run(tmp_path, "dump.json", command="audit", arguments="--require=access.json\n--capability=infer")
    assert (job.failed, job.outputs["exit-code"]) == (True, "1")
    assert "::error file=dump.json," in job.log
    assert "requirement/no keys" in job.summary
    assert "| infer | 1 | 0 | 0 | 0 |" in job.summary


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "$(touch pwned).json",
        "`touch pwned`.json",
        "--help",
        "a;touch pwned;.json",
        "'\"; touch pwned; '.json",
        "*.json",
    ],
)
def test_no_path_becomes_a_script_or_an_option(tmp_path: Path, name: str) -> None:
    absent = run(tmp_path / "absent", name)
    assert absent.outputs["exit-code"] in {"2", "3"}, "there is no such file"
    assert absent.failed
    policy(tmp_path / "there", name)
    there = run(tmp_path / "there", name, arguments="--kind=identity\n")
    assert there.outputs["exit-code"] == "1"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "argument", ["$(touch pwned)", "; touch pwned", "--no-such-option", "--kind=a\n--kind='; touch pwned"]
)
def test_wrong_usage_is_no_report(tmp_path: Path, argument: str) -> None:
    policy(tmp_path, "x.json")
    job = run(tmp_path, "x.json", arguments=argument, upload_sarif="true")
    # What is no option is taken for a path.
    assert job.outputs["exit-code"] in {"2", "3"}
    assert job.failed
    assert (UPLOAD in job.used) is bool(job.outputs["sarif-file"])
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.slow
def test_another_command_is_refused(tmp_path: Path) -> None:
    job = run(tmp_path, "x.json", command="lint; touch pwned")
    assert (job.failed, job.outputs) == (True, {"exit-code": "2", "sarif-file": ""})
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("path", "hooked"),
    [
        ("policies/app.json", True),
        ("policy.json", True),
        ("infra/iam/app-policy.json", True),
        ("scps/deny.json", True),
        ("deny-scp.json", True),
        ("src/config.json", False),
        ("iam/users.json", False),
        ("policies/readme.md", False),
        ("policies/policy.schema.json", False),
        ("package.json", False),
        ("src/describe.json", False),
    ],
)
def test_the_hook_is_about_policies(path: str, hooked: bool) -> None:
    (hook,) = HOOKS
    # As pre-commit does it.
    assert bool(re.search(hook["files"], path) and not re.search(hook["exclude"], path)) is hooked


def test_the_hook_runs_the_command() -> None:
    (hook,) = HOOKS
    assert hook["id"] == "mantle-iam-lint"
    assert hook["entry"] == "mantle-iam lint"
    assert hook["args"] == ["--ignore-unknown", "--"]
    assert hook["language"] == "python"
