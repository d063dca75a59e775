"""Several accounts read live at once: order, renewed credentials, two organizations, the folder that is kept, interruptions."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from mantle_iam.audit.capabilities import Wanted
from mantle_iam.audit.matrix import Plan
from mantle_iam.collect.saved import AccountRecord, Layer, Unread, read_record, record_object
from mantle_iam.errors import InputError, UndeterminedError
from mantle_iam.iam.inventory import InputStatus
from mantle_iam.iam.request import PolicyType
from mantle_iam.workflow.audit_inputs import Accounts
from mantle_iam.workflow.audit_live import Live, LiveRead, Step, read_live
from mantle_iam.workflow.audit_work import Worker
from tests.collect.live_world import OTHER, THIRD, named, organization, read, read_saved, role_in
from tests.collect.moto_account import ACCOUNT, Account, Call

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DETAILS = "iam:GetAccountAuthorizationDetails"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_same(one: Path, other: Path) -> None:
    """Equal but for when each role was last used, which reading by it changes."""
    assert list(files(one)) == list(files(other))
    assert read_saved(one) == read_saved(other)


def go(world: Account, folder: Path, *roles: str, **more: Any) -> LiveRead:
    return read_live(Live(roles=roles, endpoint_url=world.url, attempts=1, **more), folder, clock=lambda: NOW)


# -- several at once


def test_accounts_are_read_at_once_and_written_as_one_by_one(world: Account, tmp_path: Path) -> None:
    roles = tuple(role_in(world, number) for number in (OTHER, THIRD))
    meeting = Barrier(2, timeout=20)

    def together(call: Call) -> None:
        if call.action == DETAILS:
            meeting.wait()  # breaks, and the call with it, unless both are asked at the same time

    world.refuse = together
    found = go(world, tmp_path / "at-once", *roles)
    world.refuse = None
    assert found == LiveRead((OTHER, THIRD))
    go(world, tmp_path / "in-turn", *roles, at_once=1)
    assert_same(tmp_path / "at-once", tmp_path / "in-turn")


def test_what_accounts_share_is_asked_once(world: Account, tmp_path: Path) -> None:
    member = organization(world)
    roles = (role_in(world, member), role_in(world, ACCOUNT))
    read(world, tmp_path, *roles)
    counted = {name: world.calls.count(f"organizations:{name}") for name in ("ListRoots", "DescribePolicy")}
    assert counted == {"ListRoots": 1, "DescribePolicy": 2}


def test_an_error_of_one_ends_all(world: Account, tmp_path: Path) -> None:
    roles = tuple(role_in(world, number) for number in (OTHER, THIRD))
    with pytest.raises(InputError, match="nonsense"):
        go(world, tmp_path, *roles, regions=("no such nonsense",))


def test_progress_is_told_by_one_at_a_time_and_counts_to_the_end(world: Account, tmp_path: Path) -> None:
    steps: list[Step] = []
    live = Live(roles=tuple(role_in(world, number) for number in (OTHER, THIRD)), endpoint_url=world.url, attempts=1)
    read_live(live, tmp_path, steps.append)
    assert [step.number for step in steps] == sorted(step.number for step in steps)
    assert (steps[-1].number, steps[-1].accounts, steps[-1].kept) == (2, 2, 0)
    steps.clear()
    read_live(live, tmp_path, steps.append)
    assert [(step.number, step.kept, step.doing) for step in steps][-1] == (2, 2, "read before")


# -- credentials


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of a role are about to expire whenever they are used."""
    from botocore.credentials import RefreshableCredentials

    for name in ("_mandatory_refresh_timeout", "_advisory_refresh_timeout"):
        monkeypatch.setattr(RefreshableCredentials, name, 24 * 3600)


def test_a_role_is_assumed_again_before_its_credentials_expire(
    world: Account, tmp_path: Path, short_lived: None
) -> None:
    keys: dict[str, str] = {}
    world.refuse = lambda call: keys.__setitem__(call.action, call.key)
    _, inputs = read(world, tmp_path, role_in(world, OTHER))
    assert world.calls.count("sts:AssumeRole") > 2
    assert keys[DETAILS] != keys["ec2:DescribeVpcEndpoints"]
    assert {one.status for one in inputs} == {InputStatus.READ}


def test_a_role_that_may_not_be_assumed_again_leaves_the_rest_unknown(
    world: Account, tmp_path: Path, short_lived: None
) -> None:
    role = role_in(world, OTHER)

    def later(call: Call) -> tuple[int, str] | None:
        return (403, "AccessDenied") if call.action == "sts:AssumeRole" and DETAILS in world.calls else None

    world.refuse = later
    found, inputs = read(world, tmp_path, role)
    assert named(found[OTHER], "audit").keys is None
    assert PolicyType.VPC_ENDPOINT in found[OTHER].unknown
    assert [one.status for one in inputs] == [InputStatus.PARTIAL]


def test_a_role_that_cannot_be_assumed_does_not_stop_the_others(world: Account, tmp_path: Path) -> None:
    found, inputs = read(world, tmp_path, f"arn:aws:iam::{THIRD}:role/nobody", role_in(world, OTHER))
    assert set(found) == {OTHER}
    status = {one.path: one.status for one in inputs}
    assert status == {f"aws:{THIRD}": InputStatus.FAILED, f"aws:{OTHER}": InputStatus.READ}


SSO = """[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = audit
region = us-east-1
[sso-session corp]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/me
region = us-east-1
[profile keys]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
[profile broken]
credential_process = sh -c 'printf "first\\nsecond\\n" >&2; exit 1'
region = us-east-1
"""


@pytest.mark.filterwarnings("ignore::getpass.GetPassWarning")
@pytest.mark.parametrize(
    ("profile", "message"),
    [("sso", "SSO"), ("mfa", "MFA"), ("broken", "first second"), (None, "no AWS credentials were found")],
)
def test_nobody_is_signed_in(
    world: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str | None, message: str
) -> None:
    config = tmp_path / "config"
    config.write_text(SSO, "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(UndeterminedError, match=message) as found:
        read_live(Live(profile=profile, endpoint_url=world.url, attempts=1), tmp_path / "kept")
    assert "aws sso login" in (found.value.help or "")
    assert "\n" not in found.value.message


@pytest.mark.parametrize(
    ("role", "region"), [("aws", "us-east-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")]
)
def test_without_a_region_it_is_one_of_the_partition(
    world: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, region: str
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    go(world, tmp_path, f"arn:{role}:iam::{OTHER}:role/nobody")
    value = json.loads((tmp_path / OTHER / "account.json").read_text("utf-8"))
    assert (value["partition"], value["regions"]) == (role, [region])


def test_a_password_in_the_url_is_refused_and_not_shown(tmp_path: Path, credentials: None) -> None:
    with pytest.raises(InputError) as found:
        read_live(Live(endpoint_url="http://me:hush@127.0.0.1:9"), tmp_path)
    assert "hush" not in str(found.value)


@pytest.mark.parametrize("answer", ["<html>hello</html>", "hello", "<a/>", ""])
def test_something_else_answers(world: Account, tmp_path: Path, answer: str) -> None:
    world.instead["GetCallerIdentity"] = lambda _: answer
    with pytest.raises(UndeterminedError, match="something else answers"):
        go(world, tmp_path)


# -- two organizations


@pytest.fixture
def two(world: Account) -> tuple[str, str]:
    """Roles in a member of one organization, and in the management account of another."""
    from moto.organizations.models import organizations_backends

    organizations_backends.pop(THIRD, None)
    member = role_in(world, organization(world))
    role = role_in(world, THIRD)
    organizations_backends[THIRD]["aws"].create_organization(region="us-east-1", FeatureSet="ALL")
    return member, role


@pytest.mark.parametrize("order", [1, -1])
def test_organizations_are_not_mixed(world: Account, tmp_path: Path, two: tuple[str, str], order: int) -> None:
    roles = two[::order]
    found, inputs = read(world, tmp_path, *roles)
    first, second = (role.split(":")[4] for role in roles)
    assert PolicyType.SCP not in found[first].unknown
    assert PolicyType.SCP in found[second].unknown
    assert {one.path: one.status for one in inputs}[f"aws:{second}"] is InputStatus.PARTIAL
    assert "another --save-dir" in " ".join(problem for one in inputs for problem in one.problems)
    # A folder stays with its organization.
    found, _ = read(world, tmp_path, roles[1])
    assert PolicyType.SCP in found[second].unknown


def test_no_control_policy_binds_an_account_of_no_organization(world: Account, tmp_path: Path) -> None:
    """Beside one of an organization, whose policies are kept in the same folder."""
    member = organization(world)
    found, inputs = read(world, tmp_path, role_in(world, member), role_in(world, OTHER))
    assert found[member].scps
    assert (found[OTHER].scps, found[OTHER].rcps, found[OTHER].unknown) == (None, None, frozenset())
    assert {one.status for one in inputs} == {InputStatus.READ}


@pytest.mark.parametrize(("asked", "unknown"), [("us-east-1", False), ("eu-west-1", True)])
def test_endpoints_are_unknown_in_a_region_where_nobody_looked(
    world: Account, tmp_path: Path, asked: str, unknown: bool
) -> None:
    go(world, tmp_path)
    accounts = Accounts((str(tmp_path),))
    job, tasks = accounts.begin(Plan(Wanted(regions=(asked,))))
    (account,) = (account for task in tasks for chunk in Worker(job).read(task) for account in chunk.accounts)
    assert (PolicyType.VPC_ENDPOINT in account.unknown) is unknown
    said = [problem for one in accounts.inputs for problem in one.problems if "nobody looked" in problem]
    assert bool(said) is accounts.incomplete is unknown


def test_whoever_knows_another_organization_is_not_believed(world: Account, tmp_path: Path) -> None:
    """The account may not tell its own organization; that of the credentials, which knows no SCPs, does not have it."""
    client = world.client("organizations")
    client.create_organization(FeatureSet="ALL")
    role = role_in(world, OTHER)

    def refuse(call: Call) -> tuple[int, str] | None:
        by_role = call.key != "AKIAIOSFODNN7EXAMPLE"
        return (403, "AccessDeniedException") if by_role and call.action.startswith("organizations:") else None

    world.refuse = refuse
    found, _ = read(world, tmp_path, role)
    assert PolicyType.SCP in found[OTHER].unknown


# -- the folder


def test_only_the_owner_may_look_and_there_is_no_secret(world: Account, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "kept"
    organization(world)
    read(world, folder, role_in(world, OTHER))
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    everything = b"".join(files(folder).values())
    for secret in (b"AKIA", b"ASIA", b"ABSK", b"SecretAccessKey", b"SessionToken", b"ServiceCredentialSecret"):
        assert secret not in everything


def test_files_of_others_are_not_touched(world: Account, tmp_path: Path) -> None:
    mine = tmp_path / ACCOUNT / "my-policy.json"
    mine.parent.mkdir()
    mine.write_text("{}", "utf-8")
    with pytest.raises(InputError, match=r"my-policy\.json"):
        go(world, tmp_path)
    assert files(tmp_path) == {f"{ACCOUNT}/my-policy.json": b"{}"}


BREAK: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "changed": lambda path: path.write_bytes(
        path.read_bytes().replace(b"bedrock-mantle:ListModels", b"bedrock-mantle:*")
    ),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("how", list(BREAK))
def test_what_is_not_as_it_was_written_is_read_again(world: Account, tmp_path: Path, how: str) -> None:
    go(world, tmp_path)
    before = files(tmp_path)
    BREAK[how](tmp_path / ACCOUNT / "authorization-details.json")
    assert files(tmp_path) != before
    assert go(world, tmp_path).kept == ()
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["../../secret", "vpc-endpoints./../../../secret", "/dev/zero", "vpc-endpoints.\0", ""]
)
def test_a_record_reaches_no_file_of_others(world: Account, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "kept"
    (folder / ACCOUNT).mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"")
    nothing = sha256(b"").hexdigest()
    record = AccountRecord(ACCOUNT, regions=("us-east-1",), read=NOW, files=((name, nothing),))
    (folder / ACCOUNT / "account.json").write_text(json.dumps(record_object(record)), "utf-8")
    assert go(world, folder).kept == ()


def test_a_record_of_another_account_is_none(world: Account, tmp_path: Path) -> None:
    record = AccountRecord(OTHER, regions=("us-east-1",), read=NOW)
    (tmp_path / ACCOUNT).mkdir()
    (tmp_path / ACCOUNT / "account.json").write_text(json.dumps(record_object(record)), "utf-8")
    assert go(world, tmp_path).kept == ()


def test_a_record_comes_back() -> None:
    unread = (Unread(Layer.SCP, "a:B", "no"),)
    record = AccountRecord(OTHER, "aws-us-gov", ("r",), unread, NOW, True, (("a.json", "00"),))
    assert read_record(json.loads(json.dumps(record_object(record)))) == record


def test_two_runs_at_once_into_one_folder(world: Account, tmp_path: Path) -> None:
    roles = tuple(role_in(world, number) for number in (OTHER, THIRD))
    errors: list[BaseException] = []

    def run() -> None:
        try:
            go(world, tmp_path / "both", *roles)
        except BaseException as error:  # shown below
            errors.append(error)

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    go(world, tmp_path / "alone", *roles)
    assert_same(tmp_path / "both", tmp_path / "alone")


def test_how_old_the_kept_is() -> None:
    old, new = NOW - timedelta(days=12, hours=3), NOW - timedelta(minutes=5)
    assert LiveRead((OTHER,)).note(NOW) == ""
    said = LiveRead((OTHER, THIRD), ((OTHER, new), (THIRD, old))).note(NOW)
    assert said.startswith(f"2 accounts were read before and not again, the longest ago {THIRD}: 12 days ago")
    assert "when is not known" in LiveRead((OTHER,), ((OTHER, None),)).note(NOW)
    assert "when is not known" in LiveRead((OTHER,), ((OTHER, NOW + timedelta(days=1)),)).note(NOW)


def test_an_account_that_was_kept_is_said(world: Account, tmp_path: Path) -> None:
    assert go(world, tmp_path).kept == ()
    assert go(world, tmp_path).kept == ((ACCOUNT, NOW),)


# -- interruptions


class EnoughError(Exception):
    """Somebody has had enough."""


def test_an_interrupted_folder_says_what_is_missing(world: Account, tmp_path: Path) -> None:
    roles = tuple(role_in(world, number) for number in (OTHER, THIRD))

    def until(step: Step) -> None:
        if step.account == THIRD and step.doing == "Bedrock API keys":
            raise EnoughError

    live = Live(roles=roles, endpoint_url=world.url, attempts=1, at_once=1)
    with pytest.raises(EnoughError):
        read_live(live, tmp_path, until)
    assert not list(tmp_path.rglob("*.part"))
    found, inputs = read_saved(tmp_path)
    assert set(found) == {OTHER}
    (missing,) = [one for one in inputs if one.status is not InputStatus.READ]
    assert (missing.path, missing.status) == (f"aws:{THIRD}", InputStatus.FAILED)
    assert "not read yet" in missing.problems[0]
    world.calls.clear()
    found, inputs = read(world, tmp_path, *roles)
    assert set(found) == {OTHER, THIRD}
    assert world.calls.count(DETAILS) == 1


def test_what_was_there_stays_until_it_is_read_anew(world: Account, tmp_path: Path) -> None:
    role = role_in(world, OTHER)
    world.failing["DescribeVpcEndpoints"] = (403, "UnauthorizedOperation")
    go(world, tmp_path, role)
    before = files(tmp_path)

    def until(step: Step) -> None:
        if step.doing == "writing":
            raise EnoughError

    with pytest.raises(EnoughError):
        read_live(Live(roles=(role,), endpoint_url=world.url, attempts=1), tmp_path, until)
    assert files(tmp_path) == before


def test_a_connection_that_is_cut(world: Account, tmp_path: Path) -> None:
    """The second page breaks off in the middle; the next run reads the account whole."""
    from tests.collect.test_live_account import PAGE

    first = PAGE.format(marker="<Marker>next</Marker>")
    world.instead["GetAccountAuthorizationDetails"] = lambda form: None if "Marker" in form else first
    world.cut = lambda call: call.action == DETAILS and "Marker" in call.fields
    found, inputs = read(world, tmp_path)
    assert [one.arn.rpartition("/")[2] for one in found[ACCOUNT].principals] == ["first"]
    assert [one.status for one in inputs] == [InputStatus.PARTIAL]
    world.cut = None
    found, inputs = read(world, tmp_path)
    assert {"first", "dev", "app"} <= {one.arn.rpartition("/")[2] for one in found[ACCOUNT].principals}
    assert [one.status for one in inputs] == [InputStatus.READ]
    assert {path.name for path in (tmp_path / ACCOUNT).glob("authorization-details*")} == {
        "authorization-details-000001.json",
        "authorization-details-000002.json",
    }


# -- keys


KEYS = """<ListServiceSpecificCredentialsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<ListServiceSpecificCredentialsResult><ServiceSpecificCredentials><member>
<UserName>{user}</UserName><ServiceName>bedrock.amazonaws.com</ServiceName><Status>{status}</Status>
<ServiceSpecificCredentialId>ACCAEXAMPLEEXAMPLE00{page}</ServiceSpecificCredentialId>
<CreateDate>2026-01-01T00:00:00Z</CreateDate></member></ServiceSpecificCredentials>{more}
</ListServiceSpecificCredentialsResult></ListServiceSpecificCredentialsResponse>"""


def test_keys_of_all_pages_with_their_status(world: Account, tmp_path: Path) -> None:
    def page(form: dict[str, list[str]]) -> str:
        assert form["AllUsers"] == ["true"]
        if "Marker" in form:
            return KEYS.format(user="dev", status="Expired", page=2, more="<IsTruncated>false</IsTruncated>")
        more = "<IsTruncated>true</IsTruncated><Marker>2</Marker>"
        return KEYS.format(user="dev", status="Active", page=1, more=more)

    world.instead["ListServiceSpecificCredentials"] = page
    found, inputs = read(world, tmp_path)
    keys = named(found[ACCOUNT], "dev").keys or ()
    assert [(key.id[-1], key.active) for key in keys] == [("1", True), ("2", False)]
    assert [one.status for one in inputs] == [InputStatus.READ]


def test_a_key_of_a_user_who_is_not_there_is_said(world: Account, tmp_path: Path) -> None:
    answer = KEYS.format(user="ghost", status="Active", page=1, more="<IsTruncated>false</IsTruncated>")
    world.instead["ListServiceSpecificCredentials"] = lambda _: answer
    _, inputs = read(world, tmp_path)
    assert [one.status for one in inputs] == [InputStatus.PARTIAL]
    assert "`ghost`" in inputs[0].problems[0]


def test_pages_that_never_end_are_left(world: Account, tmp_path: Path) -> None:
    more = "<IsTruncated>true</IsTruncated><Marker>same</Marker>"
    world.instead["ListServiceSpecificCredentials"] = lambda _: KEYS.format(
        user="dev", status="Active", page=1, more=more
    )
    found, inputs = read(world, tmp_path)
    assert [one.status for one in inputs] == [InputStatus.PARTIAL]
    assert named(found[ACCOUNT], "idle").keys is None
