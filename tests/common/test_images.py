"""What the name of an image means, and which the policy lets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.common.images import images_allowed, parse, why_not
from controller.errors import Refused

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.29", "docker.io/library/nginx:1.29"),
        ("acme/web", "docker.io/acme/web:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/acme/web", "docker.io/acme/web:latest"),
        ("registry-1.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("GHCR.io/acme/web:V1", "ghcr.io/acme/web:V1"),
        ("localhost/web", "localhost/web:latest"),
        ("localhost:5000/web:1", "localhost:5000/web:1"),
        ("registry:5000/a/b/c", "registry:5000/a/b/c:latest"),
        (f"nginx@{SHA}", f"docker.io/library/nginx@{SHA}"),
        (f"quay.io/acme/web:1@{SHA}", f"quay.io/acme/web:1@{SHA}"),
        ("acme/a__b.c-d--e/f", "docker.io/acme/a__b.c-d--e/f:latest"),
    ],
)
def test_a_name_is_read_as_container_engines_read_it(image, whole):
    assert str(parse(image)) == whole


@pytest.mark.parametrize(
    "image",
    [
        "",
        " nginx",
        "nginx\n",
        "Acme/web",
        "acme/Web",
        "acme//web",
        "acme/web:",
        "acme/web:a b",
        "acme/web@sha256:abc",
        "acme/web@",
        f"acme/web@{SHA}@{SHA}",
        "https://ghcr.io/acme/web",
        "user:password@ghcr.io/acme/web",
        "ghcr.io/../web",
        "ghcr.io:port/web",
        "-evil.io/web",
        SHA,
        "sha256:abcdef",
        "a" * 64,
        "a/" * 127 + "ab",
    ],
)
def test_what_is_no_name_is_refused(image):
    with pytest.raises(Refused, match="is not the name of an image"):
        parse(image)


def test_a_digest_is_asked_for_before_a_tag():
    assert parse(f"acme/web:1@{SHA}").wanted == SHA
    assert parse("acme/web:1").at(SHA).wanted == SHA


@pytest.mark.parametrize(
    ("image", "registries", "is_allowed"),
    [
        ("anywhere.example/web", [], True),
        ("ghcr.io/acme/web:1", ["ghcr.io/acme"], True),
        ("ghcr.io/acme/web:1", ["https://ghcr.io/acme/"], True),
        ("ghcr.io/acme/web:1", ["quay.io", "ghcr.io"], True),
        ("ghcr.io/acme/web", ["ghcr.io/acme/web"], True),
        ("GHCR.IO/acme/web", ["ghcr.io/acme"], True),
        ("ghcr.io/acme-evil/web", ["ghcr.io/acme"], False),
        ("ghcr.io/acmeweb", ["ghcr.io/acme"], False),
        ("ghcr.io.evil.example/acme/web", ["ghcr.io"], False),
        ("ghcr.io:8443/acme/web", ["ghcr.io"], False),
        ("evil.example/ghcr.io/acme/web", ["ghcr.io/acme"], False),
        ("nginx", ["docker.io/library"], True),
        ("nginx", ["docker.io"], True),
        ("nginx", ["library/nginx"], True),
        ("acme/web", ["acme"], True),
        ("acme/web", ["index.docker.io/acme"], True),
        ("ghcr.io/acme/web", ["acme"], False),
        ("ghcr.io/acme/web:{sha}", ["ghcr.io/acme"], True),
        ("ghcr.io/acme/pr-{number}:{sha}", ["ghcr.io/acme"], True),
        ("ghcr.io/{number}/web", ["ghcr.io/1"], False),
        ("nonsense image", [], False),
    ],
)
def test_an_image_is_let_in_by_whole_parts_of_its_name(image, registries, is_allowed):
    assert images_allowed(image, registries) is is_allowed


def test_the_reason_names_the_image_and_the_registries():
    assert why_not("acme/web", ["ghcr.io/acme", "quay.io"]) == (
        "the image `docker.io/acme/web` is not from a registry that the policy allows (ghcr.io/acme, quay.io)"
    )


@given(st.text(alphabet="aA0.:/@-_{} \n", max_size=40))
def test_a_name_that_is_read_is_read_the_same_again(image):
    try:
        whole = parse(image)
    except Refused:
        return
    assert parse(str(whole)) == whole
