"""The story that this project starts from, played on loopback: a long-term key that lists no models, and what ends that.

Told by an article of December 2025: a short-term key works, a long-term key with the policy that the console attached then gets
a bare 404, and the permissions of a new service, ``bedrock-mantle``, are what is missing.  Every step really happens: programs
are started, requests are sent, policies are read and written through IAM; a step that does not come out as told says so.
Prints nothing; needs the extra ``emulator``.
"""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mantle_iam import bundled
from mantle_iam.probe.auth import AwsCredentials, bearer_headers, mint_short_term_key, sigv4_headers
from mantle_iam.probe.secret import Secret
from mantle_iam.workflow import emulator as workflow

REGION = "us-west-2"
MODEL = "openai.gpt-oss-120b"
KEY_USER = "BedrockAPIKey-demo"
PERSON = "developer"
ROLE = "application"
OLD_POLICY = "AmazonBedrockLimitedAccess-v1"
WIDTH = 78
TIME_LIMIT = 30
_FOREIGN = ("AWS_", "OPENAI_", "ANTHROPIC_", "BEDROCK_", "CLAUDE_CODE_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

RUNTIME_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["bedrock:InvokeModel*", "bedrock:List*"], "Resource": "*"}],
}
"""A role for the older endpoint: the commonest mistake in reports is to think that it does for Mantle."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story, done."""

    title: str
    story: str
    command: str
    """What a user would type."""
    output: str
    exit_code: int
    expected: str
    """What must come out, in words."""
    as_told: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    reason: str
    body: bytes

    def json(self) -> Any:
        """The body's JSON; ``None`` when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class _Stage:
    """What the steps work with."""

    emulator: workflow.Running
    folder: Path
    environ: Mapping[str, str]
    secrets: dict[str, Secret] = field(repr=False)

    @property
    def base_url(self) -> str:
        return f"{self.emulator.url}/v1"

    def run(self, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
        """``mantle-iam arguments`` as a process of its own, with the administrator's AWS credentials and maybe a key."""
        given = dict(self.environ)
        if key is not None:
            given["AWS_BEARER_TOKEN_BEDROCK"] = self.secrets[key].reveal()
        # Our own interpreter and package; the arguments are fixed in this file.
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "mantle_iam", *arguments],
            env=given,
            cwd=self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=TIME_LIMIT,
            check=False,
        )

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One request to the endpoint, as curl sends it."""
        connection = http.client.HTTPConnection(self.emulator.url.removeprefix("http://"), timeout=TIME_LIMIT)
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.reason, answer.read())
        finally:
            connection.close()


def play(environ: Mapping[str, str]) -> Iterator[Step]:
    """Play the story, step by step.

    Args:
        environ: environment for the programs that are started; AWS's, the SDKs' and proxies' variables are left out.

    Raises:
        InputError: the extra ``emulator`` is not installed.
    """
    with (
        workflow.running(workflow.settings(REGION, "bare-404")) as emulator,
        tempfile.TemporaryDirectory(prefix="mantle-iam-demo-") as folder,
    ):
        stage = _Stage(emulator, Path(folder), _environment(environ, emulator, folder), _furnish(emulator))
        yield from _key_story(stage)
        # What the service has been seen to answer since: the sentence.
        emulator.dress_denials("403")
        yield from _role_story(stage)


def _environment(environ: Mapping[str, str], emulator: workflow.Running, folder: str) -> dict[str, str]:
    kept = {
        name: value for name, value in environ.items() if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
    admin_id, admin_secret = workflow.ADMIN_KEY
    return kept | {
        **emulator.environment,
        "AWS_ACCESS_KEY_ID": admin_id,
        "AWS_SECRET_ACCESS_KEY": admin_secret,
        "AWS_CONFIG_FILE": str(Path(folder) / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(Path(folder) / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": str(WIDTH),
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }


def _furnish(emulator: workflow.Running) -> dict[str, Secret]:
    """The account as it was: a person with full access, a user for a long-term key with the old policy, a role."""
    iam = emulator.client("iam")
    iam.create_user(UserName=PERSON)
    iam.attach_user_policy(UserName=PERSON, PolicyArn="arn:aws:iam::aws:policy/AmazonBedrockMantleFullAccess")
    person = iam.create_access_key(UserName=PERSON)["AccessKey"]
    credentials = AwsCredentials(person["AccessKeyId"], Secret(person["SecretAccessKey"]))
    wrapper = json.loads((bundled.policies() / "managed" / f"{OLD_POLICY}.json").read_text("utf-8"))
    old = iam.create_policy(PolicyName=OLD_POLICY, PolicyDocument=json.dumps(wrapper["document"]))["Policy"]["Arn"]
    iam.create_user(UserName=KEY_USER)
    iam.attach_user_policy(UserName=KEY_USER, PolicyArn=old)
    made = iam.create_service_specific_credential(UserName=KEY_USER, ServiceName="bedrock.amazonaws.com")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_trust(emulator.account)))
    iam.put_role_policy(RoleName=ROLE, PolicyName="invoke-models", PolicyDocument=json.dumps(RUNTIME_ONLY))
    return {
        "SHORT_TERM_KEY": mint_short_term_key(credentials, REGION),
        "LONG_TERM_KEY": Secret(made["ServiceSpecificCredential"]["ServiceCredentialSecret"]),
    }


def _trust(account: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _key_story(stage: _Stage) -> Iterator[Step]:
    yield _models(
        stage,
        "A short-term key lists the models",
        "It was made a moment ago from the AWS credentials of a person with full access, and can do what that person can.",
        "SHORT_TERM_KEY",
        200,
    )
    yield _models(
        stage,
        "A long-term key does not",
        f"It belongs to the IAM user {KEY_USER}, which has AmazonBedrockLimitedAccess as it was until December 2025. "
        "The same URL answers 404, with nothing to read.",
        "LONG_TERM_KEY",
        404,
    )
    yield _program(
        stage,
        "Why?",
        "Is it the path or the permission? The same path without a key answers 401, so the route exists. The user's policies "
        "are read through IAM and evaluated: they must give the same refusal.",
        ("probe", "--base-url", stage.base_url, "--model", MODEL),
        1,
        "missing-permission, conclusive, with every action that is missing at once",
        _names("missing-permission", "conclusive", *_missing("ListModels", "CreateInference", "CallWithBearerToken")),
        key="LONG_TERM_KEY",
    )
    yield from _mend(stage, "long-term-key", "--user", KEY_USER)
    yield _models(
        stage,
        "The same key now lists the models",
        "Nothing about the key changed.",
        "LONG_TERM_KEY",
        200,
    )
    body = json.dumps({"model": MODEL, "input": "Hello! How can you help me today?"})
    key = stage.secrets["LONG_TERM_KEY"]
    answer = stage.send(
        "POST", "/v1/responses", bearer_headers(key) | {"content-type": "application/json"}, body.encode()
    )
    command = f'curl -sS {stage.base_url}/responses -H "Authorization: Bearer $LONG_TERM_KEY" -d {shlex.quote(body)}'
    yield _answered("And gets a response", "The Responses API, which started it all.", command, answer, 200)


def _role_story(stage: _Stage) -> Iterator[Step]:
    role = f"arn:aws:iam::{stage.emulator.account}:role/{ROLE}"
    yield _program(
        stage,
        "The same for a role",
        f"The role {ROLE} may invoke models: bedrock:InvokeModel*. Requests are signed (SigV4), there is no key. This time the "
        "refusal comes with the sentence that the service has been seen to send since.",
        ("probe", "--base-url", stage.base_url, "--model", MODEL, "--role-arn", role, "--no-policy"),
        1,
        "missing-permission, conclusive, naming the role's session",
        _names("missing-permission", f"assumed-role/{ROLE}/", *_missing("CreateInference")),
    )
    yield from _mend(stage, "sigv4", "--role", ROLE)
    session = stage.emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="demo")["Credentials"]
    credentials = AwsCredentials(
        session["AccessKeyId"], Secret(session["SecretAccessKey"]), Secret(session["SessionToken"])
    )
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]})
    url = f"{stage.base_url}/chat/completions"
    headers = sigv4_headers(
        credentials, "POST", url, {"content-type": "application/json"}, body.encode(), REGION, "bedrock-mantle"
    )
    answer = stage.send("POST", "/v1/chat/completions", headers, body.encode())
    command = (
        f'curl -sS {url} --aws-sigv4 "aws:amz:{REGION}:bedrock-mantle" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
        f'-H "x-amz-security-token: $AWS_SESSION_TOKEN" -H "content-type: application/json" -d {shlex.quote(body)}'
    )
    yield _answered("The role gets a completion", "Signed with the credentials of a session.", command, answer, 200)


def _mend(stage: _Stage, auth: str, option: str, name: str) -> Iterator[Step]:
    """Generate the policy, and attach it."""
    arguments = ("--for", "inference", "--auth", auth, "--account", stage.emulator.account, "--region", REGION)
    policy = f"{name}.json"

    def keep(done: subprocess.CompletedProcess[str]) -> bool:
        (stage.folder / policy).write_text(done.stdout, "utf-8")
        bearer = "bedrock-mantle:CallWithBearerToken" in done.stdout
        return "bedrock-mantle:CreateInference" in done.stdout and bearer == (auth != "sigv4")

    yield _program(
        stage,
        "The smallest policy that ends it",
        "Before it is printed it is proven: all that is asked for is allowed, and nothing can be taken away from it.",
        ("generate", *arguments, "--model", MODEL),
        0,
        "a policy with CreateInference" + ("" if auth == "sigv4" else " and CallWithBearerToken"),
        keep,
        redirect=policy,
    )
    yield _program(
        stage,
        "Attached",
        "With a plan, a file to undo it, and the AWS CLI command that would do the same.",
        ("attach", "--policy", policy, option, name, "--yes"),
        0,
        "the policy is attached",
        lambda done: "undo" in done.stdout,
    )


def _models(stage: _Stage, title: str, story: str, key: str, status: int) -> Step:
    answer = stage.send("GET", "/v1/models", bearer_headers(stage.secrets[key]))
    command = f'curl -sSi {stage.base_url}/models -H "Authorization: Bearer ${key}"'
    return _answered(title, story, command, answer, status)


def _answered(title: str, story: str, command: str, answer: Answer, status: int) -> Step:
    expected = f"HTTP {status}" + (" without a body" if status == 404 else "")
    as_told = answer.status == status and (status != 404 or not answer.body)
    output = f"HTTP/1.1 {answer.status} {answer.reason}\n{_summary(answer)}"
    return Step(title, story, command, output, 0, expected, as_told)


def _summary(answer: Answer) -> str:
    """The part of an answer that matters."""
    document = answer.json()
    match document:
        case {"object": "list", "data": list(models)}:
            names = [model["id"] for model in models]
            return f"{len(names)} models: {', '.join(names[:4])} …"
        case {"output": [{"content": [{"text": str(text)}]}]} | {"choices": [{"message": {"content": str(text)}}]}:
            return text
        case _:
            return answer.body.decode("utf-8", "replace") or "(no body)"


def _program(
    stage: _Stage,
    title: str,
    story: str,
    arguments: tuple[str, ...],
    exit_code: int,
    expected: str,
    check: Callable[[subprocess.CompletedProcess[str]], bool],
    *,
    key: str | None = None,
    redirect: str | None = None,
) -> Step:
    try:
        done = stage.run(*arguments, key=key)
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(arguments, 124, "", f"no end within {TIME_LIMIT} seconds")
    command = f"mantle-iam {shlex.join(arguments)}"
    if key is not None:
        command = f'AWS_BEARER_TOKEN_BEDROCK="${key}" {command}'
    if redirect is not None:
        command += f" | tee {redirect}"
    output = done.stdout.rstrip() + (f"\n{done.stderr.rstrip()}" if done.stderr.strip() else "")
    as_told = done.returncode == exit_code and check(done)
    return Step(title, story, command, output, done.returncode, f"exit code {exit_code}: {expected}", as_told)


def _missing(*names: str) -> tuple[str, ...]:
    return tuple(f"bedrock-mantle:{name}" for name in names)


def _names(*words: str) -> Callable[[subprocess.CompletedProcess[str]], bool]:
    """Whether all ``words`` are in the output; line breaks in it do not count."""

    def check(done: subprocess.CompletedProcess[str]) -> bool:
        text = " ".join(done.stdout.split())
        return all(word in text for word in words)

    return check
