"""Cleaning, wrapping and tables: nothing from outside moves the cursor, nothing is wider than it may be."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantle_iam.report.ansi import PLAIN, Ansi, Style
from mantle_iam.report.layout import Cell, Whole, cells, clean, facts, one_line, paragraph, table, wrap

TEXT = st.text(max_size=300)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("plain", "plain"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b31m", "\\x9b31m"),
        ("x\u202egpj.exe", "x\\u{202e}gpj.exe"),
        ("z\u200bw\ufeff", "z\\u{200b}w\\u{feff}"),
        ("\U000e0041", "\\u{e0041}"),
        ("l\u2028s", "l\\u{2028}s"),
        ("\ud800", "\\u{d800}"),
        ("日本 – “ü”", "日本 – “ü”"),
    ],
)
def test_clean(given_text: str, expected: str) -> None:
    assert clean(given_text) == expected


@given(TEXT)
def test_cleaned_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    for character in clean(text):
        category = unicodedata.category(character)
        assert category not in ("Cc", "Cs", "Zl", "Zp"), hex(ord(character))
        assert unicodedata.bidirectional(character) not in (
            "RLO",
            "LRO",
            "RLE",
            "LRE",
            "PDF",
            "RLI",
            "LRI",
            "FSI",
            "PDI",
        )


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_cleaning_twice_changes_nothing_and_can_be_encoded(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    clean(text + "\ud83d").encode("utf-8")


def test_one_line_says_how_much_it_left_out() -> None:
    assert one_line("a\n  b\t c") == "a b c"
    assert one_line("x" * 30, limit=10) == "xxxxxxxxxx… (20 more characters)"
    huge = "y " * 10_000_000
    assert len(one_line(huge)) < 3000


@given(TEXT, st.integers(5, 120))
def test_wrapping_keeps_the_words_and_the_width(text: str, width: int) -> None:
    line = one_line(text)
    lines = wrap(line, width)
    assert " ".join(lines).split(" ") == line.split(" ") or not line.strip()
    for each in lines:
        assert cells(each) <= width or " " not in each


@given(TEXT, st.integers(5, 120))
def test_broken_words_fit_always(text: str, width: int) -> None:
    line = one_line(text)
    lines = wrap(line, width, break_words=True)
    assert all(cells(each) <= width for each in lines)
    assert "".join(lines).replace(" ", "") == line.replace(" ", "")


@given(
    st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(TEXT, min_size=n, max_size=n), min_size=1, max_size=5)),
    st.integers(60, 120),
)
def test_a_table_is_never_wider_than_asked(rows: list[list[str]], width: int) -> None:
    lines = table([], rows, width=width)
    assert all(cells(line) <= width for line in lines)
    assert not any("\n" in line or "\x1b" in line for line in lines)


def test_a_table_is_aligned_whatever_its_colours() -> None:
    rows = [["list-models", Cell("denied", (Style.RED,)), "403"], ["get", Cell("allowed", (Style.GREEN,)), "200"]]
    plain = table(["operation", "answer", "detail"], rows, width=80)
    painted = table(["operation", "answer", "detail"], rows, width=80, ansi=Ansi(True))
    assert plain == [
        "operation    answer   detail",
        "list-models  denied   403",
        "get          allowed  200",
    ]
    codes = [f"\x1b[{style}m" for style in Style] + ["\x1b[0m"]
    for line, expected in zip(painted, plain, strict=True):
        for code in codes:
            line = line.replace(code, "")
        assert line == expected


def test_wide_characters_are_counted_as_terminals_do() -> None:
    assert cells("日本") == 4
    assert cells("e\u0301") == 1
    assert table([], [["日本", "x"], ["abcd", "y"]], width=40) == ["日本  x", "abcd  y"]


def test_facts_align_and_leave_commands_alone() -> None:
    lines = facts([("why", "one two three"), ("", "four"), ("run", Whole("a  'b'   c" * 10))], width=20, indent=1)
    assert lines[0] == " why  one two three"
    assert lines[1] == "      four"
    assert lines[2] == " run  " + "a  'b'   c" * 10


def test_a_command_cannot_hide_a_line() -> None:
    assert facts([("run", Whole("a\nb\x1b[A"))], width=80) == ["  run  a\\nb\\x1b[A"]


def test_paint() -> None:
    assert PLAIN.paint("x", Style.RED) == "x"
    assert Ansi(True).paint("x", Style.RED, Style.BOLD) == "\x1b[31;1mx\x1b[0m"
    assert Ansi(True).paint("", Style.RED) == ""
    assert paragraph("a b", 80, indent=2) == ["  a b"]


def test_hostile_sizes_take_no_time() -> None:
    word = "x" * 5_000_000
    assert len(table(["a", "b"], [[word, word]], width=80)) < 200
    assert len(facts([("a", word)], width=80)) == 2
