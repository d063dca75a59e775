"""The GitHub Action and the pre-commit hook: their shape, and the Action's own script run for real."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]

BAD = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:InvokeModel", "Resource": "*"}],
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


class _Ran:
    """One run of the Action's main step."""

    def __init__(self, folder: Path, paths: str, command: str = "lint", arguments: str = "", **given: str) -> None:
        program = folder / "mantle-iam" / "bin" / "mantle-iam"
        program.parent.mkdir(parents=True)
        # The command's module is run itself: whether `mantle-iam` knows it is a test of the command line.
        program.write_text(
            f"#!{sys.executable}\n"
            "import sys\n"
            "import click\n"
            "from mantle_iam.cli.lint import command\n"
            "from mantle_iam.errors import MantleIamError\n"
            "assert sys.argv.pop(1) == 'lint'\n"
            "try:\n"
            "    sys.exit(command.main(standalone_mode=False))\n"
            "except (click.ClickException, MantleIamError) as error:\n"
            "    sys.exit(error.exit_code)\n",
            "utf-8",
        )
        program.chmod(0o755)
        output, summary = folder / "output", folder / "summary"
        step = next(one for one in STEPS if one.get("id") == "run")
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(folder),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GIVEN_COMMAND": command,
            "GIVEN_PATHS": paths,
            "GIVEN_ARGUMENTS": arguments,
            "ANNOTATIONS": "true",
            "SUMMARY": "true",
            **given,
        }
        bash = shutil.which("bash")
        assert bash
        done = subprocess.run(
            [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.said = done.stdout
        self.outputs = dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        self.summary = summary.read_text("utf-8") if summary.exists() else ""


@pytest.mark.slow
def test_the_action_annotates_summarizes_and_writes_sarif(tmp_path: Path) -> None:
    (tmp_path / "a policy.json").write_text(json.dumps(BAD, indent=2), "utf-8")
    ran = _Ran(tmp_path, "a policy.json\n\n", arguments="--kind=identity\n")
    assert ran.outputs["exit-code"] == "1"
    assert "::error file=a policy.json,line=" in ran.said
    assert ran.summary.startswith("### mantle-iam\n")
    assert "<code>a policy.json:" in ran.summary
    log = json.loads(Path(ran.outputs["sarif-file"]).read_text("utf-8"))
    (run,) = log["runs"]
    assert "unknown-action" in [result["ruleId"] for result in run["results"]]
    assert {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]} == {
        "a%20policy.json"
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["$(touch pwned).json", "`touch pwned`.json", "--help", "a;touch pwned;.json", "*.json"]
)
def test_no_path_becomes_a_script_or_an_option(tmp_path: Path, name: str) -> None:
    ran = _Ran(tmp_path, name, ANNOTATIONS="false", SUMMARY="false")
    assert not (tmp_path / "pwned").exists()
    assert ran.outputs["exit-code"] in {"2", "3"}, "there is no such file"
    assert ran.said == ""


@pytest.mark.slow
def test_wrong_usage_is_no_report(tmp_path: Path) -> None:
    ran = _Ran(tmp_path, "x.json", arguments="--no-such-option")
    assert ran.outputs == {"exit-code": "2"}
    assert _Ran(tmp_path / "b", "x.json", command="lint; touch pwned").outputs == {"exit-code": "2"}


@pytest.mark.parametrize(
    ("path", "hooked"),
    [
        ("policies/app.json", True),
        ("policy.json", True),
        ("infra/iam/roles/app.json", True),
        ("scps/deny.json", True),
        ("src/config.json", False),
        ("policies/readme.md", False),
        ("package.json", False),
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
    assert hook["language"] == "python"
