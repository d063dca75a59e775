"""Wildcards: against a slow, plainly right definition, and in linear time whatever is pasted."""

from __future__ import annotations

import time
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantle_iam.iam.matching import AnyOf, Glob, expand, glob, parse_variables


def by_definition(pattern: str, text: str) -> bool:
    """``*`` is any run, ``?`` any one, all else itself."""

    @cache
    def match(p: int, t: int) -> bool:
        if p == len(pattern):
            return t == len(text)
        if pattern[p] == "*":
            return match(p + 1, t) or (t < len(text) and match(p, t + 1))
        return t < len(text) and (pattern[p] in ("?", text[t])) and match(p + 1, t + 1)

    return match(0, 0)


@settings(max_examples=1000)
@given(st.text("a*?b", max_size=10), st.text("ab", max_size=12))
@example("*?*?*", "aa")
@example("*a?*?b*", "aabb")
def test_glob_is_its_definition(pattern: str, text: str) -> None:
    assert glob(pattern).matches(text) == by_definition(pattern, text)


@given(st.lists(st.text("ab*?", max_size=6), max_size=4), st.text("ab", max_size=8))
def test_any_of_is_any_glob(patterns: list[str], text: str) -> None:
    assert AnyOf(patterns).matches(text) == any(by_definition(pattern, text) for pattern in patterns)


@given(st.text("ab*?", max_size=6), st.text("ab*?", max_size=6))
def test_what_a_variable_brings_is_literal(before: str, value: str) -> None:
    tokens = expand(parse_variables(before + "${k}"), {"k": value}.get)
    assert isinstance(tokens, list)
    assert Glob(tokens).matches(before.replace("*", "").replace("?", "a") + value)
    assert Glob([(False, value)]).matches(value)
    if "*" in value:
        assert not Glob([(False, value)]).matches(value.replace("*", "xx"))


def cpu_time(pattern: str, text: str, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        Glob([(True, pattern)]).matches(text)
    return time.process_time() - start


@pytest.mark.parametrize(
    ("unit", "tail"),
    [("*a", "b"), ("*a?", "b"), ("*?a", "*b"), ("?*", "b"), ("*aa", "*b*"), ("a*?", "b")],
)
def test_hostile_patterns_take_linear_time(unit: str, tail: str) -> None:
    """Twice the pattern against twice the text takes about twice the time; backtracking would take for ever."""
    small, large = 400, 3200
    cpu_time(unit * small + tail, "a" * small * 4, 1)
    short = min(cpu_time(unit * small + tail, "a" * small * 4, 8) for _ in range(3))
    long = min(cpu_time(unit * large + tail, "a" * large * 4, 1) for _ in range(3))
    assert long < short * 8, "eight times the size should take about one eighth of the time of eight turns, times eight"


def test_one_long_piece_with_holes_in_a_long_text() -> None:
    """The worst of the naive way: every place looks right until its last character."""
    pattern = "*" + "a?" * 2000 + "b*"
    start = time.process_time()
    assert not glob(pattern).matches("a" * 20_000)
    assert time.process_time() - start < 2
