"""The way there and back through the CLI: what undo restores, what it leaves alone, and what it refuses."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from attach_world import ACCOUNT, INFERENCE, ask, document

from mantle_iam.iam.grammar import parse_policy, policy_json

MODELS = document("bedrock-mantle:ListModels")
GET = document("bedrock-mantle:GetModel")
CHAT = document("bedrock-mantle:CreateInference")
ARN = f"arn:aws:iam::{ACCOUNT}:policy/mantle"


def everything(iam: Any) -> Any:
    """All that attaching can change, ids of versions left out."""
    state = ask(iam.meta.endpoint_url, "state")
    people = {
        who: ({name: parse_policy(text) for name, text in one["inline"].items()}, one["attached"])
        for who, one in state["people"].items()
    }
    policies = {
        name: sorted((policy_json(parse_policy(text)), in_force) for _, text, in_force in versions)
        for name, versions in state["policies"].items()
    }
    return people, policies


@pytest.fixture
def people(iam: Any, alice: str) -> Any:
    """A user, a role and a group, and another user who shares a customer managed policy."""
    iam.create_role(RoleName="app", Path="/service/", AssumeRolePolicyDocument=document("sts:AssumeRole"))
    iam.create_group(GroupName="team")
    for kind, name in (("role", "app"), ("group", "team")):
        put = getattr(iam, f"put_{kind}_policy")
        put(**{f"{kind.title()}Name": name}, PolicyName="m", PolicyDocument=document("s3:GetObject"))
    iam.put_user_policy(UserName=alice, PolicyName="m", PolicyDocument=GET)
    return iam


def write(name: str, text: str) -> str:
    Path(name).write_text(text, "utf-8")
    return name


def fill(iam: Any, versions: int) -> None:
    """A customer managed policy with so many versions, the last of which is in force."""
    iam.create_policy(PolicyName="mantle", PolicyDocument=document("s3:Get1"))
    for n in range(2, versions + 1):
        iam.create_policy_version(PolicyArn=ARN, PolicyDocument=document(f"s3:Get{n}"), SetAsDefault=True)


WAYS = [
    ("managed", 0, ("--managed", "inference")),
    ("inline, new", 0, ("--policy", "chat.json", "--name", "new")),
    ("inline, replaced", 0, ("--policy", "chat.json", "--name", "m")),
    ("two documents", 0, ("--policy", "chat.json", "--policy", "models.json", "--name", "two")),
    ("created", 0, ("--policy", "chat.json", "--as", "managed", "--name", "mantle")),
    ("new version", 2, ("--policy", "chat.json", "--as", "managed", "--name", "mantle")),
    ("full version list", 5, ("--policy", "chat.json", "--as", "managed", "--name", "mantle")),
]


CASES = [("user/alice", *way) for way in WAYS]
CASES += [(target, *WAYS[n]) for target, n in (("role/app", 0), ("role/app", 4), ("group/team", 2))]


@pytest.mark.parametrize(
    ("target", "versions", "options"), [(t, v, o) for t, _, v, o in CASES], ids=[f"{c[0]}: {c[1]}" for c in CASES]
)
def test_there_and_back_leaves_all_as_it_was(run, run_json, people, target, versions, options):
    kind, name = target.split("/")
    write("chat.json", CHAT), write("models.json", MODELS)
    if versions:
        fill(people, versions)
    before = everything(people)
    code, done = run_json(*options, f"--{kind}", name, "--yes")
    assert (code, done["outcome"]["status"]) == (0, "done"), done
    assert [step["does"] for step in done["steps"]] == done["outcome"]["done"]
    after = everything(people)
    assert after != before
    code, again = run_json(*options, f"--{kind}", name, "--yes")
    assert (code, again["outcome"]["status"], again["steps"]) == (0, "nothing-to-do", [])

    file = done["outcome"]["undo_file"]
    code, dry = run_json("--undo", file, "--dry-run")
    assert (code, dry["outcome"]["status"], everything(people)) == (0, "planned", after)
    code, undone = run_json("--undo", file, "--yes")
    assert (code, undone["outcome"]["status"]) == (0, "done")
    assert undone["steps"] == dry["steps"]
    assert everything(people) == before
    assert "bedrock-mantle:CreateInference" in undone["losses"]
    code, twice = run_json("--undo", file, "--yes")
    assert (code, twice["outcome"]["status"], twice["steps"]) == (0, "nothing-to-do", [])


def test_a_full_version_list_is_told_and_only_the_oldest_goes(run, people):
    fill(people, 5)
    people.set_default_policy_version(PolicyArn=ARN, VersionId="v1")
    write("chat.json", CHAT)
    ran = run("attach", "--policy", "chat.json", "--as", "managed", "--name", "mantle", "--user", "alice", "--yes")
    assert ran.code == 0, ran.err
    assert "delete-policy-version --policy-arn arn:aws:iam::123456789012:policy/mantle --version-id v2" in ran.out
    ids = {v["VersionId"] for v in people.list_policy_versions(PolicyArn=ARN)["Versions"]}
    assert ids == {"v1", "v3", "v4", "v5", "v6"}


def test_a_version_that_has_the_text_is_put_in_force_again(run_json, people):
    fill(people, 3)
    write("old.json", document("s3:Get1"))
    code, done = run_json("--policy", "old.json", "--as", "managed", "--name", "mantle", "--role", "app", "--yes")
    assert code == 0
    assert [step["action"] for step in done["steps"]] == ["iam:SetDefaultPolicyVersion", "iam:AttachRolePolicy"]


def test_others_who_have_the_policy_are_told(run, people):
    fill(people, 1)
    people.attach_role_policy(RoleName="app", PolicyArn=ARN)
    write("chat.json", CHAT)
    ran = run("attach", "--policy", "chat.json", "--as", "managed", "--name", "mantle", "--user", "alice", "--dry-run")
    assert "attached to 1 others than this user" in " ".join(ran.out.split())


CHANGED = [
    (
        "an inline policy that was changed",
        ("--policy", "chat.json", "--name", "m"),
        "changed",
        lambda iam: iam.put_user_policy(UserName="alice", PolicyName="m", PolicyDocument=MODELS),
    ),
    (
        "an inline policy that was removed",
        ("--policy", "chat.json", "--name", "m"),
        "was removed",
        lambda iam: iam.delete_user_policy(UserName="alice", PolicyName="m"),
    ),
    (
        "a created policy with another version",
        ("--policy", "chat.json", "--as", "managed", "--name", "mantle"),
        "another text",
        lambda iam: iam.create_policy_version(PolicyArn=ARN, PolicyDocument=MODELS, SetAsDefault=True),
    ),
]


@pytest.mark.parametrize(("options", "words", "change"), [c[1:] for c in CHANGED], ids=[c[0] for c in CHANGED])
def test_what_somebody_changed_since_is_left_alone(run, run_json, people, options, words, change):
    write("chat.json", CHAT)
    _, done = run_json(*options, "--user", "alice", "--yes")
    change(people)
    before = everything(people)
    ran = run("attach", "--undo", done["outcome"]["undo_file"], "--yes")
    assert ran.code == 1
    assert words in ran.err
    assert everything(people) == before


def test_a_created_policy_that_others_use_stays(run_json, people):
    write("chat.json", CHAT)
    _, done = run_json("--policy", "chat.json", "--as", "managed", "--name", "mantle", "--user", "alice", "--yes")
    people.attach_group_policy(GroupName="team", PolicyArn=ARN)
    code, undone = run_json("--undo", done["outcome"]["undo_file"], "--yes")
    assert code == 0
    assert [step["action"] for step in undone["steps"]] == ["iam:DetachUserPolicy"]
    assert any("stays" in note for note in undone["notes"])
    assert people.get_policy(PolicyArn=ARN)["Policy"]["AttachmentCount"] == 1


@pytest.mark.parametrize(
    ("undo", "left"),
    [
        ({"operation": "DetachUserPolicy", "policy_arn": INFERENCE}, ["m", "old"]),
        ({"operation": "DeleteUserPolicy", "policy_name": "m"}, ["old"]),
        (
            {"operation": "PutUserPolicy", "policy_name": "m", "policy_document": json.loads(MODELS)},
            ["m", "old"],
        ),
    ],
)
def test_undo_files_of_version_1_still_work(run, people, undo, left):
    people.attach_user_policy(UserName="alice", PolicyArn=INFERENCE)
    arn = f"arn:aws:iam::{ACCOUNT}:user/team/alice"
    saved = {
        "schema_version": "1",
        "written_at": "2026-01-01T00:00:00+00:00",
        "target": {"kind": "user", "name": "alice", "arn": arn},
        "before": [],
        "undo": undo,
        "command": "aws iam …",
    }
    write("old.undo.json", json.dumps(saved))
    assert run("attach", "--undo", "old.undo.json", "--yes").code == 0
    assert sorted(people.list_user_policies(UserName="alice")["PolicyNames"]) == left
    attached = people.list_attached_user_policies(UserName="alice")["AttachedPolicies"]
    assert bool(attached) is ("policy_arn" not in undo)
    if undo["operation"] == "PutUserPolicy":
        now = people.get_user_policy(UserName="alice", PolicyName="m")["PolicyDocument"]
        assert parse_policy(now) == parse_policy(MODELS)
    assert "nothing to do" in run("attach", "--undo", "old.undo.json", "--yes").out


GOOD = {
    "schema_version": "2",
    "written_at": "2026-01-01T00:00:00+00:00",
    "target": {"kind": "user", "name": "alice", "arn": f"arn:aws:iam::{ACCOUNT}:user/team/alice", "instance_arn": None},
    "before": [],
    "changes": [{"change": "attached", "name": "P", "arn": INFERENCE}],
    "commands": [],
}
BAD = [
    ("nonsense", "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ("[]", "not an object"),
    (json.dumps({"schema_version": "3"}), "schema_version"),
    (json.dumps({**GOOD, "target": {"kind": "user"}}), "`arn` is missing"),
    (json.dumps({**GOOD, "target": {**GOOD["target"], "kind": "root"}}), "no kind of target"),  # type: ignore[dict-item]
    (json.dumps({**GOOD, "changes": [{"change": "erase", "name": "x"}]}), "is no change"),
    (
        json.dumps({**GOOD, "changes": [{"change": "put-inline", "name": "m", "before": {"a": 1}, "after": None}]}),
        "before",
    ),
    (json.dumps({**GOOD, "changes": 7}), "`changes`"),
    (json.dumps({**GOOD, "changes": [{"change": "attached", "name": "P", "arn": ["x"]}]}), "`arn`"),
    (
        json.dumps({**GOOD, "target": {**GOOD["target"], "arn": "arn:aws:iam::999999999999:user/team/alice"}}),
        "999999999999",
    ),  # type: ignore[dict-item]
    (
        json.dumps(
            {
                **GOOD,
                "changes": [
                    {
                        "change": "created",
                        "name": "x",
                        "arn": "arn:aws:iam::999999999999:policy/x",
                        "after": json.loads(CHAT),
                    }
                ],
            }
        ),
        "not one of user alice",
    ),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=range(len(BAD)))
def test_a_file_that_is_none_is_refused(run, people, text, words):
    before = everything(people)
    write("x.undo.json", text)
    ran = run("attach", "--undo", "x.undo.json", "--yes")
    assert ran.code == 2, ran.out
    assert words in ran.err
    assert len(ran.err) < 600
    assert everything(people) == before


def test_the_undo_file_is_its_owners_alone(run, people):
    if sys.platform == "win32":
        pytest.skip("modes are POSIX's: which mode the file would have was not looked at")
    assert run("attach", "--managed", "full", "--user", "alice", "--yes", "--undo-file", "u.json").code == 0
    assert stat.S_IMODE(Path("u.json").stat().st_mode) == 0o600


def test_undo_goes_with_no_other_target(run, people):
    assert run("attach", "--undo", "x", "--user", "alice", "--yes").code == 2
