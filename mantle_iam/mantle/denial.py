"""AccessDenied sentences: reader and writer of one format.

The sentence is AWS's own, the same for every service
(https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).  What a denial means for the caller, and
which service it came from, is not known here.

Theory of operation: the text is laid flat (escapes undone, frames of comments and terminals taken away, a line break kept as
one sign), the words ``not authorized to perform`` are the anchors, and around each anchor a window of bounded size is read.
So the time is linear, whatever is pasted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

from mantle_iam.iam.request import PolicyType

_BACK = 1024
"""How far before the anchor a principal may begin (ARNs of sessions are at most about 200 characters)."""
_AHEAD = 12_288
"""How far after the anchor a sentence may go on (encoded messages are some thousands of characters)."""
_RESOURCE = 2_048
"""The longest distance from the action to the reason (ARNs are at most 2,048 characters)."""


@dataclass(frozen=True, slots=True)
class Denial:
    """What one AccessDenied sentence says; ``None`` where it does not say."""

    principal: str | None
    """ARN (or what stood in its place) of the caller."""
    action: str | None
    """``service:Name``."""
    resource: str | None
    effect: Literal["implicit", "explicit"] | None
    policy_type: PolicyType | None
    policy: str | None = None
    """ARN or name of the policy that denies, where the sentence names it."""
    authorization_id: str | None = None
    """Id for ``GetRequestAuthorizationDetails``, where the sentence carries one."""
    encoded_message: str | None = None
    text: str = field(default="", compare=False)
    """The sentence as read, in one line, without the details suffix.  Two sentences that say the same are equal."""
    actions: tuple[str, ...] = ()
    """All actions, ``action`` being the first, where one sentence names several (AWS Marketplace)."""


# --- reading ---------------------------------------------------------------------------------------------------------------

_BREAK = "\x1f"
"""Stands for a line break and the frame of the next line."""
_STARRED = "\x1e"
"""The same where that frame held an asterisk, which may have been the resource."""

_W = r"[ \x1e\x1f]{1,8}"
_W0 = r"[ \x1e\x1f]{0,8}"
_ANCHOR = (
    rf"(?i)(?:\bnot|n't){_W}authori[sz]ed{_W}to{_W}(?:perform\b|(?=access{_W}this{_W}resource\b))"
    rf"|n't{_W}have{_W}permissions?{_W}to{_W}(?:call|perform)\b(?={_W}[a-z0-9-]{{1,63}}:[a-z])"
)
_ACTION = (
    rf"""(?i){_W0}:?{_W0}(?:the{_W}|this{_W})?(?:action:?{_W})?["'`]?"""
    rf"""((?:aws-)?[a-z][a-z0-9-]{{0,62}}:\x1f?(?:[a-z][a-z0-9]{{0,126}}\*?|\*)"""
    rf"""(?:[\x1e\x1f](?!(?:on|because|with|as|in|at)\b)[a-z]{{1,64}}(?={_W}(?:on|because|with)\b))?)["'`]?"""
)
_MARKETPLACE = (
    rf"""(?i){_W}the{_W}required{_W}AWS{_W}Marketplace{_W}actions{_W0}\(([a-zA-Z0-9:, \x1e\x1f*-]{{1,500}})\)"""
)
_ON_RESOURCE = rf"""(?i){_W}on{_W}(?:this{_W}|the{_W}|these{_W}|following{_W}){{0,2}}resources?(?:\(s\))?{_W0}:?{_W0}"""
_REASON = (
    rf"(?i)(?:because{_W}|\({_W0}|[-,;:]{_W0}|\b)no{_W}(?P<implicit>(?:[a-z-]{{1,20}}{_W}){{0,5}}?)allows?\b"
    rf"(?:{_W}(?:the{_W})?(?:[a-z0-9-]{{1,64}}:{_W0}[a-z0-9*]{{1,128}}{_W})?(?:action|operation|it|this)s?\b)?"
    rf"|(?:with|because{_W}of){_W}an{_W}explicit{_W}deny(?:{_W}in{_W}(?:an?|the){_W}(?P<explicit>(?:[a-z-]{{1,20}}{_W}){{0,3}}"
    rf"(?:polic(?:y|ies)|boundary)\b))?"
)
_FRAGMENT = rf"(?i)\b([a-z][a-z0-9-]{{1,62}}:[a-z][a-z0-9]{{1,126}})(?={_ON_RESOURCE[4:]})"
"""What is left of a sentence whose beginning was cut off."""
_PUT_TOGETHER = (
    r"""(?<=[^\s"'`,:=({\[]) {0,2}["'`](?:[ ]{0,4}\+?[ ]{0,4}\\?[\r\n]{1,2}[ │|#*/]{0,200}+\+?|[ ]{0,4}\+)[ ]{0,4}"""
    r"""[fbru]?["'`](?=[^"'`,:)\]};])"""
)
"""Between two strings that a program puts together: ``'a ' 'b'`` over two lines, ``"a " + "b"``."""
_LAST_WORDS = (
    rf"(?i)\bbecause{_W}no{_W}(?:[a-z-]{{1,20}}{_W}){{1,5}}?allows{_W}the{_W}"
    rf"([a-z][a-z0-9-]{{1,62}}:[a-z][a-z0-9]{{1,126}}){_W}action\b"
)
_POLICY = (
    r"""[ \x1e\x1f]{0,4}:[ \x1e\x1f]{0,4}["'`]?(?:(?:\.{3}|…)/)?(arn:[^\s"'`<>(),;\x1e\x1f\\]{5,2048}|[A-Za-z0-9_+=,.@-]{1,256}"""
    r"""(?=["'`)\]}]|\Z|[\x1e\x1f]|[ ]\(|[.;,](?:[ \x1e\x1f]|\Z)))"""
)
_DETAILS = r"authorization-details/([A-Za-z0-9_-]{8,128})"
_DETAILS_ID = rf"(?i)authorization{_W}id:{_W0}[\"'`]?([A-Za-z0-9_-]{{8,128}})"
_ENCODED = (
    rf"(?i)encoded{_W}authorization{_W}(?:failure{_W})?message:{_W0}[\"'`]?"
    r"([A-Za-z0-9_+/=-]{8,8192}+(?:[\x1e\x1f][A-Za-z0-9_+/=-]{20,8192}+)*+(?:[\x1e\x1f][A-Za-z0-9_+/=-]{1,19}\Z)?)"
)
_OPERATION = " this operation"
_USER = rf"\b(?:User|USER|Principal|Caller|Role|role){_W0}:{_W0}|\b(?:User|Principal|Caller|Role){_W}(?=[\"'`]?(?:arn|<|\[|\{{))"
_BARE_PRINCIPAL = rf"((?:arn:[^\s\"'`\x1e\x1f]{{5,512}})|anonymous)[\"'`]?{_W}(?:is|was|are|am){_W}\Z"
_VERB = rf"(?i){_W}(?:is|was|are|am|does|has)?{_W0}\Z"
_FIRST_WORDS = (
    r"""(?:"([^"]{1,2048})"|'([^']{1,2048})'|`([^`]{1,2048})`|"""
    r"""((?:(?:role|user|policy|group|instance[ -]profile)(?:[ ]path)?:?[ ])?"""
    # An ARN that ends in a colon or slash goes on behind the break.
    r"""[^\s"'`\x1e\x1f]{1,2048}(?:(?<=[:/])[\x1e\x1f][^\s"'`\x1e\x1f]{1,1024}){0,3}))"""
)

# Words of a layer -> the layer.  The first that occurs wins; `role trust policy` is the resource-based policy of a role.
_LAYERS: tuple[tuple[str, PolicyType], ...] = (
    ("identity", PolicyType.IDENTITY),
    ("boundar", PolicyType.PERMISSIONS_BOUNDARY),
    ("session", PolicyType.SESSION),
    ("service control", PolicyType.SCP),
    ("scp", PolicyType.SCP),
    ("resource control", PolicyType.RCP),
    ("rcp", PolicyType.RCP),
    ("endpoint", PolicyType.VPC_ENDPOINT),
    ("vpce", PolicyType.VPC_ENDPOINT),
    ("resource", PolicyType.RESOURCE),
    ("trust", PolicyType.RESOURCE),
    ("bucket", PolicyType.RESOURCE),
    ("key", PolicyType.RESOURCE),
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def find_denials(text: str) -> tuple[Denial, ...]:
    """Every AccessDenied sentence in ``text``, in order, without repetition.  Never raises.

    Understood are sentences in JSON strings (also escaped more than once), in comments and frames, wrapped by terminals, with
    parts missing.  A sentence that names neither action nor principal nor layer nor an encoded message is left out.
    """
    if not any(word in text for word in ("uthori", "permission to", "explicit deny", "allows the")):
        return ()
    flat, broken = _flatten(text)
    found = _read_all(flat)
    if broken and not (found and all(denial.policy_type and denial.resource for denial in found)):
        # A terminal of fixed width breaks inside words, too.
        found = _better(found, _read_all(flat.replace(_BREAK, "").replace(_STARRED, "")))
    return tuple(dict.fromkeys(found or _read_fragments(flat)))


def _flatten(text: str) -> tuple[str, bool]:
    """``text`` with escapes undone and every line break (with the frame around it) as one sign; whether there was one."""
    text = _compiled(r"\x1b\[[0-9;?]{0,32}[A-Za-z]").sub("", text).replace("\x1e", " ").replace("\x1f", " ")
    if "\\" in text:
        text = _compiled(r"(?<!\\)\\++u(?:2019|2018|0027)").sub("'", text)
        text = _compiled(r"(?<!\\)\\++u(?:0022|201[cdCD])").sub('"', text)
        text = _compiled(r"(?<!\\)\\++u003[cC]").sub("<", text)
        text = _compiled(r"(?<!\\)\\++u003[eE]").sub(">", text)
        text = _compiled(r"(?<!\\)\\++u002[fF]").sub("/", text)
        text = _compiled(r"(?<!\\)\\++r?(?:(?<!\\)\\++)?n(?![a-z]*\\)").sub("\n", text)
        text = _compiled(r"(?<!\\)\\++([\"'/`])").sub(r"\1", text)
        text = _compiled(r"(?<!\\)\\++t").sub(" ", text)
    if "&" in text:
        for entity, sign in (
            ("&quot;", '"'),
            ("&#39;", "'"),
            ("&#x27;", "'"),
            ("&apos;", "'"),
            ("&lt;", "<"),
            ("&gt;", ">"),
        ):
            text = text.replace(entity, sign)
    text = text.replace("\u2019", "'").replace("\u2018", "'").replace("\u201c", '"').replace("\u201d", '"')
    text = text.replace("\u00a0", " ").replace("\u200b", "").replace("\t", " ")
    broken = "\n" in text or "\r" in text
    if broken or "+" in text:
        # Strings that a program puts together: 'a ' 'b', "a " + "b".
        text = _compiled(_PUT_TOGETHER).sub(_BREAK, text)
    if broken:
        text = _compiled(r"(?<![ │|])[ │|]*+\\?[\r\n]++(?:[ \r\n│|#*>]++(?://)?[ ]*+|//[ ]*+)?").sub(_break, text)
        text = _compiled(r"(?<=[A-Za-z]-)[\x1e\x1f](?=[a-z])").sub("", text)
    return _compiled(r" {2,}+").sub(" ", text), broken


def _break(match: re.Match[str]) -> str:
    """The sign for a line break, behind a space where the line ended in one (beyond the one before a frame)."""
    head = match[0].replace("\r", "\n").partition("\n")[0]
    framed = "│" in head or "|" in head
    spaces = len(head) - len(head.lstrip(" "))
    return (" " if spaces > framed else "") + (_STARRED if "*" in match[0] else _BREAK)


def _read_all(flat: str) -> list[Denial]:
    anchors = [match.span() for match in _compiled(_ANCHOR).finditer(flat)]
    found: dict[Denial, Denial] = {}
    floor = 0
    for index, (start, end) in enumerate(anchors):
        ceiling = anchors[index + 1][0] if index + 1 < len(anchors) else len(flat)
        before = flat[max(floor, start - _BACK) : start]
        denial = _read_one(before, flat[start:end], flat[end : min(ceiling, end + _AHEAD)])
        if denial is not None:
            found.setdefault(denial, denial)
        floor = end
    return list(found)


def _read_fragments(flat: str) -> list[Denial]:
    """Sentences whose beginning is missing: the action before ``on resource`` with a reason, or the reason alone."""
    found: list[Denial] = []
    if "explicit deny" not in flat and "allows" not in flat:
        return found
    for match in _compiled(_FRAGMENT).finditer(flat):
        after = flat[match.end() : match.end() + _AHEAD]
        resource, effect, policy_type, policy, end = _rest(after, 0)
        if effect is not None:
            found.append(
                Denial(None, match[1], resource, effect, policy_type, policy, text=_one_line(match[1] + after[:end]))
            )
    if found:
        return found
    for match in _compiled(_LAST_WORDS).finditer(flat):
        _, effect, policy_type, _, _ = _rest(flat[: match.end()], match.start())
        if effect is not None and policy_type is not None:
            found.append(Denial(None, match[1], None, effect, policy_type, text=_one_line(match[0])))
    # Several different ones are a list of what such reasons look like.
    return found if len(set(found)) == 1 else []


def _read_one(before: str, anchor: str, after: str) -> Denial | None:
    principal, head = _principal(before)
    marketplace = _compiled(_MARKETPLACE).match(after)
    match = _compiled(_ACTION).match(after)
    denial: Denial | None = None
    if marketplace:
        actions = tuple(part for part in (_joined(item).strip() for item in marketplace[1].split(",")) if ":" in part)
        if actions:
            sentence = _one_line(head + anchor + after[: marketplace.end()])
            denial = Denial(principal, actions[0], None, None, None, text=sentence, actions=actions)
    elif match:
        resource, effect, policy_type, policy, end = _rest(after, match.end())
        sentence = _one_line(head + anchor + after[:end])
        denial = Denial(principal, _joined(match[1]), resource, effect, policy_type, policy=policy, text=sentence)
    elif (unnamed := _without_action(after)) is not None:
        effect, policy_type, policy, end = unnamed
        denial = Denial(principal, None, None, effect, policy_type, policy, text=_one_line(head + anchor + after[:end]))
    elif principal is not None or _compiled(_ENCODED).search(after):
        sentence = _one_line(head + anchor + after[: len(_OPERATION) if after.startswith(_OPERATION) else 0])
        denial = Denial(principal, None, None, None, None, text=sentence)
    if denial is None:
        return None
    encoded = _search(_ENCODED, after)
    return replace(
        denial,
        authorization_id=_search(_DETAILS_ID, after) or _search(_DETAILS, after),
        encoded_message=_joined(encoded) if encoded else None,
    )


def _without_action(after: str) -> tuple[Literal["implicit", "explicit"], PolicyType, str | None, int] | None:
    """The layer in a sentence that says ``this operation`` (EC2) or ``this resource`` (API Gateway) instead of the action."""
    if not _compiled(rf"{_W}this{_W}operation\b|access{_W}this{_W}resource\b").match(after):
        return None
    _, effect, policy_type, policy, end = _rest(after, 0)
    return (effect, policy_type, policy, end) if effect is not None and policy_type is not None else None


def _principal(before: str) -> tuple[str | None, str]:
    """The caller named just before the anchor, and the sentence from there on."""
    users = list(_compiled(_USER).finditer(before))
    if users:
        last = users[-1]
        name = _compiled(_VERB).sub("", before[last.end() :]).strip(" \"'`\x1e\x1f")
        if name and len(name) <= 512 and ". " not in name:
            return _joined(name), before[last.start() :]
    bare = _compiled(_BARE_PRINCIPAL).search(before[-600:])
    if bare:
        return bare[1], before[-600:][bare.start() :]
    verb = _compiled(r"(?i)\b(?:you|IAM user or service role|user|role)" + _VERB[4:]).search(before[-60:])
    return None, before[-60:][verb.start() :] if verb else ""


_Rest = tuple[str | None, Literal["implicit", "explicit"] | None, PolicyType | None, str | None, int]


def _rest(after: str, end: int) -> _Rest:
    """Resource, effect, layer and policy behind the action, and where the sentence ends."""
    reason = _compiled(_REASON).search(after, end, end + _RESOURCE)
    on = _compiled(_ON_RESOURCE).match(after, end)
    resource = None
    if on:
        resource, end = _resource(after, on, reason)
    if reason is None or reason.start() < end:
        return resource, None, None, None, end
    words = _one_line(reason["implicit"] or reason["explicit"] or "").lower().replace("-", " ")
    layer = next((policy_type for word, policy_type in _LAYERS if word in words), None)
    if reason["implicit"] is not None:
        return resource, "implicit", layer, None, reason.end()
    named = _compiled(_POLICY).match(after, reason.end())
    if named is None:
        return resource, "explicit", layer, None, reason.end()
    policy = named[1].rstrip(".,")
    return resource, "explicit", layer, policy, named.start(1) + len(policy)


def _resource(after: str, on: re.Match[str], reason: re.Match[str] | None) -> tuple[str | None, int]:
    if reason is not None:
        between = after[on.end() : reason.start()]
        # What lies between is the resource, unless the reason belongs to another sentence.
        if ". " not in between and between.count(_BREAK) + between.count(_STARRED) <= 8:
            name = between.strip(" \"'`\x1e\x1f,.;(")
            if not name:
                starred = _STARRED in on[0] or _STARRED in between
                return ("*" if starred else None), reason.start()
            return _joined(name), reason.start()
    token = _compiled(_FIRST_WORDS).match(after, on.end())
    if token is None:
        return ("*" if _STARRED in on[0] else None), on.end()
    name = next(group for group in token.groups() if group)
    bare = name if name == "*" else name.rstrip(".,;)]}>" if "<" not in name else ".,;)]}")
    if bare.endswith(("/", ":")) and name.startswith(bare + "...") and len(bare) > 1:
        bare += "..."
    return (_joined(bare) or None), token.end() - (len(name) - len(bare) if token[4] else 0)


def _search(pattern: str, text: str) -> str | None:
    match = _compiled(pattern).search(text)
    return match[1] if match else None


def _joined(text: str) -> str:
    """What a line break cut in two, in one piece."""
    return text.replace(_BREAK, "").replace(_STARRED, "")


def _one_line(text: str) -> str:
    return " ".join(text.replace(_BREAK, " ").replace(_STARRED, " ").split())


def _better(first: list[Denial], second: list[Denial]) -> list[Denial]:
    """``first``, each denial replaced by the one of ``second`` at its place when that one says more."""
    if len(first) != len(second):
        return first or second

    def known(denial: Denial) -> int:
        return sum(part is not None for part in (denial.action, denial.resource, denial.effect, denial.policy_type))

    return [b if known(b) > known(a) else a for a, b in zip(first, second, strict=True)]


# --- writing ---------------------------------------------------------------------------------------------------------------

LAYER_NAMES: dict[PolicyType, str] = {
    PolicyType.IDENTITY: "identity-based policy",
    PolicyType.PERMISSIONS_BOUNDARY: "permissions boundary",
    PolicyType.SESSION: "session policy",
    PolicyType.SCP: "service control policy",
    PolicyType.RCP: "resource control policy",
    PolicyType.VPC_ENDPOINT: "VPC endpoint policy",
    PolicyType.RESOURCE: "resource-based policy",
}
"""The layers in the words of AWS's messages."""


def write_denial(denial: Denial) -> str:
    """The sentence as AWS writes it, with the encoded message and the details suffix where the record has them."""
    who = f"User: {denial.principal} is" if denial.principal is not None else "You are"
    if denial.actions:
        what = f"the required AWS Marketplace actions ({', '.join(denial.actions)})"
    else:
        what = f": {denial.action}" if denial.action is not None else _OPERATION
    sentence = f"{who} not authorized to perform{' ' if denial.actions else ''}{what}"
    if denial.resource is not None:
        sentence += f" on resource: {denial.resource}"
    sentence += _reason(denial)
    if denial.encoded_message is not None:
        sentence += f". Encoded authorization failure message: {denial.encoded_message}"
    if denial.authorization_id is not None:
        region = _region(denial.resource)
        sentence += (
            f". Go to https://{region}.console.aws.amazon.com/iam/home?region={region}#/authorization-details/"
            f"{denial.authorization_id} for complete details, or call the GetRequestAuthorizationDetails API with the "
            f"following authorization id: {denial.authorization_id}."
        )
    return sentence


def _reason(denial: Denial) -> str:
    trust = denial.policy_type is PolicyType.RESOURCE and (denial.action or "").startswith("sts:AssumeRole")
    layer = "role trust policy" if trust else LAYER_NAMES[denial.policy_type] if denial.policy_type else "policy"
    if denial.effect == "implicit":
        return f" because no {layer} allows the {denial.action} action"
    if denial.effect != "explicit":
        return ""
    if denial.policy_type is None:
        return " with an explicit deny"
    article = "the" if trust else "an" if layer[0] in "aeio" else "a"
    return f" with an explicit deny in {article} {layer}" + (f": {denial.policy}" if denial.policy is not None else "")


def _region(resource: str | None) -> str:
    fields = (resource or "").split(":", 5)
    return fields[3] if len(fields) == 6 and fields[3] else "us-east-1"
