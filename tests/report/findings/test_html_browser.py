"""The HTML page in headless Chromium: hostile names, search, sorting by keyboard, size, accessibility, contrast, no network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finding_samples import RESULTS
from headless_chromium import NAMES, Chromium, found
from page_samples import EVIL, grid, hostile_page, page

from mantle_iam.report.findings.results import sound
from mantle_iam.report.layout import clean

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LARGE, LARGE_FINDINGS = 5000, 2000
"""Principals that a page must bear, and findings, by the five of the samples."""
_ROWS = 'Array.from(document.querySelectorAll("#grid tbody tr"), (row) => row.cells[0].textContent)'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = found()
    if program is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: the HTML page is not tried in a browser")
    with Chromium(program, tmp_path_factory.mktemp("profile")) as running:
        yield running


def _open(browser: Chromium, folder: Path, text: str) -> None:
    path = folder / "page.html"
    path.write_text(text, "utf-8")
    browser.open(path)


def _complaints(browser: Chromium) -> list[Any]:
    """What went wrong, what was said, and what was asked of the network besides the page itself."""
    asked = [one["request"]["url"] for one in browser.said("Network.requestWillBeSent")]
    return [
        *browser.said("Runtime.exceptionThrown"),
        *(one["entry"]["text"] for one in browser.said("Log.entryAdded")),
        *(url for url in asked if not url.endswith("/page.html")),
        *browser.said("Page.javascriptDialogOpening"),
    ]


def test_no_hostile_name_does_anything(browser: Chromium, tmp_path: Path) -> None:
    _open(browser, tmp_path, hostile_page())
    assert browser.run("window.pwned") is None
    assert browser.run('document.querySelectorAll("img, svg, iframe, object, embed, form").length') == 0
    assert browser.run('document.querySelectorAll("script").length') == 1
    assert sorted(browser.run(_ROWS)) == sorted(clean(sound(name)) for name in EVIL)
    # Sorting and searching must not make anything of them either.
    browser.run('document.querySelector("#grid thead button").click()')
    browser.run('document.querySelector("[data-tools=grid] [data-search]").focus()')
    browser.type("<img src=x")
    assert browser.run(_ROWS) == [clean(name) for name in EVIL if "<img src=x" in name]
    assert browser.run("window.pwned") is None
    assert _complaints(browser) == []


def test_the_policy_stops_a_script_that_was_put_in(browser: Chromium, tmp_path: Path) -> None:
    """That the test above can fail: with the same script in the markup, the policy alone stands in the way."""
    injected = page(RESULTS, grid(2)).replace("</main>", "<script>window.pwned=1</script><img src=x></main>")
    _open(browser, tmp_path, injected)
    assert browser.run("window.pwned") is None
    assert any("Content Security Policy" in text for text in map(str, _complaints(browser)))
    open_page = injected.replace('http-equiv="Content-Security-Policy"', 'name="none"')
    _open(browser, tmp_path, open_page)
    assert browser.run("window.pwned") == 1


def test_search_and_filter(browser: Chromium, tmp_path: Path) -> None:
    _open(browser, tmp_path, page(RESULTS, grid(40)))
    status = 'document.querySelector("[data-tools=grid] [data-status]").textContent'
    assert browser.run(status) == "1 to 40 of 40 found, 40 in all"
    browser.run('document.querySelector("[data-tools=grid] [data-search]").focus()')
    browser.type("ROLE3 no")
    expected = [f"arn:aws:iam::111122223333:role/Role{number}" for number in (3, *range(30, 40))]
    assert browser.run(_ROWS) == expected
    browser.run(
        '(() => { const one = document.querySelector("[data-tools=found] [data-filter]"); one.value = "warning";'
        ' one.dispatchEvent(new Event("change")); })()'
    )
    found_rows = browser.run(
        'Array.from(document.querySelectorAll("#found tbody tr"), (row) => row.cells[0].className)'
    )
    assert found_rows == ["warning", "warning"]
    assert _complaints(browser) == []


def test_sorting_by_keyboard(browser: Chromium, tmp_path: Path) -> None:
    _open(browser, tmp_path, page(RESULTS, grid(12)))
    browser.run('document.querySelector("#grid thead button").focus()')
    sort = 'Array.from(document.querySelectorAll("#grid thead th"), (one) => one.getAttribute("aria-sort"))'
    assert set(browser.run(sort)) == {None}
    browser.press("Enter")
    assert browser.run(sort)[0] == "ascending"
    names = [f"arn:aws:iam::111122223333:role/Role{number}" for number in range(12)]
    assert browser.run(_ROWS) == names, "numbers in names sort as numbers"
    browser.press(" ")
    assert browser.run(sort)[0] == "descending"
    assert browser.run(_ROWS) == names[::-1]
    # On to the third heading by the keyboard alone.
    browser.press("Tab")
    browser.press("Tab")
    browser.press("Enter")
    assert browser.run(sort)[:3] == [None, None, "ascending"]
    classes = browser.run('Array.from(document.querySelectorAll("#grid tbody tr"), (row) => row.cells[2].className)')
    assert list(dict.fromkeys(classes)) == ["yes", "depends", "unknown", "elsewhere", "no"]
    browser.run('document.querySelector("#found thead button").click()')
    ranks = browser.run('Array.from(document.querySelectorAll("#found tbody tr"), (row) => row.cells[0].className)')
    assert list(dict.fromkeys(ranks)) == ["error", "warning", "info"]
    assert _complaints(browser) == []


def test_as_many_principals_as_it_must_bear(browser: Chromium, tmp_path: Path) -> None:
    # Findings too: laying out rows that no page shows would take most of the time.
    text = page(replace(RESULTS, findings=RESULTS.findings * LARGE_FINDINGS), grid(LARGE))
    started = time.monotonic()
    _open(browser, tmp_path, text)
    status = 'document.querySelector("[data-tools=grid] [data-status]").textContent'
    assert browser.run(status) == f"1 to 200 of {LARGE} found, {LARGE} in all"
    browser.run("document.querySelector(\"[data-tools=grid] [data-page='1']\").click()")
    assert browser.run(status) == f"201 to 400 of {LARGE} found, {LARGE} in all"
    assert browser.run(_ROWS)[0].endswith("Role200")
    browser.run('document.querySelector("#grid thead button").click()')
    browser.run('document.querySelector("[data-tools=grid] [data-search]").focus()')
    browser.type(f"Role{LARGE - 1}")
    assert browser.run(_ROWS) == [grid(LARGE).rows[-1].principal]
    # On a machine that does nothing else it takes less than three.
    assert time.monotonic() - started < 30
    assert _complaints(browser) == []


def test_paper_has_every_row_that_was_found(browser: Chromium, tmp_path: Path) -> None:
    _open(browser, tmp_path, page(RESULTS, grid(450)))
    assert len(browser.run(_ROWS)) == 200
    browser.run('dispatchEvent(new Event("beforeprint"))')
    assert len(browser.run(_ROWS)) == 450
    browser.run('dispatchEvent(new Event("afterprint"))')
    assert len(browser.run(_ROWS)) == 200
    pagers = 'Array.from(document.querySelectorAll(".pages"), (one) => getComputedStyle(one).display !== "none")'
    assert browser.run(pagers) == [True, False], "where there is one page there is nothing to turn"
    assert len(browser.call("Page.printToPDF")["data"]) > 10_000
    assert _complaints(browser) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(browser: Chromium, tmp_path: Path, width: int) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
    for number, text in enumerate((page(RESULTS, grid(9)), hostile_page(), page(RESULTS))):
        _open(browser, tmp_path, text)
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), number
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_accessibility_tree(browser: Chromium, tmp_path: Path) -> None:
    _open(browser, tmp_path, page(RESULTS, grid(3)))
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node.get("ignored")]
    assert [roles.count(one) for one in ("banner", "main", "contentinfo", "navigation", "search")] == [1, 1, 1, 1, 2]
    assert {"table", "columnheader", "rowheader", "searchbox", "combobox", "status"} <= set(roles)
    for node in nodes:
        if node["role"]["value"] in ("searchbox", "combobox", "button", "region", "link", "table") and not node.get(
            "ignored"
        ):
            assert node["name"]["value"].strip(), node
    assert browser.run("document.documentElement.lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser: Chromium, tmp_path: Path, scheme: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1 for every text."""
    browser.emulate(scheme)
    _open(browser, tmp_path, page(RESULTS, grid(8)))
    pairs = browser.run(
        """(() => {
          const ground = (element) => {
            for (let one = element; one; one = one.parentElement) {
              const color = getComputedStyle(one).backgroundColor;
              if (color !== "rgba(0, 0, 0, 0)") return color;
            }
            return "rgb(255, 255, 255)";
          };
          const texts = Array.from(document.querySelectorAll("body *"))
            .filter((one) => one.tagName !== "SCRIPT" && !one.disabled)
            .filter((one) => Array.from(one.childNodes).some((child) => child.nodeType === 3 && child.data.trim()));
          return [...new Set(texts.map((one) => `${getComputedStyle(one).color}|${ground(one)}|${one.tagName}`))];
        })()"""
    )
    assert len(pairs) > 8
    for pair in pairs:
        text, ground, tag = pair.split("|")
        assert _contrast(_rgb(text), _rgb(ground)) >= 4.5, f"{tag}: {text} on {ground}"
    grounds = {pair.split("|")[1] for pair in pairs}
    assert ("rgb(13, 17, 23)" in grounds) is (scheme == "dark")


def _rgb(color: str) -> list[float]:
    return [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]


def _contrast(one: list[float], other: list[float]) -> float:
    def luminance(rgb: list[float]) -> float:
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
