"""Who can be a principal, and who cannot."""

from __future__ import annotations

import pytest

from mantle_iam.errors import InputError
from mantle_iam.iam.principals import CallerKind, read_caller


@pytest.mark.parametrize(
    ("principal", "kind", "account", "name", "arn"),
    [
        ("arn:aws:iam::111122223333:user/team/ada", CallerKind.USER, "111122223333", "ada", None),
        ("arn:aws:iam::111122223333:role/app", CallerKind.ROLE, "111122223333", "app", None),
        (
            "arn:aws-us-gov:sts::111122223333:assumed-role/app/a@b",
            CallerKind.SESSION,
            "111122223333",
            "app",
            "arn:aws-us-gov:iam::111122223333:role/app",
        ),
        ("arn:aws:sts::111122223333:federated-user/bob", CallerKind.FEDERATED_USER, "111122223333", "bob", None),
        ("arn:aws:iam::111122223333:root", CallerKind.ROOT, "111122223333", "", None),
        ("111122223333", CallerKind.ROOT, "111122223333", "", "arn:aws:iam::111122223333:root"),
        ("logs.amazonaws.com", CallerKind.SERVICE, None, "logs.amazonaws.com", None),
        ("*", CallerKind.ANONYMOUS, None, "", None),
    ],
)
def test_every_kind(principal: str, kind: CallerKind, account: str | None, name: str, arn: str | None) -> None:
    caller = read_caller(principal)
    assert (caller.kind, caller.account, caller.name) == (kind, account, name)
    assert caller.principal_arn == (arn or principal)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "abcdefghijkl",
        "1111222233334",
        "arn:aws:iam::111122223333:group/g",
        "arn:aws:iam::111122223333:user/",
        "arn:aws:iam::11112222333:user/ada",
        "arn:aws:sts::111122223333:assumed-role/app",
        "arn:aws:sts::111122223333:assumed-role/app/",
        "arn:aws:sts::111122223333:federated-user/",
        "arn:aws:s3:::bucket",
    ],
)
def test_what_is_no_principal(text: str) -> None:
    with pytest.raises(InputError, match="is not a principal"):
        read_caller(text)
