"""Probe recipes: safe, on routes that exist, and on the API that is meant."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.mantle import recipes
from mantle_iam.mantle.exchange import Probe
from mantle_iam.mantle.models import SEEN, Api, known_model
from mantle_iam.mantle.operations import Source, match_operation, operation_named, operations
from mantle_iam.mantle.recipes import (
    MAX_OUTPUT_TOKENS,
    ProbeRecipe,
    billed_inference_probe,
    free_inference_probe,
    read_probe,
    read_probes,
    second_free_inference_probe,
)


def _body(recipe: ProbeRecipe) -> dict[str, object]:
    assert recipe.body is not None
    loaded: dict[str, object] = json.loads(recipe.body)
    return loaded


@pytest.mark.parametrize("model", sorted(SEEN))
def test_the_free_probe_names_an_api_or_path_that_the_model_is_not_served_on(model: str) -> None:
    recipe = free_inference_probe(model)
    known = known_model(model)
    assert recipe is not None
    assert known is not None
    operation = operation_named(recipe.operation)
    assert operation is not None
    assert operation == match_operation(recipe.method, recipe.path)
    assert operation.action == "bedrock-mantle:CreateInference"
    served_there = recipe.path.startswith(known.base_path + "/") and operation.api in known.apis
    assert not served_there
    assert _body(recipe)["model"] == model
    assert recipe.authorised_status == (400,)
    assert recipe.single_observer
    assert not recipe.billed


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("openai.gpt-oss-20b", "/openai/v1/responses"),
        ("qwen.qwen3-32b", "/v1/responses"),
        ("openai.gpt-oss-safeguard-20b", "/v1/responses"),
        ("anthropic.claude-opus-5", "/v1/responses"),
        ("xai.grok-4.3", "/v1/chat/completions"),
        ("us.anthropic.claude-opus-5", "/v1/responses"),
    ],
)
def test_free_probe_path(model: str, path: str) -> None:
    recipe = free_inference_probe(model)
    assert recipe is not None
    assert recipe.path == path
    assert not str(recipe.model).startswith("us.")


def test_only_what_was_observed_is_marked_observed() -> None:
    observed = free_inference_probe("openai.gpt-oss-20b")
    inferred = free_inference_probe("qwen.qwen3-32b")
    assert observed is not None
    assert inferred is not None
    assert (observed.source, inferred.source) == (Source.OBS, Source.INF)


def test_no_free_probe_for_a_model_of_an_unknown_family() -> None:
    assert free_inference_probe("new.model") is None


@pytest.mark.parametrize("model", [*sorted(SEEN), "new.model"])
def test_the_second_probe_is_of_another_vendor(model: str) -> None:
    recipe = second_free_inference_probe(model)
    assert recipe is not None
    assert recipe.probe is Probe.INFER_FREE_2
    assert str(recipe.model).partition(".")[0] != model.partition(".")[0]


@pytest.mark.parametrize("model", sorted(SEEN))
def test_the_billed_probe_is_small_and_on_the_models_own_path(model: str) -> None:
    recipe = billed_inference_probe(model)
    known = known_model(model)
    assert known is not None
    assert recipe.billed
    assert recipe.path.startswith(known.base_path + "/")
    operation = match_operation(recipe.method, recipe.path)
    assert operation is not None
    assert operation.api in known.apis
    body = _body(recipe)
    assert body["model"] == model
    limit = body["max_output_tokens"] if operation.api is Api.RESPONSES else body["max_tokens"]
    assert limit == MAX_OUTPUT_TOKENS == 16
    if operation.api is Api.RESPONSES:
        assert body["store"] is False
    if operation.api is Api.MESSAGES:
        assert ("anthropic-version", "2023-06-01") in recipe.headers


def test_every_safe_action_is_exercised_once() -> None:
    made = read_probes()
    actions = [operation_named(recipe.operation).action for recipe in made]  # type: ignore[union-attr]
    safe = {operation.action for operation in operations() if operation.safe and not operation.preview}
    assert sorted(actions) == sorted(safe)
    for recipe in made:
        found = match_operation(recipe.method, recipe.path)
        assert found is not None
        assert found.name == recipe.operation
        assert found.safe
        assert not recipe.billed


def test_what_is_not_safe_has_no_read_probe() -> None:
    for operation in operations():
        assert (read_probe(operation) is None) is not operation.safe, operation.name


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_ids_cannot_leave_their_place_in_the_path(model: str, project: str) -> None:
    for recipe in read_probes(model=model, project=project):
        assert recipe.path.isascii()
        assert not any(mark in recipe.path for mark in "?# \\\r\n")
        operation = operation_named(recipe.operation)
        assert operation is not None
        assert recipe.path.count("/") == operation.path.count("/")


def test_default_models_are_known_and_of_two_vendors() -> None:
    for model in (recipes.DEFAULT_MODEL, recipes.SECOND_MODEL, recipes.COUNTING_MODEL):
        assert model in SEEN
    known = known_model(recipes.DEFAULT_MODEL)
    assert known is not None
    assert known.marketplace is False
