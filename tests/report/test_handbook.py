"""The handbook: one page for every code, and the file in docs in step with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mantle_iam.diagnose.codes import CODES
from mantle_iam.report.handbook import code_document, code_text, markdown
from mantle_iam.report.handbook_pages import PAGES
from mantle_iam.report.layout import cells

NAMES = [code.code for code in CODES]


def test_every_code_has_a_page_and_no_page_is_left_over() -> None:
    assert set(PAGES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_all_that_it_should(name: str) -> None:
    page = PAGES[name]
    assert len(page.looks) > 20
    assert len(page.why) > 20
    assert page.do
    assert all(step.endswith((".", ")", "`.")) for step in page.do)
    assert page.why.count("`") % 2 == page.looks.count("`") % 2 == 0
    assert all(step.count("`") % 2 == 0 for step in page.do)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 80])
def test_a_page_fits_a_terminal(name: str, width: int) -> None:
    for line in code_text(name, width=width).splitlines():
        assert cells(line) <= width or "://" in line or " " not in line.strip()
    assert code_document(name)["code"] == name


def test_the_documentation_is_in_step(golden: Callable[[str, str], None]) -> None:
    golden("../../docs/diagnoses.md", markdown())


def test_every_code_has_its_anchor() -> None:
    lines = markdown().splitlines()
    for code in CODES:
        assert f"## {code.anchor}" in lines
        assert any(f"](#{code.anchor})" in line for line in lines)
