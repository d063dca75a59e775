"""The HTML page as a text: what is in it without a script, its Content Security Policy, and hostile names."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from finding_samples import RESULTS, results
from hypothesis import given, settings
from page_samples import COLUMNS, EVIL, grid, hostile_page, page

from mantle_iam.report.findings.grid import (
    Grid,
    GridCell,
    GridRow,
    Standing,
    csv_header,
    csv_row,
    grid_markdown,
    totals,
)
from mantle_iam.report.findings.results import Results, sound
from mantle_iam.report.findings.separated import csv_rows
from mantle_iam.report.layout import clean

_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "a", "header", "h1", "p", "strong", "nav", "ul", "li", "main"),
    *("section", "h2", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "bdi", "b", "small", "em", "br"),
    *("code", "label", "input", "select", "option", "span", "button", "output", "footer", "script"),
}
_VOID = {"meta", "input", "br"}


class _Reader(HTMLParser):
    """Every element with its attributes and its text, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in _VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self.elements[index][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(parts) for name, _, parts in self.elements if name == tag]


def _check(text: str) -> _Reader:
    """What every page keeps to, whatever is in it."""
    read = _Reader(text)
    names = [name for name, _, _ in read.elements]
    assert set(names) <= _TAGS
    assert names.count("script") == names.count("style") == names.count("main") == names.count("title") == 1
    attributes = [pair for _, found, _ in read.elements for pair in found.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("style", "src", "srcset")]
    links = [value or "" for name, value in attributes if name == "href"]
    assert all(link.startswith(("#", "https://", "http://")) for link in links)
    return read


def test_the_policy_allows_just_what_is_in_the_page() -> None:
    read = _check(page(RESULTS, grid(3)))
    policy = next(
        found["content"] for _, found, _ in read.elements if found.get("http-equiv") == "Content-Security-Policy"
    )
    directives = dict(part.strip().split(" ", 1) for part in (policy or "").split(";"))
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (inside,) = read.texts(tag)
        expected = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{expected}'"
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"


def test_everything_is_there_without_a_script() -> None:
    read = _check(page(RESULTS, grid(7)))
    text = "".join(read.elements[0][2])
    assert [name for name in COLUMNS if name not in text] == []
    assert all(f"Role{number}" in text for number in range(7))
    assert all(one.message.replace("`", "") in text for one in RESULTS.findings)
    assert read.texts("code")[:2] == ["bedrock-mantle:InvokeModel", "bedrock-mantle:CreateInference"]
    assert "the file is truncated after 12 bytes" in text
    hidden = [found for _, found, _ in read.elements if "hidden" in found]
    assert [found.get("data-tools") for found in hidden] == ["grid", "found"]


def test_headings_of_tables_have_a_scope() -> None:
    read = _check(page(RESULTS, grid(2)))
    assert {found.get("scope") for name, found, _ in read.elements if name == "th"} == {"col", "row"}
    assert len(read.texts("caption")) == len(read.texts("table")) == 4


def test_no_name_becomes_markup() -> None:
    read = _check(hostile_page())
    text = "".join(read.elements[0][2])
    for name in EVIL:
        assert text.count(clean(sound(name))) >= 3


@settings(max_examples=40)
@given(results)
def test_any_name_is_shown_and_means_nothing(given_results: Results) -> None:
    made = page(given_results)
    made.encode()
    text = "".join(_check(made).elements[0][2]).replace("`", "")
    assert all(clean(sound(one.message)).replace("`", "") in text for one in given_results.findings)
    assert not re.search("[\x00-\x08\x0e-\x1f\u202a-\u202e]", made)


def test_empty_results_are_said() -> None:
    text = page(Results(()))
    assert "No findings." in text
    assert "<table" not in text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//e.example", " https://e.example", "HTTPS"]
)
def test_a_reference_that_is_no_web_address_is_no_link(url: str) -> None:
    from dataclasses import replace

    made = page(Results((replace(RESULTS.findings[0], reference=url),)))
    assert f'href="{url}' not in made
    assert clean(url).strip() in made


# The matrix in other formats


def test_matrix_as_csv() -> None:
    rows = csv_rows(csv_header(grid(4).columns) + "".join(map(csv_row, grid(4).rows)))
    assert rows[0] == ["principal", "account", *(part for name in COLUMNS for part in (name, f"{name}: why"))]
    assert [row[0] for row in rows[1:]] == [row.principal for row in grid(4).rows]
    assert rows[1][2:6] == ["yes", "", "no", "no identity policy allows it"]
    assert all(len(row) == 10 for row in rows)


def test_matrix_as_markdown() -> None:
    lines = grid_markdown(grid(5), Results(())).splitlines()
    assert "| list models | 1 | 1 | 1 | 1 | 1 |" in lines
    assert lines[-1].startswith("| <code>arn:aws:iam::111122223333:role/Role4</code> | depends")
    assert "… and " in grid_markdown(grid(400), Results(()), limit=4000)
    assert len(grid_markdown(grid(400), Results(()), limit=4000).encode()) <= 4000


def test_counts_of_the_matrix_come_before_what_may_not_fit() -> None:
    many = Results(tuple(RESULTS.findings) * 2000)
    made = grid_markdown(grid(400), many)
    assert len(made) <= 65_536
    assert "| list models | 80 | 80 | 80 | 80 | 80 |" in made.splitlines()


def test_a_hostile_principal_is_one_row_of_markdown() -> None:
    rows = tuple(GridRow(name, name, (GridCell(Standing.NO, name),)) for name in EVIL)
    lines = grid_markdown(Grid(("a|b",), rows), Results(())).splitlines()
    assert sum(line.startswith("| <code>") for line in lines) == len(EVIL)
    assert all(line.count("|") == 3 for line in lines[-len(EVIL) :])
    assert "<script>" not in "".join(lines)


def test_totals() -> None:
    assert [sum(counted.values()) for counted in totals(grid(9))] == [9] * len(COLUMNS)
