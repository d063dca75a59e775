"""Runs the steps of a composite action as a runner of GitHub Actions does: expressions, ``if``, environment, files of commands.

Knows of expressions what ``action.yml`` uses, and ends the test at any other.  ``uses:`` steps are not run: what they were given
is kept, and what they answer is told beforehand.
Sources: GitHub Docs, "Metadata syntax for GitHub Actions", "Contexts", "Workflow commands for GitHub Actions" (`shell: bash` is
`bash --noprofile --norc -eo pipefail {0}`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}", re.DOTALL)
_NAME = re.compile(r"(inputs|steps)((?:\.[a-z-]+)+)")


@dataclass
class Job:
    """What became of one use of the action."""

    outputs: dict[str, str]
    log: str
    summary: str
    failed: bool
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    """What steps that use other actions were given, by the action's name."""


class Runner:
    """One machine with a checkout, on which the action is used."""

    def __init__(self, action: Path, folder: Path) -> None:
        self._action, self._folder = action, folder
        self._steps: dict[str, dict[str, str]] = {}
        self._inputs: dict[str, str] = {}
        self._ok = True
        self.workspace = folder / "work space"
        self.temporary = folder / "runner temp"
        for each in (self.workspace, self.temporary, folder / "home"):
            each.mkdir(parents=True, exist_ok=True)

    def use(
        self, inputs: Mapping[str, str], answers: Mapping[str, dict[str, str]], without: Collection[str] = ()
    ) -> Job:
        """Run every step but those named in ``without``.

        ``answers``: the outputs of steps that use other actions, by the name before the ``@``.
        """
        metadata: dict[str, Any] = yaml.safe_load((self._action / "action.yml").read_text("utf-8"))
        assert set(inputs) <= set(metadata["inputs"])
        self._inputs = {name: str(one.get("default", "")) for name, one in metadata["inputs"].items()} | dict(inputs)
        self._ok, self._steps = True, {}
        log, used = [], {}
        for number, step in enumerate(metadata["runs"]["steps"]):
            if step.get("name") in without or not self._wanted(step.get("if", "success()")):
                continue
            name = step.get("id", f"step-{number}")
            if "uses" in step:
                action = step["uses"].partition("@")[0]
                used[action] = {key: self._text(str(value)) for key, value in step.get("with", {}).items()}
                self._steps[name] = answers[action]
            else:
                log.append(self._run(name, step))
        outputs = {name: self._text(one["value"]) for name, one in metadata["outputs"].items()}
        summary = self._folder / "summary"
        return Job(outputs, "".join(log), summary.read_text("utf-8") if summary.exists() else "", not self._ok, used)

    def _run(self, name: str, step: dict[str, Any]) -> str:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an expression in a script makes an input a script"
        output, script = self._folder / f"output-{name}", self._folder / "script.sh"
        output.write_text("", "utf-8")
        script.write_text(step["run"], "utf-8")
        environment = {
            **{key: value for key, value in os.environ.items() if key in ("PATH", "LANG") or key.startswith("PIP_")},
            "HOME": str(self._folder / "home"),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self._action),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self._folder / "summary"),
            "RUNNER_TEMP": str(self.temporary),
            **{key: self._text(value) for key, value in step.get("env", {}).items()},
        }
        bash = shutil.which("bash")
        assert bash
        done = subprocess.run(
            [bash, "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._ok = self._ok and done.returncode == 0
        self._steps[name] = dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        return done.stdout

    def _text(self, template: str) -> str:
        return _EXPRESSION.sub(lambda match: self._value(match.group(1)), template)

    def _value(self, name: str) -> str:
        match = _NAME.fullmatch(name)
        assert match, f"the runner of this test does not know {name}"
        parts = match.group(2).split(".")[1:]
        if match.group(1) == "inputs":
            return self._inputs[parts[0]]
        step, outputs, key = parts
        assert outputs == "outputs"
        return self._steps.get(step, {}).get(key, "")

    def _wanted(self, condition: str) -> bool:
        terms = [term.strip() for term in _EXPRESSION.sub(r"\1", condition).split("&&")]
        return all(map(self._holds, terms))

    def _holds(self, term: str) -> bool:
        known = {"always()": True, "!cancelled()": True, "success()": self._ok}
        if term in known:
            return known[term]
        name, operator, quoted = term.split(" ")
        equal = self._value(name) == quoted.strip("'")
        return equal if operator == "==" else not equal
