"""``mantle-iam managed``: its text and JSON, its exit codes, and what it reads from an account over real HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

import jsonschema
import pytest

from mantle_iam import bundled
from mantle_iam.cli.main import run
from mantle_iam.iam.grammar import parse_policy, policy_json, write_policy
from mantle_iam.workflow.managed import current_policies, find_policy

INFERENCE = "AmazonBedrockMantleInferenceAccess"
ARN = f"arn:aws:iam::aws:policy/{INFERENCE}"
FAKE = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Its JSON, checked against the schema."""
        document: dict[str, Any] = json.loads(self.out)
        jsonschema.validate(document, bundled.schema("managed"))
        return document


@pytest.fixture
def managed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command at 72 columns."""
    monkeypatch.setenv("COLUMNS", "72")

    def call(*arguments: str) -> Ran:
        code = run(["managed", *arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


# -- text and JSON

GOLDENS = {
    "list": ([], 0),
    "inference": (["inference"], 0),
    "bedrock-full": (["bedrock-full"], 0),
    "external-search": (["AmazonBedrockExternalWebSearchFullAccess"], 0),
    "govcloud": (["read-only", "--region", "us-gov-west-1"], 0),
    "for-inference": (["--for", "inference"], 0),
    "for-claude-code": (["--for", "claude-code"], 0),
    "for-managed-agents": (["--for", "managed-agents"], 1),
    "does-not-cover": (["read-only", "--for", "chat"], 1),
    "versions": (["limited", "--versions"], 0),
    "diff": (["inference", "--diff", "v1", "v5"], 0),
    "diff-same": (["inference", "--diff", "2", "3"], 0),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_text(name: str, managed: Callable[..., Ran], golden: Callable[[str, str], None]) -> None:
    arguments, code = GOLDENS[name]
    ran = managed(*arguments)
    assert (ran.code, ran.err) == (code, "")
    golden(f"managed/{name}.txt", ran.out)
    # Only what must stay whole to be copied is wider: ARNs, URLs, commands, the names of policies.
    long = [line for line in ran.out.splitlines() if len(line) > 72]
    assert all("arn:" in line or "https://" in line or "ExecutionRolePolicy" in line for line in long), long
    assert managed(*arguments, "--color", "always").out.count("\x1b[") > 1
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("name", GOLDENS)
def test_json_says_what_the_schema_allows(name: str, managed: Callable[..., Ran]) -> None:
    arguments, code = GOLDENS[name]
    ran = managed(*arguments, "--output", "json")
    assert (ran.code, ran.err) == (code, "")
    document = ran.json
    asked = {part for part in ("versions", "difference", "advice", "account") if document[part] is not None}
    expected = {"--for": {"advice"}, "--versions": {"versions"}, "--diff": {"difference"}}
    assert asked == next((parts for option, parts in expected.items() if option in arguments), set())
    assert bool(document["policies"]) is not bool(asked)


def test_the_schema_refuses_what_it_should(managed: Callable[..., Ran]) -> None:
    document = managed("inference", "--output", "json").json
    document["policies"][0]["capabilities"][0]["reach"] = "perhaps"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, bundled.schema("managed"))


def test_the_document_alone(managed: Callable[..., Ran]) -> None:
    for arguments, version in ((["inference"], None), (["inference", "--version", "v1"], "v1")):
        ran = managed(*arguments, "--document")
        assert (ran.code, ran.err) == (0, "")
        assert parse_policy(ran.out) == find_policy("inference", version).document


def test_an_arn_names_the_partition_of_the_purpose_too(managed: Callable[..., Ran]) -> None:
    arn = f"arn:aws-us-gov:iam::aws:policy/{INFERENCE}"
    ran = managed(arn, "--for", "inference", "--output", "json")
    assert ran.code == 0, ran
    advice = ran.json["advice"]
    assert [one["arn"] for one in advice["candidates"]] == [arn]
    assert "arn:aws-us-gov:bedrock-mantle:" in json.dumps(advice["own"]["document"])


def test_an_old_version_is_told_as_it_was(managed: Callable[..., Ran]) -> None:
    ran = managed("limited", "--version", "1", "--output", "json")
    (policy,) = ran.json["policies"]
    assert policy["version"] == "v1"
    assert {one["reach"] for one in policy["capabilities"]} == {"none"}


REFUSED = {
    "unknown": (["AmazonBedrockMantelFullAccess"], "did you mean AmazonBedrockMantleFullAccess?"),
    "own": (["arn:aws:iam::111122223333:policy/mine"], "--refresh reads it from the account"),
    "no name": (["--document"], "--document needs the name"),
    "no name for a version": (["--version", "v1"], "--version needs the name"),
    "two modes": (["inference", "--document", "--versions"], "exclude each other"),
    "refresh and for": (["--refresh", "--for", "chat"], "exclude each other"),
    "scope without purpose": (["inference", "--model", "m"], "--model needs --for"),
    "marketplace without purpose": (["--marketplace"], "--marketplace needs --for"),
    "profile without refresh": (["inference", "--profile", "p"], "--profile needs --refresh"),
    "version and diff": (["inference", "--version", "v1", "--diff", "v1", "v2"], "--version goes with"),
    "no such version": (["full", "--version", "v3"], "versions at hand: v5, v4, v2, v1"),
    "no such purpose": (["--for", "chatt"], "did you mean chat?"),
    "no region": (["inference", "--region", "nowhere"], "is not an AWS region"),
    "two partitions": (["--region", "us-east-1", "--region", "us-gov-west-1"], "several partitions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_usage(name: str, managed: Callable[..., Ran]) -> None:
    arguments, message = REFUSED[name]
    ran = managed(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_nothing_heavy_is_imported_to_answer_offline() -> None:
    code = (
        "import sys\nfrom mantle_iam.cli.main import run\nrun(['managed', '--for', 'chat'])\n"
        "heavy = {'boto3', 'botocore', 'httpx', 'jsonschema', 'jinja2', 'moto'} & set(sys.modules)\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# -- the account


@dataclass
class Account:
    """An IAM that answers GetPolicy and GetPolicyVersion, and can fail."""

    url: str = ""
    policies: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By ARN: version, instant, document."""
    error: tuple[int, str] | None = None
    error_from: int = 0
    """The first call that fails."""
    calls: list[str] = field(default_factory=list)

    def plant(self, arn: str, version: str, day: str, document: str) -> None:
        """Make ``document`` the default version."""
        self.policies[arn] = (version, f"{day}T01:02:03Z", document)

    def answer(self, query: dict[str, list[str]]) -> tuple[int, str]:
        """Status and body for one call."""
        action, arn = query["Action"][0], query["PolicyArn"][0]
        self.calls.append(action)
        if self.error is not None and len(self.calls) > self.error_from:
            return self.error[0], _error(self.error[1], "no")
        if arn not in self.policies:
            return 404, _error("NoSuchEntity", f"Policy {arn} does not exist.")
        version, instant, document = self.policies[arn]
        if action == "GetPolicy":
            name = arn.rpartition("/")[2]
            names = f"<PolicyName>{name}</PolicyName><Arn>{arn}</Arn>"
            inner = f"<Policy>{names}<DefaultVersionId>{version}</DefaultVersionId></Policy>"
        else:
            assert query["VersionId"] == [version]
            inner = (
                f"<PolicyVersion><Document>{escape(quote(document))}</Document><VersionId>{version}</VersionId>"
                f"<IsDefaultVersion>true</IsDefaultVersion><CreateDate>{instant}</CreateDate></PolicyVersion>"
            )
        space = "https://iam.amazonaws.com/doc/2010-05-08/"
        return 200, f'<{action}Response xmlns="{space}"><{action}Result>{inner}</{action}Result></{action}Response>'


def _error(code: str, message: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account whose policies are ours, reached over HTTP."""
    state = Account()
    for policy in current_policies():
        state.plant(policy.arn, policy.version, policy.date, policy_json(policy.document))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, text = state.answer(parse_qs(body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    for name, value in FAKE.items():
        monkeypatch.setenv(name, value)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", state.url)
    yield state
    server.shutdown()
    server.server_close()


def newer(text: str = INFERENCE) -> dict[str, Any]:
    """Our text of a policy with two more actions in its first statement."""
    document = write_policy(find_policy(text).document)
    document["Statement"][0]["Action"] += ["bedrock-mantle:CountTokens", "bedrock-mantle:CancelInference"]
    return document


def test_an_account_with_our_texts(account: Account, managed: Callable[..., Ran]) -> None:
    ran = managed("--refresh", "--output", "json")
    assert ran.code == 0, ran
    assert {one["standing"] for one in ran.json["account"]} == {"current"}
    assert set(account.calls) == {"GetPolicy", "GetPolicyVersion"}
    text = managed("--refresh")
    assert text.out.count("current: ") == len(current_policies())


def test_the_account_has_a_newer_version(
    account: Account, managed: Callable[..., Ran], golden: Callable[[str, str], None]
) -> None:
    account.plant(ARN, "v6", "2026-11-01", json.dumps(newer()))
    ran = managed("inference", "--refresh", "--output", "json")
    assert ran.code == 1
    (one,) = ran.json["account"]
    assert (one["standing"], one["days"], one["ours"]["version"], one["theirs"]["version"]) == ("older", 89, "v5", "v6")
    assert [change["action"] for change in one["difference"]["gained"]] == [
        "bedrock-mantle:CancelInference",
        "bedrock-mantle:CountTokens",
    ]
    # What is told is what the account has.
    (policy,) = ran.json["policies"]
    covered = {purpose["name"] for purpose in policy["purposes"] if purpose["covered"]}
    assert {"claude-code", "litellm", "codex"} <= covered
    text = managed("inference", "--refresh")
    assert text.code == 1
    golden("managed/refresh-newer.txt", text.out)
    every = managed("--refresh")
    assert every.code == 1
    golden("managed/refresh-all.txt", every.out)
    only = managed("inference", "--refresh", "--document")
    assert (only.code, json.loads(only.out)["Statement"][0]["Action"][-1]) == (1, "bedrock-mantle:CancelInference")


def test_the_account_has_an_older_version(account: Account, managed: Callable[..., Ran]) -> None:
    old = find_policy("inference", "v4")
    account.plant(ARN, old.version, old.date, policy_json(old.document))
    ran = managed("inference", "--refresh", "--output", "json")
    (one,) = ran.json["account"]
    assert (ran.code, one["standing"], one["days"]) == (1, "newer", 117)
    assert {change["action"] for change in one["difference"]["lost"]} == {
        "bedrock-websearch:InvokeSearch",
        "bedrock-websearch:InvokeFetch",
    }


def test_the_same_version_with_another_text(account: Account, managed: Callable[..., Ran]) -> None:
    document = newer()
    document["Statement"].append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    account.plant(ARN, "v5", "2026-08-04", json.dumps(document))
    ran = managed("inference", "--refresh", "--output", "json")
    assert (ran.code, ran.json["account"][0]["standing"]) == (1, "different")
    text = managed("inference", "--refresh").out
    assert text.startswith(f"differs: {INFERENCE}\n")
    assert "+ CancelInference, CountTokens; + s3:GetObject" in text


def test_the_same_allowed_in_other_words(account: Account, managed: Callable[..., Ran]) -> None:
    document = newer()
    document["Statement"][0] = {
        **document["Statement"][0],
        "Sid": "Other",
        "Action": ["bedrock-mantle:List*", "bedrock-mantle:Get*", "bedrock-mantle:CreateInference"],
    }
    account.plant(ARN, "v6", "2026-08-04", json.dumps(document))
    ran = managed("inference", "--refresh", "--output", "json")
    (one,) = ran.json["account"]
    assert (ran.code, one["standing"], one["difference"]["relation"]) == (1, "older", "equal")
    text = managed("inference", "--refresh").out
    assert "the same actions, otherwise written" in text
    assert "0 days" not in text


def test_a_newer_version_with_the_same_text(account: Account, managed: Callable[..., Ran]) -> None:
    account.plant(ARN, "v6", "2026-08-05", policy_json(find_policy("inference").document))
    ran = managed("inference", "--refresh")
    assert ran.code == 1
    assert "1 day older" in ran.out
    assert "the same in both versions" in ran.out


@pytest.mark.parametrize("name", ["ReadOnlyAccess", "arn:aws:iam::111122223333:policy/team/mine"])
def test_a_policy_that_is_not_shipped_is_told_from_the_account(
    name: str, account: Account, managed: Callable[..., Ran]
) -> None:
    arn = name if name.startswith("arn:") else f"arn:aws:iam::aws:policy/{name}"
    statement = {"Effect": "Allow", "Action": ["bedrock-mantle:List*", "bedrock-mantle:Call*"], "Resource": "*"}
    account.plant(arn, "v190", "2026-09-24", json.dumps({"Version": "2012-10-17", "Statement": statement}))
    ran = managed(name, "--refresh", "--output", "json")
    assert (ran.code, ran.json["account"][0]["standing"]) == (0, "not-shipped")
    (policy,) = ran.json["policies"]
    assert policy["arn"] == arn
    reach = {action["action"]: action["reach"] for one in policy["capabilities"] for action in one["actions"]}
    assert reach["bedrock-mantle:ListModels"] == "all"
    assert reach["bedrock-mantle:GetModel"] == "none"
    assert "not shipped: " in managed(name, "--refresh").out


@pytest.mark.parametrize(
    ("status", "code", "first"),
    [(403, "AccessDenied", 0), (403, "AccessDenied", 1), (400, "Throttling", 0), (403, "InvalidClientTokenId", 0)],
)
def test_an_account_that_cannot_be_read(
    status: int, code: str, first: int, account: Account, managed: Callable[..., Ran]
) -> None:
    account.error, account.error_from = (status, code), first
    ran = managed("inference", "--refresh")
    assert (ran.code, ran.out) == (3, "")
    assert "could not be read" in ran.err
    assert "iam:GetPolicyVersion" in ran.err
    assert "Traceback" not in ran.err
    account.calls.clear()
    every = managed("--refresh", "--output", "json")
    assert every.code == 3
    assert "unreadable" in {one["standing"] for one in every.json["account"]}
    # Three attempts at most for what holds for all of them.
    assert code == "AccessDenied" or len(account.calls) <= 3


def test_a_text_of_the_account_that_is_none(account: Account, managed: Callable[..., Ran]) -> None:
    account.plant(ARN, "v6", "2026-11-01", "[1, 2]")
    ran = managed("inference", "--refresh")
    assert (ran.code, ran.out) == (3, "")
    assert "could not be read" in ran.err
    assert "Traceback" not in ran.err


def test_a_policy_that_the_account_has_not(account: Account, managed: Callable[..., Ran]) -> None:
    del account.policies[ARN]
    ran = managed("inference", "--refresh")
    assert (ran.code, ran.out) == (2, "")
    assert f"no policy `{ARN}`" in ran.err
    every = managed("--refresh", "--output", "json")
    assert every.code == 0
    assert [one["name"] for one in every.json["account"] if one["standing"] == "absent"] == [INFERENCE]


def test_govcloud_has_arns_of_its_own(account: Account, managed: Callable[..., Ran]) -> None:
    there = find_policy("inference", partition="aws-us-gov")
    account.plant(there.arn, there.version, there.date, policy_json(there.document))
    ran = managed("inference", "--refresh", "--region", "us-gov-west-1", "--output", "json")
    assert ran.code == 0, ran
    (policy,) = ran.json["policies"]
    assert policy["arn"] == there.arn
    assert "inference" in {one["name"] for one in policy["purposes"] if one["covered"]}


def test_no_credentials_and_no_network(
    managed: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, account: Account
) -> None:
    for name in FAKE:
        monkeypatch.delenv(name)
    ran = managed("inference", "--refresh")
    assert (ran.code, ran.out) == (3, "")
    assert "no AWS credentials were found" in ran.err
    assert managed("inference", "--refresh", "--profile", "nobody").code == 2


# -- the field's own IAM server


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """A moto server with AWS's managed policies loaded."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            assert server.poll() is None, "moto ended before it answered"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_against_moto(moto_url: str, managed: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FAKE.items():
        monkeypatch.setenv(name, value)
    ran = managed("--refresh", "--endpoint-url", moto_url, "--output", "json")
    assert ran.code == 0, ran
    assert {one["standing"] for one in ran.json["account"]} == {"current"}
    # Documents that nobody here has seen are read whole.
    wide = managed("ReadOnlyAccess", "--refresh", "--endpoint-url", moto_url, "--output", "json")
    assert wide.code == 0
    (policy,) = wide.json["policies"]
    reach = {action["action"]: action["reach"] for one in policy["capabilities"] for action in one["actions"]}
    assert reach["bedrock-mantle:CallWithBearerToken"] == "all"
    assert reach["bedrock-mantle:CreateInference"] == "none"
    assert "read-only" not in {one["name"] for one in policy["purposes"] if one["covered"]}  # GetAccountDataRetention
    admin = managed("AdministratorAccess", "--refresh", "--endpoint-url", moto_url, "--output", "json")
    assert all(one["covered"] for one in admin.json["policies"][0]["purposes"])
