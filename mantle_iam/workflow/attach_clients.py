"""The boto3 clients that attaching needs, each at the place that the options and the environment name."""

from __future__ import annotations

from collections.abc import Mapping

from mantle_iam.attach.apply import Clients, client, session


def clients(
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    environ: Mapping[str, str],
    *,
    permission_set: bool = False,
) -> Clients:
    """Clients for one run.

    Organizations is asked where it is AWS's, or where the environment says where it is: what stands in for IAM at
    ``endpoint_url`` has nothing to do with the organization at AWS.

    Raises:
        InputError: there is no such profile, or a URL is none.
    """
    elsewhere = endpoint_url or environ.get("AWS_ENDPOINT_URL_IAM")
    named = environ.get("AWS_ENDPOINT_URL_ORGANIZATIONS") or environ.get("AWS_ENDPOINT_URL")
    asks = not elsewhere or named
    # A permission set may be changed without any IAM at hand: an address for IAM says nothing about Identity Center.
    sso_url = None if environ.get("AWS_ENDPOINT_URL_SSO_ADMIN") else endpoint_url
    of = session(profile, region)
    return Clients(
        client(of, endpoint_url),
        client(of, endpoint_url, attempts=1),
        client(of, service="organizations") if asks else None,
        client(of, sso_url, service="sso-admin") if permission_set else None,
    )
