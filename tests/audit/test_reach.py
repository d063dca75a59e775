"""Every resource lies in one of the classes that are found, and each of these has a resource that is one."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from mantle_iam.audit.reach import NAME, REGION, Patterns
from mantle_iam.iam.language import plain
from mantle_iam.iam.matching import glob

KIND = f"a:{REGION}:1:p/{NAME}"
TEXTS = st.text("a1:p/*?x-", max_size=8) | st.builds(
    "a:{}:1:p/{}".format, st.sampled_from(["*", "?", "x*", "*-1", "a?"]), st.text("ab*?/x", max_size=5)
)
RESOURCES = st.builds(
    "a:{}:1:p/{}".format, st.text("ax1-", min_size=1, max_size=4), st.text("abx-1", min_size=1, max_size=5)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.lists(RESOURCES, min_size=1, max_size=8))
def test_every_resource_lies_in_a_class_that_is_found(texts: list[str], resources: list[str]) -> None:
    patterns = Patterns([plain(text) for text in texts])
    classes = patterns.classes(KIND)
    assert classes is not None
    for bits, text in classes.items():
        assert patterns.matched(text) == bits
        head, region, one, name = text.split(":", 3)
        assert (head, one, name[:2], bool(region), len(name) > 2) == ("a", "1", "p/", True, True)
    for resource in resources:
        bits = sum(1 << index for index, text in enumerate(texts) if glob(text).matches(resource))
        assert patterns.matched(resource) == bits
        assert bits in classes


def test_a_region_is_never_more_than_a_region() -> None:
    """What would match only if a colon stood in the region is matched by nothing."""
    classes = Patterns([plain("a:*:*:1:*")]).classes(f"a:{REGION}:1:p")
    assert classes == {0: classes[0]} if classes else False


def test_what_is_too_much_is_given_up_in_time() -> None:
    began = time.perf_counter()
    letters = "abcdefghijklmnop"
    assert Patterns([plain(f"*{one}*{other}*") for one in letters for other in letters]).classes(KIND) is None
    assert time.perf_counter() - began < 5
