"""The command while IAM goes wrong: what it says must be what IAM has afterwards, and there must be a way back and on.

A table of faults (``faults.json``) on every call that changes something, over real HTTP; the expected states are those that an
undisturbed run goes through.  Not in the table: SetDefaultPolicyVersion whose answer is lost, since moto takes a version that
is made the default twice for none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attach_world import ACCOUNT, INFERENCE, ask, document
from faulty import WAIT, Faulty, faulty

from mantle_iam.attach import apply as apply_module
from mantle_iam.iam.grammar import parse_policy, policy_json
from mantle_iam.workflow import attach_apply

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("faults.json").read_text("utf-8"))
CASES = [(change, at, fault) for change, at, faults in TABLE["cases"] for fault in faults]
UNDO = [(change, at, fault) for change, at, faults in TABLE["undo"] for fault in faults]
VERSIONS = [f"bedrock-mantle:Get{word}" for word in ("Model", "Project", "File", "FineTuningJob", "Batch")]
FULL = f"arn:aws:iam::{ACCOUNT}:policy/full"

State = dict[str, Any]


@pytest.fixture(scope="module")
def proxy(iam_url: str) -> Iterator[Faulty]:
    with faulty(iam_url) as running:
        yield running


@pytest.fixture
def world(
    iam: Any, alice: str, proxy: Faulty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Callable[..., Any]
) -> World:
    """Alice, a policy with a full list of versions, and a proxy between IAM and the command."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", proxy.url)
    monkeypatch.setattr(apply_module, "PAUSES", (0.0,) * len(apply_module.PAUSES))
    monkeypatch.setattr(attach_apply, "_READ_AGAIN", (0.0, 0.0))
    # botocore waits between its own attempts at reading.
    monkeypatch.setattr(time, "sleep", lambda _: None)
    proxy.clear()
    return World(iam, proxy, tmp_path, run)


class World:
    """Alice, and the command."""

    def __init__(self, iam: Any, proxy: Faulty, folder: Path, run: Callable[..., Any]) -> None:
        self.iam, self.proxy, self.folder, self._run = iam, proxy, folder, run
        (folder / "p.json").write_text(document("bedrock-mantle:ListModels"), "utf-8")
        (folder / "q.json").write_text(document("bedrock-mantle:CreateInference"), "utf-8")

    def reset(self, change: str) -> None:
        """Alice with her one policy; for ``version`` a policy with as many versions as there can be."""
        kept = "full" if change == "version" else "plain"
        if not ask(self.proxy.service_url, f"back/{kept}"):
            self._make(change)
            ask(self.proxy.service_url, f"keep/{kept}")
        self.proxy.clear()

    def _make(self, change: str) -> None:
        ask(self.proxy.service_url, "empty")
        self.iam.create_user(UserName="alice", Path="/team/")
        self.iam.put_user_policy(UserName="alice", PolicyName="old", PolicyDocument=document("bedrock:InvokeModel"))
        if change == "version":
            self.iam.create_policy(PolicyName="full", PolicyDocument=document(VERSIONS[0]))
            for action in VERSIONS[1:]:
                self.iam.create_policy_version(PolicyArn=FULL, PolicyDocument=document(action), SetAsDefault=True)

    def attach(self, change: str, *more: str) -> Any:
        """Run ``attach``."""
        options = TABLE["changes"][change]
        return self._run("attach", *options, "--user", "alice", "--yes", "--no-verify", "--output", "json", *more)

    def undo(self, file: Path) -> Any:
        """Run ``attach --undo``."""
        return self._run("attach", "--undo", str(file), "--yes", "--output", "json")

    @property
    def undo_files(self) -> list[Path]:
        """Undo files in the folder, in the order of their names."""
        return sorted(self.folder.glob("*.undo.json"))

    def state(self) -> State:
        """All that the changes of the table may touch; versions by their text, since ids are never used twice."""
        found = ask(self.proxy.service_url, "state")
        alice = found["people"]["user/alice"]
        customer: dict[str, dict[str, bool]] = {}
        for name, versions in found["policies"].items():
            texts = customer[name] = {}
            for _, document_, in_force in versions:
                text = _canonical(document_)
                texts[text] = texts.get(text, False) or in_force
        inline = {name: _canonical(text) for name, text in alice["inline"].items()}
        return {"attached": alice["attached"], "inline": inline, "customer": customer}

    def fault(self, operation: str, name: str) -> dict[str, Any]:
        """Order a fault of the table on ``operation``; ``X+1`` is the second call of it."""
        fault = TABLE["faults"][name]
        operation, _, skip = operation.partition("+")
        self.proxy.fail(
            operation, fault["what"], times=fault["times"], after=fault.get("after", False), skip=int(skip or 0)
        )
        return dict(fault)

    def watched(self, operations: set[str], act: Callable[[], Any]) -> tuple[list[State], list[str]]:
        """The states that an undisturbed ``act`` goes through, before each of ``operations`` and after the last."""
        states: list[State] = []
        self.proxy.clear()
        for operation in operations:
            self.proxy.fail(operation, WAIT, times=-1, between=lambda: states.append(self.state()))
        assert act().code == 0
        done = [operation for operation in self.proxy.calls if operation in operations]
        self.proxy.clear()
        return [*states, self.state()], done


def _canonical(text: Any) -> str:
    """A document in this project's form: a policy that is put back says the same in it."""
    return policy_json(parse_policy(text), indent=None)


WRITES = {
    "AttachUserPolicy",
    "DetachUserPolicy",
    "PutUserPolicy",
    "DeleteUserPolicy",
    "CreatePolicy",
    "DeletePolicy",
    "CreatePolicyVersion",
    "DeletePolicyVersion",
    "SetDefaultPolicyVersion",
}


def _index(done: list[str], at: str) -> int:
    """Which of the calls ``done`` the fault is on."""
    operation, _, skip = at.partition("+")
    return [i for i, name in enumerate(done) if name == operation][int(skip or 0)]


def _check(ran: Any, fault: dict[str, Any], at: str, states: list[State], index: int, now: State) -> dict[str, Any]:
    """Exit code, words, and that what is claimed is what there is; returns the outcome."""
    codes = fault["code"] if isinstance(fault["code"], list) else [fault["code"]]
    assert ran.code in codes, ran.err
    outcome: dict[str, Any] = json.loads(ran.out)["outcome"]
    assert outcome["exit_code"] == ran.code
    if ran.code == 0:
        assert now == states[-1]
        assert (outcome["status"], len(outcome["done"])) == ("done", len(states) - 1)
        return outcome
    operation = at.partition("+")[0]
    assert fault.get("says", "").format(operation=operation) in ran.err
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    assert len(outcome["done"]) == index, "what went well before is claimed, and no more"
    took_effect = fault.get("after", False)
    assert now == states[index + took_effect]
    unsure = fault["what"] in ("drop", "ServiceFailure")
    assert (outcome["status"] == "unsure") is unsure
    if fault["what"] == "AccessDenied":
        assert f"iam:{operation}" in outcome["missing_actions"]
        actions = [a for s in outcome["rights"]["Statement"] for a in _listed(s["Action"])]
        assert sorted(actions) == sorted(set(outcome["missing_actions"]))
    return outcome


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


Runs = dict[str, tuple[list[State], list[str]]]


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Runs]:
    """What undisturbed runs went through, each done once: attaching and taking back, by change."""
    return {"there": {}, "back": {}}


def _undisturbed(world: World, change: str, runs: dict[str, Runs]) -> None:
    """Do ``change`` and take it back, once for all tests; then all is as it was, version ids too."""
    world.reset(change)
    if change in runs["back"]:
        return
    before = world.state()
    file = world.folder / "clean.json"
    runs["there"][change] = world.watched(WRITES, lambda: world.attach(change, "--undo-file", file.name))
    runs["back"][change] = world.watched(WRITES, lambda: world.undo(file))
    assert world.state() == before, "taken back whole"
    file.unlink()
    world.reset(change)


@pytest.mark.parametrize(("change", "at", "name"), CASES)
def test_a_fault_while_it_is_applied(
    world: World, undisturbed: dict[str, Runs], change: str, at: str, name: str
) -> None:
    _undisturbed(world, change, undisturbed)
    states, done = undisturbed["there"][change]
    before = world.state()
    assert before == states[0]

    fault = world.fault(at, name)
    ran = world.attach(change)
    now = world.state()
    outcome = _check(ran, fault, at, states, _index(done, at), now)
    world.proxy.clear()

    assert bool(world.undo_files) is (now != before or outcome["status"] == "unsure"), (
        "there is a way back where needed"
    )
    if not world.undo_files:
        assert outcome["undo_file"] is None
        return
    (file,) = world.undo_files
    assert outcome["undo_file"] == file.name
    # On, or back: each from the half state.
    if ran.code and CASES.index((change, at, name)) % 2:
        assert world.attach(change).code == 0
        assert world.state() == states[-1]
        return
    assert world.undo(file).code == 0
    assert world.state() == before


@pytest.mark.parametrize(("change", "at", "name"), UNDO)
def test_a_fault_while_it_is_taken_back(
    world: World, undisturbed: dict[str, Runs], change: str, at: str, name: str
) -> None:
    _undisturbed(world, change, undisturbed)
    states, done = undisturbed["back"][change]
    file = world.folder / "u.json"
    assert world.attach(change, "--undo-file", file.name).code == 0
    assert world.state() == states[0]

    fault = world.fault(at, name)
    _check(world.undo(file), fault, at, states, _index(done, at), world.state())
    world.proxy.clear()
    assert world.undo(file).code == 0
    assert world.state() == states[-1]
    again = json.loads(world.undo(file).out)["outcome"]
    assert (again["status"], again["exit_code"]) == ("nothing-to-do", 0)


@pytest.mark.parametrize(("operation", "what", "code", "says"), TABLE["reads"])
def test_a_fault_while_it_is_planned(world: World, operation: str, what: str, code: int, says: str) -> None:
    world.iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
    before = world.state()
    world.proxy.fail(operation, what, times=-1)
    ran = world.attach("inline", "--dry-run")
    assert ran.code == code, ran.err
    assert says in ran.err + ran.out
    assert world.state() == before
    assert not world.undo_files
    assert not WRITES & set(world.proxy.calls)


# -- somebody else, between two calls -----------------------------------------------------------------------------------


def _put(world: World, name: str, action: str) -> None:
    world.iam.put_user_policy(UserName="alice", PolicyName=name, PolicyDocument=document(action))


MEANWHILE: list[tuple[str, Callable[[World], object]]] = [
    ("replace", lambda w: _put(w, "old", "s3:GetObject")),
    ("replace", lambda w: w.iam.delete_user_policy(UserName="alice", PolicyName="old")),
    ("inline", lambda w: _put(w, "fresh", "s3:GetObject")),
    ("managed", lambda w: w.iam.attach_user_policy(UserName="alice", PolicyArn=INFERENCE)),
    ("managed", lambda w: _put(w, "other", "s3:GetObject")),
    ("version", lambda w: w.iam.set_default_policy_version(PolicyArn=FULL, VersionId="v2")),
    ("version", lambda w: w.iam.delete_policy_version(PolicyArn=FULL, VersionId="v1")),
    ("create", lambda w: w.iam.create_policy(PolicyName="mine", PolicyDocument=document("s3:GetObject"))),
]


@pytest.mark.parametrize(("change", "act"), MEANWHILE, ids=[f"{change}-{i}" for i, (change, _) in enumerate(MEANWHILE)])
def test_what_somebody_changed_meanwhile_stops_it(world: World, change: str, act: Callable[[World], object]) -> None:
    """After the plan was made (its first call after that is the second GetUser but one) and before the first change."""
    world.reset(change)
    asked = _calls_until_planned(world, change)
    world.proxy.fail("GetUser", WAIT, skip=asked, between=lambda: act(world))
    ran = world.attach(change)
    assert ran.code == 1, ran.err
    assert json.loads(ran.out)["outcome"]["status"] == "changed-meanwhile"
    assert "meanwhile" in ran.err
    assert not WRITES & set(world.proxy.calls)
    assert not world.undo_files


def _calls_until_planned(world: World, change: str) -> int:
    """How often the plan alone asks for the user."""
    assert world.attach(change, "--dry-run").code == 0
    asked = world.proxy.calls.count("GetUser")
    world.proxy.clear()
    return asked


def test_a_user_that_is_gone_before_the_change(world: World) -> None:
    def delete() -> None:
        world.iam.delete_user_policy(UserName="alice", PolicyName="old")
        world.iam.delete_user(UserName="alice")

    world.proxy.fail("AttachUserPolicy", WAIT, between=delete)
    ran = world.attach("managed")
    assert ran.code == 2, ran.err
    assert not world.undo_files


SINCE: list[tuple[str, Callable[[World], object]]] = [
    ("inline", lambda w: _put(w, "fresh", "s3:GetObject")),
    ("replace", lambda w: _put(w, "old", "s3:GetObject")),
    ("replace", lambda w: w.iam.delete_user_policy(UserName="alice", PolicyName="old")),
    ("version", lambda w: w.iam.set_default_policy_version(PolicyArn=FULL, VersionId="v3")),
    ("create", lambda w: _new_text(w, f"arn:aws:iam::{ACCOUNT}:policy/mine")),
]


def _new_text(world: World, arn: str) -> None:
    world.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("s3:GetObject"), SetAsDefault=True)


@pytest.mark.parametrize(("change", "act"), SINCE, ids=[f"{change}-{i}" for i, (change, _) in enumerate(SINCE)])
def test_what_somebody_changed_since_is_not_taken_back(
    world: World, change: str, act: Callable[[World], object]
) -> None:
    world.reset(change)
    assert world.attach(change, "--undo-file", "u.json").code == 0
    act(world)
    now = world.state()
    ran = world.undo(world.folder / "u.json")
    assert ran.code == 1, ran.err
    assert json.loads(ran.out)["outcome"]["status"] == "conflict"
    assert world.state() == now


def test_a_change_that_takes_longer_than_the_patience(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes after the client stopped waiting: whether it was made is not known, and it was."""
    import threading

    monkeypatch.setattr(apply_module, "READ_SECONDS", 0.3)
    slow = threading.Event()
    world.proxy.fail("PutUserPolicy", WAIT, times=1, between=lambda: slow.wait(1.0))
    ran = world.attach("inline")
    assert ran.code == 0, ran.err
    assert "fresh" in world.state()["inline"]


def test_the_policy_of_rights_of_a_refusal_is_one_that_iam_takes(world: World) -> None:
    world.fault("AttachUserPolicy", "denied")
    outcome = json.loads(world.attach("managed").out)["outcome"]
    made = world.iam.create_policy(PolicyName="rights", PolicyDocument=json.dumps(outcome["rights"]))
    assert made["Policy"]["Arn"]
