"""Base URLs, regions and model ids, as people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.errors import InputError
from mantle_iam.mantle.endpoint import (
    Api,
    EndpointKind,
    Standing,
    is_region_name,
    known_model,
    known_region,
    known_regions,
    mantle_origin,
    nearest_region,
    parse_base_url,
    parse_call_url,
    partition_of,
)
from mantle_iam.mantle.models import FAMILIES, SEEN, bare_model_id, family_of, read_model_id, seen_models

CASES = Path(__file__).parent / "cases"
URLS = json.loads((CASES / "urls.json").read_text("utf-8"))
MODEL_IDS = json.loads((CASES / "model_ids.json").read_text("utf-8"))


@pytest.mark.parametrize("case", URLS, ids=lambda case: case["url"])
def test_base_url(case: dict[str, Any]) -> None:
    endpoint = parse_base_url(case["url"])
    assert endpoint.kind == case["kind"]
    assert (endpoint.region, endpoint.base_path) == (case["region"], case["base_path"])
    assert endpoint.canonical is case["canonical"]
    assert endpoint.call_path == case.get("call_path", "")
    assert len(endpoint.flaws) == len(case["flaws"]), endpoint.flaws
    for part, flaw in zip(case["flaws"], endpoint.flaws, strict=True):
        assert part in flaw
    assert "hunter2" not in repr(endpoint)
    assert endpoint.base_url == endpoint.origin + endpoint.base_path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bedrock-mantle.us-east-1.api.aws/v1",
        "ftp://bedrock-mantle.us-east-1.api.aws",
        "https://",
        "https://:8080/v1",
        "https://host:notaport/v1",
        "https://host:0/v1",
        "https://host:99999/v1",
        "https://[::1/v1",
        "https://example.com\\@bedrock-mantle.us-east-1.api.aws/v1",
        "https://bedrock-mantle.us-east-1.api.aws/\nHost: example.com",
        "https://bedrock-mantle.us-east-1.api.aws /v1",
        "ABSKhunter2hunter2",
        "https://user:hunter2@[::1/v1",
    ],
)
def test_no_url(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_base_url(text)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in (caught.value.help or "")
    assert caught.value.help


def test_a_call_may_have_the_path_of_an_operation() -> None:
    url = "https://bedrock-mantle.us-east-1.api.aws/openai/v1/responses/resp_1/cancel"
    endpoint = parse_call_url(url)
    assert (endpoint.base_path, endpoint.call_path) == ("/openai/v1", "/responses/resp_1/cancel")
    assert endpoint.flaws == ()
    assert parse_base_url(url).flaws != ()


@given(st.text(max_size=80), st.sampled_from(["", "https://", "http://bedrock-mantle.", "https://u:hunter2@"]))
def test_only_the_public_name_is_canonical(text: str, head: str) -> None:
    try:
        endpoint = parse_base_url(head + text)
    except InputError as refused:
        endpoint, message = None, str(refused)
    if endpoint is None:
        assert "hunter2" not in message
        return
    assert "hunter2" not in repr(endpoint) or "hunter2" in text
    if endpoint.canonical:
        assert endpoint.origin.startswith("https://bedrock")
        assert endpoint.host.endswith((".api.aws", ".amazonaws.com", ".amazonaws.com.cn"))


def test_origin() -> None:
    assert mantle_origin("us-gov-west-1") == "https://bedrock-mantle.us-gov-west-1.api.aws"
    for text in ("us-east-1.example.com/", "us-east-1@x", "", "us_east_1", "us-east-1\n", "x" * 5000):
        with pytest.raises(InputError) as caught:
            mantle_origin(text)
        assert len(str(caught.value)) < 120
    with pytest.raises(InputError) as caught:
        mantle_origin("us-east1")
    assert caught.value.help == "did you mean us-east-1?"


def test_regions() -> None:
    assert len(known_regions()) == len(set(known_regions())) == 14
    assert all(is_region_name(name) for name in known_regions())
    assert "us-west-1" not in known_regions()
    west = known_region("us-west-1")
    assert west is not None
    assert west.standing is Standing.ABSENT
    assert known_region("mars-north-1") is None
    assert nearest_region("eu_central_1") == "eu-central-1"
    assert nearest_region("mars") is None


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("us-gov-east-1", "aws-us-gov"),
        ("cn-northwest-1", "aws-cn"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition
    assert is_region_name(region)


@pytest.mark.parametrize("case", MODEL_IDS, ids=lambda case: case["written"] or "empty")
def test_model_id(case: dict[str, Any]) -> None:
    found = read_model_id(case["written"])
    assert (found.bare, len(found.removed)) == (case["bare"], case["removed"]), found
    model = known_model(found.bare)
    assert (model.base_path if model else None) == case["base_path"]
    if model:
        assert [str(api) for api in model.apis] == case["apis"]
        assert model.marketplace is case["marketplace"]


def test_a_prefixed_id_is_no_model() -> None:
    assert known_model("us.anthropic.claude-sonnet-5") is None


def test_every_model_seen_has_a_family_and_every_family_but_the_newest_was_seen() -> None:
    assert [name for name in SEEN if family_of(name) is None] == []
    seen = {family.prefix for name in SEEN if (family := family_of(name))}
    assert {family.prefix for family in FAMILIES} - seen == {"openai.gpt-6"}


def test_seen_models() -> None:
    # The sizes that the sample's notes of that month give for the regions' lists.
    assert [len(seen_models(region)) for region in ("us-east-1", "us-west-2", "eu-central-1", "mars-1")] == [
        55,
        48,
        33,
        0,
    ]
    model = known_model("xai.grok-4.6")
    assert model is not None
    assert model.regions_seen == ("us-west-2",)


@given(st.text(max_size=300))
def test_reading_a_model_id_is_total_and_idempotent(text: str) -> None:
    bare = bare_model_id(text)
    assert bare_model_id(bare) == bare
    known_model(text)


def test_hostile_model_id_is_quick() -> None:
    hostile = "us." * 100_000
    assert read_model_id(hostile).bare == hostile


def test_kinds_are_spelled_as_promised() -> None:
    assert [str(kind) for kind in EndpointKind] == ["mantle", "runtime", "control-plane", "loopback", "other"]
    assert [str(api) for api in Api] == ["responses", "chat", "messages", "embeddings"]
