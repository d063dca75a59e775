"""Pages for the tests of the HTML output: an ordinary one, a hostile one, one as large as it must bear."""

from __future__ import annotations

from mantle_iam import bundled
from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.iam.inventory import Input, InputStatus, Place
from mantle_iam.report.findings.grid import Grid, GridCell, GridRow, Standing
from mantle_iam.report.findings.html import html
from mantle_iam.report.findings.results import Results

EVIL = (
    "</script><script>window.pwned=1</script>",
    "</style><style>*{display:none}</style>",
    '"><img src=x onerror="window.pwned=1">',
    "' onfocus='window.pwned=1' autofocus='",
    "<svg onload=window.pwned=1>",
    "<iframe src=https://e.example></iframe>",
    "<meta http-equiv=refresh content='0;url=https://e.example'>",
    "<!--",
    "]]>",
    "{{7*7}}{% raw %}",
    "\x00\x1b[31m\u202eevil\ud800",
    "javascript:window.pwned=1",
)
COLUMNS = ("list models", "infer (SigV4)", "infer (long-term key)", "create keys")
_DETAILS = {
    Standing.YES: "",
    Standing.NO: "no identity policy allows it",
    Standing.ELSEWHERE: "no identity policy allows it; named: arn:aws:bedrock-mantle:*:*:project/proj_a",
    Standing.DEPENDS: "aws:SourceIp",
    Standing.UNKNOWN: "the service control policies could not be read",
}


def template(name: str) -> str:
    """As a command reads them."""
    return bundled.templates().joinpath(*name.split("/")).read_text("utf-8")


def grid(rows: int) -> Grid:
    """A matrix with a principal for each number, every standing in it."""
    standings = list(Standing)

    def cell(row: int, column: int) -> GridCell:
        standing = standings[(row * 7 + column * column) % len(standings)]
        return GridCell(standing, _DETAILS[standing])

    return Grid(
        COLUMNS,
        tuple(
            GridRow(
                f"arn:aws:iam::{111122223333 + number // 200}:role/Role{number}",
                str(111122223333 + number // 200),
                tuple(cell(number, column) for column in range(len(COLUMNS))),
            )
            for number in range(rows)
        ),
    )


def page(results: Results, matrix: Grid | None = None) -> str:
    """The page with the templates that are shipped."""
    return html(results, template, grid=matrix)


def hostile_page() -> str:
    """One where every name is an attack."""
    rows = tuple(GridRow(name, name, tuple(GridCell(Standing.NO, name) for _ in EVIL)) for name in EVIL)
    found = tuple(
        Finding(
            name, Severity.ERROR, Certainty.LOW, name, Place(name, 1, address=name), 0, name, name, name, name, name
        )
        for name in EVIL
    )
    inputs = tuple(Input(name, InputStatus.FAILED, name, (name,)) for name in EVIL)
    return page(Results(found, inputs, version=EVIL[0]), Grid(EVIL, rows))
