"""Secrets out of text: what a printed line, a record or an exception may still hold.

Works on shapes (bearer keys, presigned queries, secret access keys after their names, session tokens), never on known values.
Access key ids, ARNs, credential scopes and encoded authorization messages are identifiers and stay.

Sources: the formats of AWS's keys (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html), SigV4
query parameters (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html), RFC 6750 (bearer
tokens), RFC 6265 (cookies), RFC 3986 section 3.2.1 (userinfo), RFC 7519 (JWT).

Every pattern is linear: runs are possessive, and a run can begin only where no run is under way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

ELLIPSIS = "…"
"""What stands for a secret that was taken out."""

# One character of base64, also behind JSON's and the URL's escapes (`\/`, `\u002b`, `%2B`, `%252B`).
_UNIT = r"(?:[A-Za-z0-9+/_=\-]++|\\{1,8}/|%(?:25){0,4}(?:2[BbFf]|3[Dd])|\\{1,8}u00(?:2[BbFf]|3[Dd]))"
# The end of a line inside a key: real, or escaped in a string; the next line may begin with a frame, a comment sign or a quote.
_NEWLINE = r"""["']?[ \t]*+(?:\\?\r?\n|(?:\\{1,8}r)?\\{1,8}n)[ \t│|#*>]*+(?://)?[ \t]*+["']?"""
_LONG_PART = r"[A-Za-z0-9+/]{16,}+={0,2}+(?![A-Za-z0-9+/=_.:\-])"
_PLAIN_WORD = r"(?:[A-Z]?[a-z]{1,9}|[A-Z]{1,10}|[0-9]{1,10})(?![A-Za-z0-9+/=])"
_LAST_PART = rf"""(?!{_PLAIN_WORD})[A-Za-z0-9+/]{{1,15}}+={{0,2}}+(?=[ \t"'│|,;}})\]]*+(?:\\?\r?\n|\Z|\\{{1,8}}[rn]))"""
_REST = rf"(?:(?:{_NEWLINE}|[ \t]++){_LONG_PART})*+(?:{_NEWLINE}{_LAST_PART})?"
_KEY = rf"(?:{_UNIT})++{_REST}"

_BETWEEN = r"""[\\"']*+\s{0,8}(?:=>|[:=>]|%(?:25){0,4}3[DdAa])\s{0,8}(?:b(?=["']))?[\\"']{0,12}"""
"""From a name to its value: `=`, `: `, `": "`, `>` of XML, `%3D`."""
_KEPT = r"""(?!\$|<|\{|%[A-Z_]|os\.|process\.|None\b|null\b|true\b|false\b|not[ _-]set|(?:dummy|empty|unused|test)\b|your[ _-])"""
"""Values that are no secret but say something: variables, placeholders, nothing."""
_VALUE = rf"""{_KEPT}(?:[^\s"'&,;<>()\[\]{{}}\\…]|\\{{1,8}}/)++(?!…)"""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One shape of secret.  Nothing is searched for unless one of ``hints`` (lower case) is in the text."""

    hints: tuple[str, ...]
    pattern: str
    keep: str = r"\1" + ELLIPSIS


# Shapes come before names, so that `AWS_BEARER_TOKEN_BEDROCK=ABSK...` keeps its prefix; what holds an ellipsis is left alone.
_RULES = (
    _Rule(("private key",), r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?:[^\-…]|-(?!----))++(?=-----END|\Z)"),
    _Rule(
        ("bedrock-api-key-",),
        rf"(bedrock-api-key-)(?:(?=[A-Za-z0-9+/]{{16}}|[A-Za-z0-9+/]{{1,15}}{_NEWLINE}[A-Za-z0-9+/]{{16}})|{_NEWLINE}){_KEY}",
    ),
    _Rule(("absk",), rf"(ABSK)(?=[A-Za-z0-9+/]{{12}}|[A-Za-z0-9+/]{{0,11}}{_NEWLINE}[A-Za-z0-9+/]{{16}}){_REST}{_KEY}"),
    # The same two kinds of key where a line break or an ellipsis took their prefix away.
    _Rule(("ymvkcm9jay5hbwf6",), rf"(YmVkcm9jay5hbWF6)(?=[A-Za-z0-9+/]|\s|\\){_KEY}"),
    _Rule(("qmvkcm9ja0fqsutl",), rf"(QmVkcm9ja0FQSUtl)(?=[A-Za-z0-9+/]|\s|\\){_KEY}"),
    _Rule(
        ("iqojb3jpz2lu", "fwogzxivyxdz", "fqogzxivyxdz", "aqodyxdz"),
        rf"((?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz))(?=[A-Za-z0-9+/%\\]){_KEY}",
    ),
    _Rule(
        ("sk-",),
        r"(sk-(?:(?<![A-Za-z0-9]sk-)|(?<=[0-9]msk-))(?:proj-|ant-|svcacct-|or-|live-)?)(?=[A-Za-z0-9_\-]{16})[A-Za-z0-9_\-]++",
    ),
    _Rule(("aws-external-anthropic-api-key-",), rf"(aws-external-anthropic-api-key-)(?=[A-Za-z0-9+/_\-]{{8}}){_KEY}"),
    _Rule(("aeaa",), rf"(AEAA)(?<![A-Za-z0-9+/]AEAA)(?=[A-Za-z0-9+/]{{24}}){_KEY}"),
    _Rule(("aoaaaaa",), r"(aoaAAAA)(?=[A-Za-z0-9+/:_\-]{24})[A-Za-z0-9+/:_=\-]++"),
    _Rule(
        ("eyj",),
        r"(eyJ)(?:(?<![A-Za-z0-9_\-]eyJ)|(?<=[0-9]meyJ))[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]++(?:\.[A-Za-z0-9_\-]*+)*+",
    ),
    _Rule(
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_", "gsk_", "xox", "aiza"),
        r"((?:gh[pousr]_|github_pat_|glpat-|hf_|gsk_|xox[abprs]-|AIza))(?=[A-Za-z0-9_\-]{16})[A-Za-z0-9_\-]++",
    ),
    # An access key pair as `curl --user`, `id,secret` of a CSV file or two lines of a console.
    _Rule(
        ("akia", "asia"),
        r"""((?:AKIA|ASIA)[A-Z0-9]{12,28}["']?[\s,:=|]{1,12}["']?)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])""",
    ),
    _Rule(("://",), r"(://)[^\s/?#@\"'<>…]{1,1024}+(?=@)"),
    _Rule(
        ("authorization",),
        rf"(?i)(authorization{_BETWEEN}(?:bearer|basic|token|digest|negotiate)\s{{1,8}}){_KEPT}[^\s\"'\\,<>…]++(?!…)",
    ),
    _Rule(
        ("authorization",),
        rf"(?i)(authorization{_BETWEEN})(?!(?:bearer|basic|token|digest|negotiate)\s|aws4){_VALUE}",
    ),
    _Rule(
        ("bearer",), r"(?i)(\bbearer(?:\s|%20|\+){1,8})(?!\w+=\")(?=[A-Za-z0-9._~+/\-]{16})[A-Za-z0-9._~+/=\-]++(?!…)"
    ),
    _Rule(
        ("signature",),
        rf"(?i)(\b(?:x-amz-)?signature{_BETWEEN})(?=[0-9a-f]{{16}}|[A-Za-z0-9+/%]{{40}})[A-Za-z0-9+/%=]++",
    ),
    _Rule(("cookie",), rf"(?i)(\b(?:set-)?cookie{_BETWEEN})[^\r\n\"'\\…]++(?!…)"),
    _Rule(
        ("secret", "token"),
        rf"(?i)((?:secret[_-]?(?:access[_-]?)?key|(?:session|security)[_-]?token){_BETWEEN}){_KEPT}(?!…)(?={_UNIT}){_KEY}(?!…)",
    ),
    _Rule(
        ("secret", "token"),
        r"(?i)((?:secret_access_key|session_token)[ \t]{1,40}[\"']?)(?=[A-Za-z0-9+/]{20})[A-Za-z0-9+/=]++(?!…)",
    ),
    _Rule(
        (
            "secret",
            "token",
            "api-key",
            "api_key",
            "apikey",
            "password",
            "passwd",
            "credential",
        ),
        r"(?i)((?:"
        r"api[_-]?key|bearer[_-]token(?:[_-]bedrock)?|(?:access|id|refresh|auth)[_-]?token|client[_-]?secret|"
        r"password|passwd|service(?:api)?key(?:value)?|servicecredentialsecret|serviceapikeyvalue"
        rf"){_BETWEEN}){_VALUE}",
    ),
    # Header pairs as Python and JavaScript print them: ('x-api-key', 'value').
    _Rule(
        ("authorization", "api-key", "security-token", "cookie"),
        r"(?i)(['\"](?:proxy-)?(?:authorization|x-api-key|api-key|x-amz-security-token|(?:set-)?cookie)['\"]\s{0,4},\s{0,4}"
        r"b?['\"](?:bearer )?)(?=[^'\"…]{16})(?!AWS4-)[^'\"…]++(?!…)",
    ),
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def redact(text: str) -> str:
    """``text`` with every secret replaced by its harmless beginning and ``…``; idempotent, linear in the length."""
    lowered = text.lower()
    for rule in _RULES:
        if any(hint in lowered for hint in rule.hints):
            text = _compiled(rule.pattern).sub(rule.keep, text)
    return text
