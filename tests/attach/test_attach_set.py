"""A permission set through the command: the same verbs as for a user, and the accounts' roles are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attach_world import INFERENCE, document
from faulty import DROP, faulty
from sso_world import ACCOUNTS, PermissionSet, client, emptied

from mantle_iam.iam.grammar import parse_policy

THEIRS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Theirs", "Effect": "Allow", "Action": "s3:List*", "Resource": "*"}],
    }
)
CHAT = document("bedrock-mantle:CreateInference")


@pytest.fixture
def developers(sso_url: str, aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PermissionSet:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO_ADMIN", sso_url)
    monkeypatch.setattr("mantle_iam.attach.permission_set._FIRST_PAUSE", 0.01)
    (tmp_path / "chat.json").write_text(CHAT, "utf-8")
    (tmp_path / "models.json").write_text(document("bedrock-mantle:ListModels"), "utf-8")
    admin = client(sso_url)
    made = PermissionSet(admin, emptied(admin), "Developers", accounts=ACCOUNTS)
    made.put(THEIRS)
    return made


WAYS = [
    ("managed", ("--managed", "inference"), "AttachManagedPolicyToPermissionSet"),
    ("inline", ("--policy", "chat.json"), "PutInlinePolicyToPermissionSet"),
    ("two", ("--policy", "chat.json", "--policy", "models.json"), "PutInlinePolicyToPermissionSet"),
]


@pytest.mark.parametrize(("options", "operation"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_there_and_back(run_json, developers, options, operation):
    before = (developers.inline, developers.managed)
    code, done = run_json(*options, "--permission-set", "Developers", "--yes")
    assert (code, done["outcome"]["status"]) == (0, "done")
    assert [step["action"] for step in done["steps"]] == [f"sso:{operation}", "sso:ProvisionPermissionSet"]
    assert "bedrock-mantle:CreateInference" in {gain["action"] for gain in done["gains"]}
    assert "Theirs" in {s.get("Sid") for s in developers.inline["Statement"]}
    assert (developers.inline, developers.managed) != before
    code, again = run_json(*options, "--permission-set", developers.arn, "--yes")
    assert (code, again["outcome"]["status"]) == (0, "nothing-to-do")
    code, undone = run_json("--undo", done["outcome"]["undo_file"], "--yes")
    assert (code, undone["outcome"]["status"]) == (0, "done")
    assert "bedrock-mantle:CreateInference" in undone["losses"]
    assert (parse_policy(developers.inline), developers.managed) == (parse_policy(before[0]), before[1])
    code, twice = run_json("--undo", done["outcome"]["undo_file"], "--yes")
    assert (code, twice["outcome"]["status"]) == (0, "nothing-to-do")


def test_the_plan_names_no_account_and_says_what_it_merges(run, developers):
    ran = run("attach", "--policy", "chat.json", "--permission-set", "Developers", "--dry-run")
    assert ran.code == 0, ran.err
    assert "Plan for permission set Developers" in ran.out
    assert "replace" in ran.out
    assert "2 statements with those that are there" in ran.out
    assert developers.inline == json.loads(THEIRS)


def test_what_somebody_added_since_is_left_alone(run, run_json, developers):
    _, done = run_json("--policy", "chat.json", "--permission-set", "Developers", "--yes")
    developers.put(CHAT)
    ran = run("attach", "--undo", done["outcome"]["undo_file"], "--yes")
    assert ran.code == 1
    assert "another text since" in ran.err
    assert developers.inline == json.loads(CHAT)


def test_a_set_of_no_account_is_changed_and_not_provisioned(run_json, sso_url, developers):
    admin = client(sso_url)
    PermissionSet(admin, developers.owner["InstanceArn"], "Unused")
    code, done = run_json("--managed", "inference", "--permission-set", "Unused", "--yes")
    assert code == 0
    assert [step["action"] for step in done["steps"]] == ["sso:AttachManagedPolicyToPermissionSet"]


def test_customer_managed_policies_are_refused(run, developers):
    ran = run("attach", "--policy", "chat.json", "--as", "managed", "--permission-set", "Developers", "--yes")
    assert ran.code == 2
    assert "inline policy" in ran.err


def test_the_role_of_a_set_leads_to_the_set(run, developers):
    ran = run("attach", "--managed", "inference", "--role", "AWSReservedSSO_Developers_0123456789abcdef", "--yes")
    assert ran.code == 2
    assert "--permission-set Developers" in ran.err
    assert INFERENCE not in developers.managed


def test_provisioning_that_failed_is_made_up_for_by_the_next_run(run_json, run, sso_url, developers):
    """The set has the policy and the roles do not: that is not nothing to do, neither for the next run nor for the undo."""
    admin = client(sso_url)
    broken = PermissionSet(admin, developers.owner["InstanceArn"], "Broken", description="broken", accounts=ACCOUNTS)
    code, half = run_json("--policy", "chat.json", "--permission-set", "Broken", "--yes")
    assert (code, half["outcome"]["status"]) == (1, "partly-done")
    broken.mend()
    code, plan = run_json("--policy", "chat.json", "--permission-set", "Broken", "--dry-run")
    assert [step["action"] for step in plan["steps"]] == ["sso:ProvisionPermissionSet"]
    assert any(f"{ACCOUNTS[0]} and {ACCOUNTS[1]}" in note for note in plan["notes"])
    assert broken.outdated == list(ACCOUNTS)
    code, done = run_json("--policy", "chat.json", "--permission-set", "Broken", "--yes")
    assert (code, done["outcome"]["status"], done["outcome"]["undo_file"]) == (0, "done", None)
    assert broken.outdated == []
    code, undone = run_json("--undo", half["outcome"]["undo_file"], "--yes")
    assert (code, undone["outcome"]["status"], broken.inline) == (0, "done", None)
    assert broken.outdated == []


def test_an_undo_whose_provisioning_failed_is_ended_by_the_next_one(run_json, sso_url, developers):
    admin = client(sso_url)
    broken = PermissionSet(admin, developers.owner["InstanceArn"], "Broken", accounts=ACCOUNTS)
    _, done = run_json("--policy", "chat.json", "--permission-set", "Broken", "--yes")
    file = done["outcome"]["undo_file"]
    broken.describe("broken")
    code, half = run_json("--undo", file, "--yes")
    assert (code, half["outcome"]["status"], broken.inline) == (1, "partly-done", None)
    assert broken.outdated == list(ACCOUNTS)
    broken.mend()
    code, rest = run_json("--undo", file, "--yes")
    assert (code, rest["outcome"]["status"]) == (0, "done")
    assert [step["action"] for step in rest["steps"]] == ["sso:ProvisionPermissionSet"]
    assert broken.outdated == []
    code, again = run_json("--undo", file, "--yes")
    assert (code, again["outcome"]["status"]) == (0, "nothing-to-do")


@pytest.mark.parametrize("times", [1, -1])
def test_an_attachment_without_an_answer_is_not_a_conflict(run_json, sso_url, developers, monkeypatch, times):
    """Identity Center refuses as a conflict what is attached already, also when that was the call before."""
    monkeypatch.setattr("mantle_iam.attach.apply.PAUSES", (0.0,))
    with faulty(sso_url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO_ADMIN", proxy.url)
        proxy.fail("AttachManagedPolicyToPermissionSet", DROP, times=times, after=True)
        code, done = run_json("--managed", "inference", "--permission-set", "Developers", "--yes")
        assert proxy.calls.count("AttachManagedPolicyToPermissionSet") > 0
    assert (code, done["outcome"]["status"], developers.managed) == (0, "done", [INFERENCE])
