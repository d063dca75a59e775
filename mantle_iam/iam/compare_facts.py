"""What is known of the global context keys, whatever a policy asks of them: presence, number, form, and which hang together.

A comparison looks for requests that can be made: one whose keys contradict each other shows nothing.  Knows no policy.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mantle_iam.iam import values
from mantle_iam.iam.conditions import read_operator
from mantle_iam.iam.policy import Condition
from mantle_iam.iam.principals import is_account

ACCOUNT, OTHER_ACCOUNT, THIRD_ACCOUNT = "111122223333", "444455556666", "777788889999"
PRINCIPAL_ARN, PRINCIPAL_ACCOUNT, RESOURCE_ACCOUNT = "aws:principalarn", "aws:principalaccount", "aws:resourceaccount"
USERNAME = "aws:username"

# "This key is always included in the request context."
OF_EVERY_REQUEST = frozenset({"aws:currenttime", "aws:epochtime", "aws:securetransport"})
# "... for all signed requests", or derived by ``context.py``.
ALWAYS_PRESENT = OF_EVERY_REQUEST | {
    *(PRINCIPAL_ARN, PRINCIPAL_ACCOUNT, RESOURCE_ACCOUNT),
    *("aws:principaltype", "aws:principalisawsservice"),
}
# "Value type: single-valued" on the same page.
_SINGLE_VALUED = ALWAYS_PRESENT | {
    *("aws:assumedroot", "aws:calledviafirst", "aws:calledvialast"),
    *("aws:federatedprovider", "aws:multifactorauthage", "aws:multifactorauthpresent", "aws:principalorgid"),
    *("aws:principalservicename", "aws:referer", "aws:requestedregion", "aws:resourceorgid"),
    *("aws:sourceaccount", "aws:sourcearn", "aws:sourceidentity", "aws:sourceip", "aws:sourceorgid", "aws:sourcevpc"),
    *("aws:sourcevpce", "aws:tokenissuetime", "aws:useragent", "aws:userid", "aws:username", "aws:viaawsservice"),
    *("aws:sourcevpcarn", "aws:vpcsourceip"),
}
_SINGLE_VALUED_BEGINNINGS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")


@dataclass(frozen=True, slots=True)
class Keys:
    """What is known of context keys: which are always there, which never hold several values (in lower case)."""

    always: frozenset[str] = ALWAYS_PRESENT
    single: frozenset[str] = frozenset()
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Keys of which the request's other parts leave one value only."""

    def may_hold_several(self, key: str) -> bool:
        """Whether a request may carry several values."""
        return not (key in _SINGLE_VALUED or key in self.single or key.startswith(_SINGLE_VALUED_BEGINNINGS))


def _flag(text: str) -> bool:
    return text in ("true", "false")


def _principal_arn(text: str) -> bool:
    fields = values.read_arn(text)
    return fields is not None and fields[2] in ("iam", "sts") and not fields[3] and is_account(fields[4])


def _moment(text: str) -> bool:
    return values.read_date(text) is not None


def _address(text: str) -> bool:
    return values.read_address(text) is not None


_FORMS: dict[str, Callable[[str], bool]] = {
    PRINCIPAL_ARN: _principal_arn,
    **dict.fromkeys((PRINCIPAL_ACCOUNT, RESOURCE_ACCOUNT, "aws:sourceaccount"), is_account),
    **dict.fromkeys(("aws:currenttime", "aws:tokenissuetime"), _moment),
    **dict.fromkeys(("aws:epochtime", "aws:multifactorauthage"), lambda text: values.read_number(text) is not None),
    **dict.fromkeys(("aws:sourceip", "aws:vpcsourceip"), _address),
    **dict.fromkeys(("aws:sourcearn", "aws:sourcevpcarn"), lambda text: values.read_arn(text) is not None),
    **dict.fromkeys(
        ("aws:securetransport", "aws:viaawsservice", "aws:principalisawsservice", "aws:multifactorauthpresent"), _flag
    ),
}
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/example"
_ACCOUNTS = (ACCOUNT, OTHER_ACCOUNT, THIRD_ACCOUNT)
_WORDS: dict[str, tuple[str, ...]] = {
    PRINCIPAL_ARN: (
        *(_ROLE, f"arn:aws:iam::{OTHER_ACCOUNT}:role/example", f"arn:aws:iam::{ACCOUNT}:user/example"),
        *(f"{ACCOUNT}:role/example", "role/example", "/example"),
    ),
    **dict.fromkeys((PRINCIPAL_ACCOUNT, RESOURCE_ACCOUNT, "aws:sourceaccount"), _ACCOUNTS),
    **dict.fromkeys(("aws:sourcearn",), (f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:example",)),
    **dict.fromkeys(("aws:currenttime", "aws:tokenissuetime"), ("2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z")),
    **dict.fromkeys(("aws:epochtime",), ("1767225600", "1924992000")),
    **dict.fromkeys(("aws:sourceip", "aws:vpcsourceip"), ("203.0.113.9", "198.51.100.7")),
    **dict.fromkeys(
        ("aws:securetransport", "aws:viaawsservice", "aws:principalisawsservice", "aws:multifactorauthpresent"),
        ("true", "false"),
    ),
    "aws:requestedregion": ("us-east-1", "eu-west-1", "ap-southeast-2"),
    "aws:principaltype": ("AssumedRole", "User", "FederatedUser", "Account"),
}


def words_for(key: str) -> tuple[str, ...]:
    """What a value of ``key`` may look like, the plainest first; nothing for a key of which nothing is known."""
    return _WORDS.get(key, ())


def well_formed(key: str, text: str) -> bool:
    """Whether a request can carry ``text`` as the value of ``key``."""
    form = _FORMS.get(key)
    return form is None or form(text)


def has_form(key: str) -> bool:
    """Whether some texts are no value of ``key``."""
    return key in _FORMS


def account_in(principal_arn: object) -> str | None:
    """The account of an ``aws:PrincipalArn``."""
    return principal_arn.split(":")[4] if isinstance(principal_arn, str) and _principal_arn(principal_arn) else None


def user_in(principal_arn: object) -> str | None:
    """``aws:username`` of an ``aws:PrincipalArn``: only users have one."""
    if account_in(principal_arn) is None or not isinstance(principal_arn, str):
        return None
    kind, _, rest = principal_arn.split(":", 5)[5].partition("/")
    return rest.rpartition("/")[2] if kind == "user" else None


def by_arn(condition: Condition) -> Condition:
    """A condition on ``aws:PrincipalAccount`` as one on the account in ``aws:PrincipalArn``; any other as it is.

    Both keys are in every signed request and name the same account: as two keys they could contradict each other.
    """
    form = read_operator(condition.operator)
    if condition.key.lower() != PRINCIPAL_ACCOUNT or form is None or form.operator is None or form.qualifier:
        return condition
    name = form.operator.name
    if not name.startswith("String") or any("${" in value for value in condition.values):
        return condition
    like = name.endswith("Like")
    # An account has neither colons nor wildcards: a value that has them equals none.
    named = [value for value in condition.values if ":" not in value and (like or not {"*", "?"} & set(value))]
    operator = "ArnNotLike" if form.operator.negated else "ArnLike"
    return Condition(operator, "aws:PrincipalArn", tuple(f"arn:*:*:*:{value}:*" for value in named))


def contradictory(context: Mapping[str, object], resource_account: str | None) -> str | None:
    """Which key of a request (in lower case) cannot have its value beside the others; ``None`` when all can."""
    for key, value in context.items():
        if isinstance(value, str) and not well_formed(key, value):
            return key
    named = account_in(context.get(PRINCIPAL_ARN))
    if named is not None and context.get(PRINCIPAL_ACCOUNT, named) != named:
        return PRINCIPAL_ACCOUNT
    name = user_in(context.get(PRINCIPAL_ARN))
    if PRINCIPAL_ARN in context and context.get(USERNAME, name) != name:
        return USERNAME
    if resource_account is not None and context.get(RESOURCE_ACCOUNT, resource_account) != resource_account:
        return RESOURCE_ACCOUNT
    return None
