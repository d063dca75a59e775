"""Findings for the tests of formats: some of every kind of place, and a strategy for hostile ones."""

from __future__ import annotations

from hypothesis import strategies as st

from mantle_iam.audit.findings import Certainty, Finding, Severity
from mantle_iam.audit.lint.rule import Rule
from mantle_iam.iam.inventory import Input, InputStatus, Place, Purpose
from mantle_iam.report.findings.results import Results

DOCS = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrockmantle.html"
TEXT = (
    '{\n  "Version": "2012-10-17",\n  "Statement": [{\n\t"Effect": "Allow",\n\t"Action": "bedrock-mantle:InvokeModel",\n'
    '\t"Resource": "*"\n  }]\n}\n'
)
FINDINGS = (
    Finding(
        "unknown-action",
        Severity.ERROR,
        Certainty.HIGH,
        "`bedrock-mantle:InvokeModel` is not an action",
        Place("policies/app.json", 5, 12, pointer="/Statement/0/Action"),
        statement=0,
        policy="app",
        remedy="write `bedrock-mantle:CreateInference`",
        reference=DOCS,
    ),
    Finding(
        "requested-region",
        Severity.WARNING,
        Certainty.LOW,
        "a condition on `aws:RequestedRegion`, of which reports conflict",
        Place("main.tf", 3, address="aws_iam_policy.app", pointer="/Statement/1/Condition"),
        statement=1,
        sid="Regional",
        policy="app",
        reference=DOCS,
    ),
    Finding(
        "key-without-expiry",
        Severity.WARNING,
        Certainty.MEDIUM,
        "a long-term key never expires",
        Place("aws:111122223333", address="arn:aws:iam::111122223333:user/ci"),
        principal="arn:aws:iam::111122223333:user/ci",
    ),
    Finding(
        "wide-grant",
        Severity.INFO,
        Certainty.HIGH,
        "it grants ${aws:username} [all](https://example.com)",
        Place("-", 1),
    ),
    Finding(
        "must-allow",
        Severity.ERROR,
        Certainty.HIGH,
        "the role may not infer",
        principal="arn:aws:iam::111122223333:role/a",
    ),
)
INPUTS = (
    Input("policies/app.json", InputStatus.READ, "policy"),
    Input("clean.json", InputStatus.READ, "policy"),
    Input("dump.json.gz", InputStatus.FAILED, "authorization-details", ("the file is truncated after 12 bytes",)),
    Input("plan.json", InputStatus.PARTIAL, "terraform-plan", ("2 values are known after apply",)),
)
RULES = (
    Rule(
        id="unknown-action",
        title="An action that does not exist",
        severity=Severity.ERROR,
        confidence=Certainty.HIGH,
        purposes=(Purpose.IDENTITY,),
        what="An action that is not in the service reference",
        why="It matches no request",
        bad='`{"Action": "bedrock-mantle:InvokeModel"}`',
        instead='`{"Action": "bedrock-mantle:CreateInference"}`',
        reference=DOCS,
    ),
)
RESULTS = Results(FINDINGS, INPUTS, RULES, {"policies/app.json": TEXT}, "0.1.0")

NASTY = (
    *(
        "\x00",
        "\x1b[31m",
        "\r\n::error::x",
        "\u2028",
        "\u202e",
        "\ud800",
        "\udc00",
        "\ufffe",
        "\uffff",
        "\U0001f511",
        "\u200b",
    ),
    *(
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "＝1",
        "'=1",
        ",",
        '"',
        "'",
        ";",
        "|",
        "``",
        "`",
        "](http://e.example)",
        "![x](y)",
    ),
    *(
        "<script>alert(1)</script>",
        "]]>",
        "&amp;",
        "{0}",
        "${aws:username}",
        "{{7*7}}",
        "%0A",
        "%25",
        "::",
        "www.e.example",
    ),
    *("@octocat", "#1", "../..", "//host/share", "C:\\x", "a b.json", "ü", "\\", "~~~", "$x$", "file:///etc/passwd"),
)
_texts = st.one_of(
    st.text(st.characters(), max_size=12),
    st.lists(st.sampled_from(NASTY), min_size=1, max_size=4).map("".join),
)
_numbers = st.none() | st.integers(1, 9)
findings = st.builds(
    Finding,
    rule=st.sampled_from(("unknown-action", "a-rule")) | _texts.filter(bool),
    severity=st.sampled_from(Severity),
    confidence=st.sampled_from(Certainty),
    message=_texts,
    place=st.builds(
        Place, path=_texts, line=_numbers, column=_numbers, address=_texts, pointer=_texts.map(lambda text: f"/{text}")
    ),
    statement=_numbers,
    sid=st.none() | _texts,
    policy=_texts,
    principal=_texts,
    remedy=_texts,
    reference=_texts,
)
inputs = st.builds(
    Input,
    path=_texts,
    status=st.sampled_from(InputStatus),
    kind=_texts,
    problems=st.lists(_texts, max_size=2).map(tuple),
)
results = st.builds(
    Results,
    findings=st.lists(findings, max_size=4).map(tuple),
    inputs=st.lists(inputs, max_size=2).map(tuple),
    rules=st.sampled_from(((), RULES)),
    texts=st.dictionaries(_texts, _texts, max_size=2),
    version=st.just("0.1.0"),
    fail_on=st.none() | st.sampled_from(Severity),
)
