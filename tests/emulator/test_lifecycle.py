"""Things that outlive a call: responses, files, jobs, projects and their tags; and streams."""

from __future__ import annotations

import json
from typing import Any

from mantle_iam.emulator.http import Response
from tests.emulator.conftest import Endpoint, body_of

MODEL = "openai.gpt-oss-20b"


def events(answer: Response) -> list[tuple[str | None, Any]]:
    found = []
    for chunk in answer.events or ():
        fields = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())
        found.append(
            (fields.get("event"), fields["data"] if fields["data"] == "[DONE]" else json.loads(fields["data"]))
        )
    return found


def test_a_stored_response_can_be_read_and_deleted() -> None:
    endpoint = Endpoint()
    made = body_of(endpoint.call("POST", "/v1/responses", {"model": MODEL, "input": "Hello there"}))
    path = f"/v1/responses/{made['id']}"
    assert body_of(endpoint.call("GET", path)) == made
    assert "Hello there" in made["output"][0]["content"][0]["text"]
    assert body_of(endpoint.call("DELETE", path))["deleted"] is True
    assert endpoint.call("GET", path).status == 404


def test_what_is_not_stored_is_not_found() -> None:
    endpoint = Endpoint()
    made = body_of(endpoint.call("POST", "/v1/responses", {"model": MODEL, "input": "Hello", "store": False}))
    assert endpoint.call("GET", f"/v1/responses/{made['id']}").status == 404


def test_a_background_response_can_be_cancelled_and_another_cannot() -> None:
    endpoint = Endpoint()
    waiting = body_of(endpoint.call("POST", "/v1/responses", {"model": MODEL, "input": "Hello", "background": True}))
    assert waiting["status"] == "queued"
    assert body_of(endpoint.call("POST", f"/v1/responses/{waiting['id']}/cancel"))["status"] == "cancelled"
    assert body_of(endpoint.call("GET", f"/v1/responses/{waiting['id']}"))["status"] == "cancelled"
    done = body_of(endpoint.call("POST", "/v1/responses", {"model": MODEL, "input": "Hello"}))
    assert endpoint.call("POST", f"/v1/responses/{done['id']}/cancel").status == 400


def test_a_response_belongs_to_its_project() -> None:
    endpoint = Endpoint()
    project = body_of(endpoint.call("POST", "/v1/organization/projects", {"name": "a"}))
    made = body_of(
        endpoint.call("POST", "/v1/responses", {"model": MODEL, "input": "Hi"}, openai_project=project["id"])
    )
    assert endpoint.call("GET", f"/v1/responses/{made['id']}").status == 404
    assert endpoint.call("GET", f"/v1/responses/{made['id']}", openai_project=project["arn"]).status == 200


def test_response_stream() -> None:
    answer = Endpoint().call("POST", "/v1/responses", {"model": MODEL, "input": "Hello", "stream": True})
    found = events(answer)
    assert [name for name, _ in found if name != "response.output_text.delta"] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    text = "".join(data["delta"] for name, data in found if name == "response.output_text.delta")
    assert text == found[-1][1]["response"]["output"][0]["content"][0]["text"]
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))


def test_compaction() -> None:
    made = body_of(Endpoint().call("POST", "/v1/responses/compact", {"model": MODEL, "input": "Hello"}))
    assert (made["object"], made["output"][0]["type"]) == ("response.compaction", "compaction")


def test_a_previous_response_must_exist() -> None:
    endpoint = Endpoint()
    body = {"model": MODEL, "input": "Hi"}
    first = body_of(endpoint.call("POST", "/v1/responses", body))["id"]
    assert endpoint.call("POST", "/v1/responses", {**body, "previous_response_id": first}).status == 200
    assert endpoint.call("POST", "/v1/responses", {**body, "previous_response_id": "resp_no"}).status == 404


def test_limit_on_output_tokens() -> None:
    body = {"model": MODEL, "input": "word " * 50, "max_output_tokens": 16}
    made = body_of(Endpoint().call("POST", "/v1/responses", body))
    assert (made["status"], made["usage"]["output_tokens"]) == ("incomplete", 16)
    assert made["incomplete_details"] == {"reason": "max_output_tokens"}


def test_chat_stream() -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    plain = [data for _, data in events(Endpoint().call("POST", "/v1/chat/completions", body))]
    assert plain[-1] == "[DONE]"
    assert plain[-2]["choices"][0]["finish_reason"] == "stop"
    body["stream_options"] = {"include_usage": True}
    counted = [data for _, data in events(Endpoint().call("POST", "/v1/chat/completions", body))]
    assert counted[-2]["usage"]["total_tokens"] > 0


def test_message_stream() -> None:
    body = {"model": "anthropic.claude-sonnet-5", "max_tokens": 99, "messages": [{"role": "user", "content": "Hello"}]}
    found = events(Endpoint().call("POST", "/anthropic/v1/messages", {**body, "stream": True}))
    assert [found[0][0], found[-2][0], found[-1][0]] == ["message_start", "message_delta", "message_stop"]
    text = "".join(data["delta"]["text"] for name, data in found if name == "content_block_delta")
    assert text == body_of(Endpoint().call("POST", "/anthropic/v1/messages", body))["content"][0]["text"]


def test_projects_and_their_tags() -> None:
    endpoint = Endpoint()
    made = body_of(endpoint.call("POST", "/v1/organization/projects", {"name": "a", "tags": {"team": "blue"}}))
    assert made["arn"] == f"arn:aws:bedrock-mantle:us-east-1:111122223333:project/{made['id']}"
    path = f"/v1/organization/projects/{made['id']}"
    changed = body_of(endpoint.call("POST", path, {"add_tags": {"stage": "test"}, "remove_tag_keys": ["team"]}))
    assert changed["tags"] == {"stage": "test"}
    listed = body_of(endpoint.call("GET", "/v1/organization/projects"))["data"]
    assert [project["id"] for project in listed] == ["default", made["id"]]
    assert body_of(endpoint.call("POST", f"{path}/archive"))["status"] == "archived"
    refused = endpoint.call("POST", "/v1/responses", {"model": MODEL, "input": "Hi"}, openai_project=made["id"])
    assert refused.status == 400


def test_resource_tags_decide() -> None:
    endpoint = Endpoint()
    made = body_of(endpoint.call("POST", "/v1/organization/projects", {"name": "a", "tags": {"team": "blue"}}))
    condition = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    statement = {"Effect": "Allow", "Action": "bedrock-mantle:*", "Resource": "*", "Condition": condition}
    endpoint.grant({"Version": "2012-10-17", "Statement": [statement]})
    body = {"model": MODEL, "input": "Hi"}
    assert endpoint.call("POST", "/v1/responses", body, auth="sigv4", openai_project=made["id"]).status == 200
    assert endpoint.call("POST", "/v1/responses", body, auth="sigv4").status == 403


def upload(endpoint: Endpoint, data: bytes) -> Response:
    form = (
        b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n'
        b"content-type: application/octet-stream\r\n\r\n" + data + b"\r\n--x--\r\n"
    )
    return endpoint.call("POST", "/v1/files", form, content_type="multipart/form-data; boundary=x")


def test_files() -> None:
    endpoint = Endpoint()
    data = b'{"a": 1}\r\n\xff\x00\n'
    made = body_of(upload(endpoint, data))
    assert (made["bytes"], made["filename"], made["purpose"]) == (len(data), "a.jsonl", "fine-tune")
    path = f"/v1/files/{made['id']}"
    assert endpoint.call("GET", f"{path}/content").body == data
    assert [each["id"] for each in body_of(endpoint.call("GET", "/v1/files"))["data"]] == [made["id"]]
    assert body_of(endpoint.call("DELETE", path))["deleted"] is True
    assert endpoint.call("GET", path).status == 404


def test_a_condition_on_files() -> None:
    endpoint = Endpoint()
    made = body_of(upload(endpoint, b"x"))
    condition = {"ForAllValues:StringEquals": {"bedrock-mantle:Files": ["file-other"]}}
    statement = {"Effect": "Allow", "Action": "bedrock-mantle:GetFile", "Resource": "*", "Condition": condition}
    endpoint.grant({"Version": "2012-10-17", "Statement": [statement]})
    assert endpoint.call("GET", f"/v1/files/{made['id']}", auth="sigv4").status == 403
    assert endpoint.call("GET", "/v1/files/file-other", auth="sigv4").status == 404


def test_fine_tuning() -> None:
    endpoint = Endpoint()
    training = body_of(upload(endpoint, b"x"))["id"]
    made = body_of(endpoint.call("POST", "/v1/fine_tuning/jobs", {"model": MODEL, "training_file": training}))
    path = f"/v1/fine_tuning/jobs/{made['id']}"
    assert body_of(endpoint.call("GET", path))["status"] == "queued"
    assert body_of(endpoint.call("GET", f"{path}/events"))["data"] == []
    assert body_of(endpoint.call("POST", f"{path}/cancel"))["status"] == "cancelled"
    assert endpoint.call("GET", "/v1/fine_tuning/jobs/ftjob-0").status == 404


def test_the_same_calls_give_the_same_answers() -> None:
    body = {"model": MODEL, "input": "Hello"}
    first, second = (Endpoint().call("POST", "/v1/responses", body) for _ in range(2))
    assert first == second


def test_layers_name_themselves() -> None:
    from dataclasses import replace

    from mantle_iam.iam.grammar import parse_policy

    nothing = parse_policy(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    )
    deny = parse_policy({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    for field, value, words in (
        (
            "permissions_boundary",
            (nothing,),
            "because no permissions boundary allows the bedrock-mantle:ListModels action",
        ),
        ("scp", ((nothing,),), "because no service control policy allows the bedrock-mantle:ListModels action"),
        ("session", (nothing,), "because no session policy allows the bedrock-mantle:ListModels action"),
        ("permissions_boundary", (deny,), "with an explicit deny in a permissions boundary"),
        ("scp", ((deny,),), "with an explicit deny in a service control policy"),
        ("session", (deny,), "with an explicit deny in a session policy"),
    ):
        endpoint = Endpoint()
        endpoint.policies = replace(endpoint.policies, **{field: value})
        answer = endpoint.call("GET", "/v1/models", auth="session")
        assert words in body_of(answer)["error"]["message"]
