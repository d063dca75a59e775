"""Real clients, unmodified, against the emulator: the SDKs that people use, the key generator, awscurl, curl.

What they are told to do is what their documentation tells users: a base URL, a region, a key or AWS credentials.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mantle_iam.workflow import emulator as workflow

pytestmark = pytest.mark.slow

MODEL = "openai.gpt-oss-120b"
CLAUDE = "anthropic.claude-sonnet-5"
ASK = [{"role": "user", "content": "Hello from a test"}]
REGION = "us-west-2"
GRANT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                f"bedrock-mantle:{name}" for name in ("List*", "Get*", "CreateInference", "CountTokens", "CreateFile")
            ],
            "Resource": f"arn:aws:bedrock-mantle:{REGION}:111122223333:project/*",
        },
        {"Effect": "Allow", "Action": "bedrock-mantle:CallWithBearerToken", "Resource": "*"},
    ],
}


@dataclass(frozen=True)
class World:
    """A running emulator with a user and a session of a role that may do the same."""

    url: str
    ready: workflow.Ready
    session: dict[str, str]

    @property
    def keys(self) -> tuple[str, str]:
        return self.ready.access_key_id, self.ready.secret_access_key


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with workflow.running(workflow.settings(REGION, "403"), account="111122223333") as emulator:
        ready = workflow.make_ready(emulator, (json.dumps(GRANT),))
        iam, sts = emulator.client("iam"), emulator.client("sts")
        role = iam.create_role(RoleName="app", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[]}')[
            "Role"
        ]
        iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=json.dumps(GRANT))
        session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
        yield World(
            emulator.url, ready, {name: session[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        )


def short_term_key(key: str, secret: str, token: str | None = None, region: str = REGION) -> str:
    from aws_bedrock_token_generator import BedrockTokenGenerator
    from botocore.credentials import Credentials

    made: str = BedrockTokenGenerator().get_token(Credentials(key, secret, token), region)
    return made


class TestOpenAI:
    """The ``openai`` package."""

    @pytest.fixture(params=["long-term", "short-term", "session"])
    def key(self, world: World, request: pytest.FixtureRequest) -> str:
        if request.param == "long-term":
            return world.ready.long_term_key
        return short_term_key(*(world.keys if request.param == "short-term" else world.session.values()))

    @pytest.fixture
    def client(self, world: World, key: str) -> Iterator[Any]:
        from openai import OpenAI

        with OpenAI(base_url=f"{world.url}/v1", api_key=key, max_retries=0) as made:
            yield made

    @pytest.fixture
    def signed(self, world: World) -> Iterator[Any]:
        from openai import BedrockOpenAI

        with BedrockOpenAI(
            base_url=f"{world.url}/v1",
            aws_region=REGION,
            aws_access_key_id=world.keys[0],
            aws_secret_access_key=world.keys[1],
            max_retries=0,
        ) as made:
            yield made

    def test_models(self, client: Any) -> None:
        assert MODEL in {model.id for model in client.models.list()}
        assert client.models.retrieve(MODEL).id == MODEL

    def test_responses(self, client: Any) -> None:
        made = client.responses.create(model=MODEL, input=ASK)
        assert "Hello from a test" in made.output_text
        assert client.responses.retrieve(made.id).output_text == made.output_text

    def test_responses_streamed(self, client: Any) -> None:
        with client.responses.stream(model=MODEL, input="Hello from a test") as stream:
            text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            assert text == stream.get_final_response().output_text
        assert "Hello from a test" in text

    def test_chat(self, client: Any) -> None:
        made = client.chat.completions.create(model=MODEL, messages=ASK)
        assert "Hello from a test" in made.choices[0].message.content

    def test_chat_streamed(self, client: Any) -> None:
        stream = client.chat.completions.create(
            model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert "Hello from a test" in text
        assert chunks[-1].usage.total_tokens > 0

    def test_signed(self, signed: Any) -> None:
        assert MODEL in {model.id for model in signed.models.list()}
        assert "Hello from a test" in signed.responses.create(model=MODEL, input="Hello from a test").output_text
        assert signed.chat.completions.create(model=MODEL, messages=ASK).choices[0].finish_reason == "stop"
        with signed.responses.stream(model=MODEL, input="Hello from a test") as stream:
            assert "Hello from a test" in stream.get_final_response().output_text

    def test_signed_by_the_environment(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        from openai import BedrockOpenAI

        for name, value in (
            ("AWS_BEDROCK_BASE_URL", f"{world.url}/openai/v1"),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", world.session["AccessKeyId"]),
            ("AWS_SECRET_ACCESS_KEY", world.session["SecretAccessKey"]),
            ("AWS_SESSION_TOKEN", world.session["SessionToken"]),
        ):
            monkeypatch.setenv(name, value)
        with BedrockOpenAI(max_retries=0) as client:
            made = client.responses.create(model="openai.gpt-5.4", input="Hello from a test")
        assert "Hello from a test" in made.output_text

    def test_a_file(self, client: Any) -> None:
        made = client.files.create(file=("train.jsonl", b'{"a": 1}\n'), purpose="fine-tune")
        assert client.files.content(made.id).read() == b'{"a": 1}\n'

    def test_a_refusal_is_the_sdk_s_own_error(self, client: Any) -> None:
        from openai import PermissionDeniedError

        with pytest.raises(PermissionDeniedError, match="bedrock-mantle:DeleteInference") as error:
            client.responses.delete("resp_1")
        assert error.value.code == "access_denied"
        assert error.value.request_id

    def test_a_wrong_base_path_is_a_bare_404(self, world: World, key: str) -> None:
        from openai import NotFoundError, OpenAI

        # The default base path of the SDK's own Bedrock client serves no model list.
        with (
            OpenAI(base_url=f"{world.url}/openai/v1", api_key=key, max_retries=0) as client,
            pytest.raises(NotFoundError) as error,
        ):
            client.models.list()
        assert str(error.value) == "Error code: 404"

    def test_a_key_of_another_region(self, world: World) -> None:
        from openai import AuthenticationError, OpenAI

        key = short_term_key(*world.keys, region="us-east-1")
        with (
            OpenAI(base_url=f"{world.url}/v1", api_key=key, max_retries=0) as client,
            pytest.raises(AuthenticationError, match="valid region"),
        ):
            client.models.list()


class TestAnthropic:
    """The ``anthropic`` package's Mantle client."""

    @pytest.fixture(params=["long-term", "short-term", "sigv4", "session"])
    def client(self, world: World, request: pytest.FixtureRequest) -> Iterator[Any]:
        from anthropic import AnthropicBedrockMantle

        given: dict[str, Any] = {
            "long-term": {"api_key": world.ready.long_term_key},
            "short-term": {"api_key": short_term_key(*world.keys)},
            "sigv4": {"aws_access_key": world.keys[0], "aws_secret_key": world.keys[1]},
            "session": {
                "aws_access_key": world.session["AccessKeyId"],
                "aws_secret_key": world.session["SecretAccessKey"],
                "aws_session_token": world.session["SessionToken"],
            },
        }[request.param]
        with AnthropicBedrockMantle(
            base_url=f"{world.url}/anthropic", aws_region=REGION, max_retries=0, **given
        ) as made:
            yield made

    @pytest.fixture
    def model(self) -> str:
        # Sonnet 5 is not among the models of this region.
        return "anthropic.claude-haiku-4-5"

    def test_messages(self, client: Any, model: str) -> None:
        made = client.messages.create(model=model, max_tokens=64, messages=ASK)
        assert "Hello from a test" in made.content[0].text
        assert made.stop_reason == "end_turn"

    def test_streamed(self, client: Any, model: str) -> None:
        with client.messages.stream(model=model, max_tokens=64, messages=ASK) as stream:
            assert "Hello from a test" in "".join(stream.text_stream)

    def test_count_tokens(self, client: Any, model: str) -> None:
        assert client.messages.count_tokens(model=model, messages=ASK).input_tokens == 4

    def test_a_model_of_another_region(self, client: Any) -> None:
        from anthropic import NotFoundError

        with pytest.raises(NotFoundError, match=f"The model '{CLAUDE}' does not exist"):
            client.messages.create(model=CLAUDE, max_tokens=64, messages=ASK)


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run(arguments, env=clean, capture_output=True, text=True, timeout=30, check=False)


class TestAwscurl:
    """awscurl, as the article of December 2025 uses it."""

    def call(self, world: World, *arguments: str, path: str = "/v1/models", **keys: str) -> Any:
        keys = keys or {"AWS_ACCESS_KEY_ID": world.keys[0], "AWS_SECRET_ACCESS_KEY": world.keys[1]}
        program = str(Path(sys.executable).parent / "awscurl")
        done = run([program, "--service", "bedrock-mantle", "--region", REGION, *arguments, world.url + path], **keys)
        return json.loads(done.stdout)

    def test_get(self, world: World) -> None:
        assert self.call(world)["object"] == "list"

    def test_session(self, world: World) -> None:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        answer = self.call(world, **dict(zip(names, world.session.values(), strict=True)))
        assert answer["object"] == "list"

    def test_post(self, world: World) -> None:
        body = json.dumps({"model": MODEL, "input": "Hello from a test"})
        answer = self.call(world, "-X", "POST", "-d", body, path="/v1/responses")
        assert "Hello from a test" in answer["output"][0]["content"][0]["text"]

    def test_wrong_service(self, world: World) -> None:
        answer = self.call(world, "--service", "bedrock-runtime")
        assert "scoped to correct service: 'bedrock-mantle'" in answer["error"]["message"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: signing by curl was NOT tested")
class TestCurl:
    """curl, with a key and with its own SigV4."""

    def call(self, world: World, *arguments: str, path: str = "/v1/models") -> tuple[int, Any]:
        done = run(["curl", "-sS", "-w", "\n%{http_code}", *arguments, world.url + path])
        assert done.returncode == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body) if body else None

    def test_bearer(self, world: World) -> None:
        status, answer = self.call(world, "-H", f"Authorization: Bearer {world.ready.long_term_key}")
        assert (status, answer["object"]) == (200, "list")

    def test_sigv4(self, world: World) -> None:
        sign = ("--aws-sigv4", f"aws:amz:{REGION}:bedrock-mantle", "--user", ":".join(world.keys))
        assert self.call(world, *sign)[0] == 200
        body = json.dumps({"model": MODEL, "messages": ASK})
        posted = self.call(
            world, *sign, "-H", "content-type: application/json", "-d", body, path="/v1/chat/completions"
        )
        assert (posted[0], posted[1]["object"]) == (200, "chat.completion")

    def test_sigv4_with_a_wrong_secret(self, world: World) -> None:
        sign = ("--aws-sigv4", f"aws:amz:{REGION}:bedrock-mantle", "--user", f"{world.keys[0]}:wrong")
        status, answer = self.call(world, *sign)
        assert status == 401
        assert "signature we calculated does not match" in answer["error"]["message"]

    def test_stream(self, world: World) -> None:
        body = json.dumps({"model": MODEL, "input": "Hi", "stream": True})
        done = run(
            ["curl", "-sSN", "-H", f"x-api-key: {world.ready.long_term_key}", "-d", body, f"{world.url}/v1/responses"]
        )
        assert done.stdout.count("event: response.output_text.delta") > 5
