import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.common.spec import Spec
from controller.previews.hosts import DEFAULT_PATTERN, MAX_LABEL, PATTERN, host_label


@pytest.mark.parametrize(
    ("pattern", "repo", "label"),
    [
        pytest.param(DEFAULT_PATTERN, "shop", "pr-7-shop", id="what fits is left as it is"),
        pytest.param("pr-{number}-{service}-{repo}", "shop", "pr-7-web-shop", id="the service is put in"),
        pytest.param(DEFAULT_PATTERN, "acme/shop", "pr-7-acme-shop", id="an owner stands before it"),
        pytest.param("pr-{number}-web", "shop", "pr-7-web", id="a pattern may leave out the repository"),
        pytest.param(DEFAULT_PATTERN, "Shop", "pr-7-shop-2192ec04", id="a capital letter is told apart"),
        pytest.param(DEFAULT_PATTERN, "my.shop", "pr-7-my-shop-a4105bd8", id="a dot is told apart from a hyphen"),
        pytest.param(DEFAULT_PATTERN, "s" * 90, "pr-7-" + "s" * 49 + "-c96326e4", id="a long one is cut"),
    ],
)
def test_host_label(pattern, repo, label):
    assert host_label(pattern, 7, repo, "web") == label


@given(st.from_regex(PATTERN, fullmatch=True), st.integers(1, 10**6), st.text(max_size=120))
def test_a_label_is_always_a_label_of_its_number(pattern, number, repo):
    label = host_label(pattern, number, repo, "web")
    assert re.fullmatch(rf"pr-{number}(-[a-z0-9-]*[a-z0-9])?", label)
    assert len(label) <= MAX_LABEL


@given(st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True), unique=True, max_size=20))
def test_two_repositories_never_share_a_label(repos):
    assert len({host_label(DEFAULT_PATTERN, 7, repo) for repo in repos}) == len(repos)


def test_the_spec_and_the_push_agree_about_patterns():
    field = Spec.model_fields["url"]
    assert field.default == DEFAULT_PATTERN
    assert any(getattr(rule, "pattern", None) == PATTERN for rule in field.metadata)
