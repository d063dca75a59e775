"""The pre-commit hook through pre-commit, the GitHub Action with its installation, and both files through the field's linters.

Installs the package from a copy of this tree, so that nothing is built in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from composite_action import Runner
from harness import ROOT, Tools, could_not_check, version_of
from typescript_tools import MODULES

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
BAD = json.loads(json.dumps(GOOD).replace("bedrock-mantle:CreateInference", "bedrock-mantle:InvokeModel"))
MULTITOOL = MODULES / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
# No address on the web is told for the program.
_KNOWN = {"SARIF2005"}


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "core.hooksPath=/dev/null")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of what is installed from this one."""
    if shutil.which("git") is None:
        could_not_check("git", "it is not on PATH")
    folder = tmp_path_factory.mktemp("tree") / "mantle-iam"
    folder.mkdir()
    for name in ("mantle_iam", "policies", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "action.yml", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=all")
    return folder


def write(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2), "utf-8")


def test_pre_commit_takes_policies_and_nothing_else(tools: Tools, tree: Path, tmp_path: Path) -> None:
    pre_commit = tools.packaged("pre-commit")
    home = tmp_path / "home"
    repository = tmp_path / "their repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    others = {
        "package.json": {"name": "x"},
        "iam/users.json": {"users": []},
        "src/data.json": [1],
        "policies/a.schema.json": {},
    }
    # Called a policy by its folder, and none: passed over.
    write(repository, {"policies/good one.json": GOOD, "policies/owners.json": {"owners": ["x"]}, **others})

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        git(repository, "add", "--all")
        command = [pre_commit, "try-repo", str(tree), "mantle-iam-lint", "--verbose", "--color=never", *words]
        environment = {**os.environ, "PRE_COMMIT_HOME": str(home)}
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    clean = run("--all-files")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "Passed" in clean.stdout
    assert "no findings" in clean.stdout
    write(repository, {"scps/deny $(touch pwned).json": BAD, "-policy.json": BAD})
    bad = run("--all-files")
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "exit code: 1" in bad.stdout
    for name in ("-policy.json", "scps/deny $(touch pwned).json"):
        assert f"{name}:6:" in bad.stdout
    assert not (repository / "pwned").exists()
    # Only what was changed is looked at.
    assert run("--files", "policies/good one.json").returncode == 0
    assert "no files to check" in run("--files", *others).stdout
    tools.checked("pre-commit", version_of(pre_commit, "--version"))


def test_the_action_installs_runs_and_fails(tools: Tools, tree: Path, tmp_path: Path) -> None:
    runner = Runner(tree, tmp_path)
    write(runner.workspace, {"good.json": GOOD, "bad policy.json": BAD})
    answers = {"actions/setup-python": {"python-path": sys.executable}, "github/codeql-action/upload-sarif": {}}
    good = runner.use({"paths": "good.json"}, answers)
    assert (good.failed, good.outputs["exit-code"]) == (False, "0"), good.log
    bad = runner.use({"paths": "good.json\nbad policy.json", "upload-sarif": "true"}, answers)
    assert (bad.failed, bad.outputs["exit-code"]) == (True, "1"), bad.log
    assert "::error file=bad policy.json,line=6" in bad.log
    assert "github/codeql-action/upload-sarif" in bad.used
    tools.checked("bash", version_of(tools.on_path("bash"), "--version"))


def test_zizmor_finds_nothing_in_the_action(tools: Tools, tmp_path: Path) -> None:
    zizmor = tools.packaged("zizmor")
    command = [zizmor, "--offline", "--no-progress", "--persona=auditor", "--format=json"]

    def findings(path: Path) -> list[Any]:
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False, env=os.environ)
        return list(json.loads(done.stdout))

    assert findings(ROOT / "action.yml") == []
    text = (ROOT / "action.yml").read_text("utf-8")
    (tmp_path / "action.yml").write_text(
        text.replace('"$GIVEN_COMMAND" "--report', '"${{ inputs.command }}" "--report'), "utf-8"
    )
    assert {one["ident"] for one in findings(tmp_path / "action.yml")} == {"template-injection"}
    tools.checked("zizmor", version_of(zizmor, "--version"))


def test_shellcheck_finds_nothing_in_the_scripts(tools: Tools) -> None:
    shellcheck = tools.packaged("shellcheck")
    steps = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    for script in scripts:
        done = subprocess.run(
            [shellcheck, "--shell=bash", "-"], input=script, capture_output=True, text=True, check=False
        )
        assert done.stdout == ""
    assert len(scripts) == 3
    tools.checked("shellcheck", version_of(shellcheck, "--version"))


def test_the_sarif_validator_finds_nothing_that_github_would_refuse(tools: Tools, tmp_path: Path) -> None:
    if not MULTITOOL.exists():
        could_not_check("sarif-multitool", "run `make test-iac`, which installs it with npm")
    text = (ROOT / "tests" / "golden" / "report" / "findings" / "sarif.sarif").read_text("utf-8")
    log = json.loads(text)
    assert _complaints(log, tmp_path / "ours") <= _KNOWN
    # It ends with 0 whatever it finds, so that it must be seen to find something.
    del log["runs"][0]["tool"]["driver"]["rules"][0]["fullDescription"]
    names = log["runs"][0]["results"][0]["locations"][0]["logicalLocations"]
    names.append(names[0])
    assert {"GH2012", "JSON1020"} <= _complaints(log, tmp_path / "broken")
    tools.checked("sarif-multitool", json.loads((MULTITOOL.parent / "package.json").read_text("utf-8"))["version"])


def _complaints(log: dict[str, Any], folder: Path) -> set[str]:
    """The rules of SARIF and of GitHub Advanced Security that ``log`` does not keep to."""
    folder.mkdir()
    (folder / "log.sarif").write_text(json.dumps(log), "utf-8")
    MULTITOOL.chmod(0o755)
    words = ("--rule-kind=Sarif;Ghas", "--level=Error;Warning", "--kind=Fail;Open;Review", "--output=found.sarif")
    done = subprocess.run(
        [MULTITOOL, "validate", "log.sarif", *words],
        cwd=folder,
        env={**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "found.sarif").exists(), done.stdout + done.stderr
    (run,) = json.loads((folder / "found.sarif").read_text("utf-8"))["runs"]
    return {result["ruleId"] for result in run["results"]}
