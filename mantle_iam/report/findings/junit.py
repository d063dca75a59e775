"""Findings as JUnit XML, as test servers read it: a suite for each file, a case for each finding.

A finding that makes the command fail is a failure, one below that a case that passed with its text as output; an input that
could not be read is an error, and a file without findings a case that passed, so that a suite is never empty.
Source: the schema of the Ant and Maven Surefire reports, as Jenkins and GitLab document what they read of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mantle_iam.audit.findings import Finding
from mantle_iam.iam.inventory import Input, InputStatus
from mantle_iam.report.findings.results import TOOL, Results, in_order, sound, subject, where
from mantle_iam.report.layout import MAX_TEXT, clean, one_line

# XML 1.0 section 2.2 has no place for these two, even as references.
_NO_CHARACTERS = {0xFFFE: "\\u{fffe}", 0xFFFF: "\\u{ffff}"}


def junit(results: Results) -> str:
    """The whole report."""
    inputs: dict[str, list[Input]] = {}
    for one in results.inputs:
        inputs.setdefault(results.path(one.path), []).append(one)
    by_path: dict[str, list[Finding]] = {path: [] for path in inputs}
    for finding in in_order(results.findings):
        by_path.setdefault(results.path(finding.place.path), []).append(finding)
    root = Element("testsuites", name=TOOL)
    for path, findings in by_path.items():
        _suite(root, path, findings, inputs.get(path, ()), results)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, path: str, findings: list[Finding], inputs: Iterable[Input], results: Results) -> None:
    name = _xml(path or TOOL)
    suite = SubElement(root, "testsuite", name=name)
    taken: Counter[str] = Counter()
    failures = errors = 0

    def case(about: str) -> Element:
        # Of several of one name GitLab keeps the first.  Lines are no part of it, since they move.
        taken[about] += 1
        number = f" ({taken[about]})" if taken[about] > 1 else ""
        return SubElement(suite, "testcase", classname=name, name=_xml(about) + number, time="0")

    for finding in findings:
        about, address = subject(finding), finding.place.address
        made = case(" ".join(filter(None, (finding.rule, "" if address in about else address, about))))
        if finding.place.line is not None:
            made.set("file", name)
            made.set("line", str(finding.place.line))
        if results.fails(finding):
            failures += 1
            failure = SubElement(made, "failure", message=_xml(finding.message), type=finding.severity.value)
            failure.text = _text(finding)
        else:
            SubElement(made, "system-out").text = _text(finding)
    for one in inputs:
        if one.status is not InputStatus.READ:
            errors += 1
            problems = "; ".join(one.problems) or "no reason given"
            SubElement(case("input"), "error", message=_xml(problems), type=one.status.value)
    if not len(suite):
        case("no findings")
    counts = (("tests", len(suite)), ("failures", failures), ("errors", errors), ("skipped", 0), ("time", 0))
    for attribute, count in counts:
        suite.set(attribute, str(count))


def _text(finding: Finding) -> str:
    rows = (
        ("", f"{where(finding)}: {finding.severity.value}[{finding.rule}]"),
        ("", finding.message),
        ("in: ", subject(finding)),
        ("confidence: ", finding.confidence.value),
        ("help: ", finding.remedy),
        ("source: ", finding.reference),
    )
    return "\n".join(label + _xml(value) for label, value in rows if value)


def _xml(text: str) -> str:
    """``text`` in one line, with nothing that XML 1.0 cannot hold."""
    return clean(one_line(sound(text), MAX_TEXT)).translate(_NO_CHARACTERS)
