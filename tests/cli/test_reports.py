"""``--report FORMAT=FILE`` of ``lint`` and ``audit``: many formats of one run, each what ``--output`` writes."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from mantle_iam.cli import audit, lint
from mantle_iam.cli.audit_writers import FORMATS as AUDIT_FORMATS
from mantle_iam.cli.reports import Report, checkout
from mantle_iam.errors import InputError

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "bedrock-mantle:InvokeModel", "Resource": "*"}],
}
DUMP = {
    "UserDetailList": [],
    "GroupDetailList": [],
    "RoleDetailList": [
        {
            "RoleName": "app",
            "Arn": "arn:aws:iam::111122223333:role/app",
            "Path": "/",
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            },
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": POLICY}],
            "AttachedManagedPolicies": [],
        }
    ],
    "Policies": [],
}
REQUIREMENTS = {"version": 1, "rules": [{"name": "apps", "must": "allow", "principals": "*", "capabilities": "infer"}]}
COMMANDS: dict[str, tuple[click.Command, tuple[str, ...], tuple[str, ...]]] = {
    "lint": (lint.command, ("policy.json",), lint.FORMATS),
    "audit": (audit.command, ("dump.json", "--require", "access.json"), AUDIT_FORMATS),
}
EVERY = [(name, form) for name, (_, _, formats) in COMMANDS.items() for form in formats]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    for name, content in (("policy", POLICY), ("dump", DUMP), ("access", REQUIREMENTS)):
        Path(f"{name}.json").write_text(json.dumps(content, indent=2), "utf-8")


def call(name: str, *arguments: str) -> Result:
    command, inputs, _ = COMMANDS[name]
    return CliRunner().invoke(command, [*inputs, *arguments], standalone_mode=False, env={"COLUMNS": "100"})


def same(text: str) -> str:
    return text.replace("\r\n", "\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_all_formats_of_one_run_are_what_each_is_alone(name: str) -> None:
    formats = COMMANDS[name][2]
    together = call(name, *(f"--report={form}=report.{form}" for form in formats))
    alone = {form: call(name, "-o", form) for form in formats}
    assert together.return_value == 1
    assert {one.return_value for one in alone.values()} == {1}
    assert together.stdout == alone["text"].stdout
    for form in formats:
        text = Path(f"report.{form}").read_bytes().decode()
        assert same(text) == same(alone[form].stdout)
        assert "InvokeModel" in text or form == "csv"


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_text_on_the_screen_stays_beside_any_report(name: str, form: str) -> None:
    made = call(name, "--report", f"{form}=out", "--color", "always")
    assert "\x1b[" in made.stdout
    assert "\x1b[" not in Path("out").read_text("utf-8")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sarif", "is not FORMAT=FILE"),
        ("sarif=", "is not FORMAT=FILE"),
        ("=x", "is no format"),
        ("serif=x", "is no format"),
        ("sarif=none/x.sarif", "cannot write the report `none/x.sarif`: no such file or directory"),
        ("sarif=.", "is a directory"),
    ],
)
def test_a_report_that_cannot_be_is_wrong_usage(name: str, given: str, said: str) -> None:
    made = call(name, "--report", given)
    assert isinstance(made.exception, InputError)
    assert said in made.exception.message
    assert made.exception.exit_code == 2
    assert made.stdout == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_two_reports_do_not_overwrite_each_other(name: str) -> None:
    made = call(name, "--report", "sarif=x", "--report", "json=./x")
    assert isinstance(made.exception, InputError)
    assert not Path("x").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_report_is_written_over_an_input(name: str) -> None:
    path = Path(COMMANDS[name][1][-1])
    before = path.read_bytes()
    made = call(name, "--report", f"json=./{path}")
    assert isinstance(made.exception, InputError)
    assert path.read_bytes() == before


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"])
def test_paths_are_those_of_the_checkout(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that works in a folder of its checkout, and names files from there."""
    folder = tmp_path / "infra" / "iam"
    folder.mkdir(parents=True)
    (folder / "policy.json").write_text(json.dumps(POLICY), "utf-8")
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(folder)
    assert checkout() == (tmp_path.as_posix(), folder.as_posix())
    call("lint", "--report", "sarif=../../out.sarif", "--report", "gitlab=../../out.json")
    (run,) = json.loads((tmp_path / "out.sarif").read_text("utf-8"))["runs"]
    found: list[dict[str, Any]] = [
        one["locations"][0]["physicalLocation"]["artifactLocation"] for one in run["results"]
    ]
    assert found[0] == {"uri": "infra/iam/policy.json", "uriBaseId": "%SRCROOT%"}
    assert all((tmp_path / one["uri"]).is_file() for one in found)
    issues = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert {one["location"]["path"] for one in issues} == {"infra/iam/policy.json"}


def test_a_checkout_elsewhere_is_not_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "a"))
    assert checkout() == (tmp_path.as_posix(), tmp_path.as_posix())


def test_an_unmet_requirement_of_what_no_file_grants_points_at_the_requirements() -> None:
    call("audit", "--report", "sarif=out.sarif", "--no-findings")
    (run,) = json.loads(Path("out.sarif").read_text("utf-8"))["runs"]
    files = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert files == {"access.json"}
    assert {one["ruleId"] for one in run["results"]} == {"requirement/apps"}


def test_a_report_takes_the_old_one_s_place_when_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Path("kept.json")
    kept.write_text("old", "utf-8")
    kept.chmod(0o600)
    Path("link.json").symlink_to(kept)
    assert call("audit", "--report", "json=link.json").exception is None
    assert json.loads(kept.read_text("utf-8"))["schema_version"] == "1"
    assert (kept.stat().st_mode & 0o777, Path("link.json").is_symlink()) == (0o600, True)
    kept.write_text("old", "utf-8")

    def fails(*_: object) -> str:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("mantle_iam.report.audit.json_tail", fails)
    assert isinstance(call("audit", "--report", "json=kept.json").exception, RuntimeError)
    assert kept.read_text("utf-8") == "old"
    assert not [*Path.cwd().glob(".*part")]


def test_a_report_into_a_pipe_is_written_to_it() -> None:
    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text("utf-8")))
    reader.start()
    assert call("audit", "--report", "json=pipe").exception is None
    reader.join(10)
    assert json.loads(read[0])["schema_version"] == "1"


@pytest.mark.parametrize(("name", "mark"), [("app", b'"'), ("äpp", b"\xef\xbb\xbf")])
def test_spreadsheets_are_told_the_encoding_where_it_matters(name: str, mark: bytes) -> None:
    text = Path("dump.json").read_text("utf-8")
    Path("dump.json").write_text(text.replace("app", name), "utf-8")
    assert call("audit", "--report", "csv=out.csv").exception is None
    written = Path("out.csv").read_bytes()
    assert written.startswith(mark)
    assert name in written.decode("utf-8-sig")


@pytest.mark.parametrize("name", COMMANDS)
def test_reports_among_the_inputs_are_passed_over_and_said(name: str) -> None:
    Path("in").mkdir()
    for form in ("json", "sarif", "gitlab", *(("jsonl",) if name == "audit" else ())):
        assert call(name, "--report", f"{form}=in/{form}.json").exception is None
    for source in ("dump.json", "access.json"):
        Path("in", source).write_bytes(Path(source).read_bytes())
    command = COMMANDS[name][0]
    found = CliRunner().invoke(command, ["in", "-o", "json", "--report", "json=in/again.json"], standalone_mode=False)
    inputs = {Path(one["path"]).name: one for one in json.loads(found.stdout)["inputs"]}
    assert {one["status"] for one in inputs.values()} == {"read"}
    passed = {name for name, one in inputs.items() if "no input" in " ".join(one["problems"])}
    assert passed == {*inputs} - {"dump.json"}
    # Named as the input itself it is a mistake.
    found = CliRunner().invoke(COMMANDS[name][0], ["in/json.json", "-o", "json"], standalone_mode=False)
    assert found.return_value == 3
    assert json.loads(found.stdout)["inputs"][0]["status"] == "failed"


@pytest.mark.parametrize("form", ["sarif", "csv"])
def test_a_folder_that_may_not_be_entered_is_one_line(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exists = Path.exists

    def closed(path: Path, **options: Any) -> bool:
        # Whoever runs the tests may be root, for whom no folder is closed.
        if "hidden" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path, **options)

    monkeypatch.setattr(Path, "exists", closed)
    says = "cannot write the report `hidden/no/x`: permission denied"
    with pytest.raises(InputError, match=says), Report(form, "hidden/no/x").open():
        pass
