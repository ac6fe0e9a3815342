"""docs/github.md and examples/github-app.json are true: what they name is there, and all of it is named."""

import json
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.adapters.github import limits
from controller.adapters.github.events import HEARD
from controller.adapters.github.inbox import MAX_BODY
from controller.adapters.github.meter import Limit, Outcome
from controller.api.metrics import Metrics
from controller.settings import Policy
from smoke.documents import load

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "github.md").read_text()
MANIFEST = json.loads((ROOT / "examples" / "github-app.json").read_text())
OPENAPI = json.loads((ROOT / "tests" / "fakes" / "github" / "openapi" / "github.json").read_text())
TOLD_TO_ALL = {"installation", "installation_repositories"}
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Cells of the tables in it, without their heads."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("|")]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [[first.strip("`"), *others] for first, *others in cells]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_policy_on_the_page_is_one(snippet: str) -> None:
    assert load(snippet.encode(), Policy, "mayfly.yaml").forge == "github"


def test_the_table_of_permissions_the_link_and_the_manifest_ask_for_the_same() -> None:
    table = {row[0]: row[1] for row in rows(section("Permissions, and why each")) if row[2:3] == ["must"]}
    [link] = re.findall(r"https://github\.com/settings/apps/new\?\S+", PAGE)
    asked = parse_qs(urlsplit(link).query)

    assert table == MANIFEST["default_permissions"]
    assert {name: asked[name] for name in table} == {name: [level] for name, level in table.items()}
    assert asked["events[]"] == MANIFEST["default_events"]
    assert asked["webhook_url"] == [MANIFEST["hook_attributes"]["url"]]
    known = {"name", "url", "public", "webhook_active", "webhook_url", "events[]"}
    assert asked.keys() == known | table.keys()


def test_every_permission_is_one_of_githubs() -> None:
    known = OPENAPI["components"]["schemas"]["app-permissions"]["properties"]

    for name, level in MANIFEST["default_permissions"].items():
        assert level in known[name]["enum"]


def test_an_app_hears_what_is_read_and_nothing_else() -> None:
    told = [row[0] for row in rows(section("Permissions, and why each")) if row[0] in HEARD]

    assert set(MANIFEST["default_events"]) == set(told) == set(HEARD) - TOLD_TO_ALL
    assert all(f"`{event}`" in PAGE for event in TOLD_TO_ALL)


def test_every_limit_is_on_the_page() -> None:
    told = section("GitHub's limits")

    for name, limit in vars(limits).items():
        if name.isupper():
            assert any(re.search(rf"(?<![\d,]){re.escape(words)}(?![\d,])", told) for words in said(limit)), name
    assert f"{MAX_BODY // 2**20} MiB" in told


def said(limit: int | timedelta) -> list[str]:
    if isinstance(limit, timedelta):
        minutes = limit // timedelta(minutes=1)
        return ["1 hour"] if minutes == 60 else [f"{minutes} minute{'s' * (minutes > 1)}"]
    return [f"{limit:,}", f"{limit // 2**10} KiB" if limit < 2**20 else f"{limit // 2**20} MiB"]


def test_every_metric_on_the_page_is_one_and_has_these_labels() -> None:
    table = {row[0]: row[1] for row in rows(section("When something does not work")) if row[0].startswith("mayfly_")}
    metrics = Metrics()
    metrics.asked("ok")
    metrics.throttled("quota")
    metrics.heard("push", "new")
    served = metrics.render().decode()

    assert len(table) == 5
    assert all(re.search(rf"^{name}[ {{]", served, re.MULTILINE) for name in table)
    assert all(f"`{outcome}`" in table["mayfly_forge_requests_total"] for outcome in Outcome)
    assert all(f"`{limit}`" in table["mayfly_forge_throttled_total"] for limit in Limit)


def test_every_link_within_the_page_and_beside_it_leads_somewhere() -> None:
    pages = {name: (ROOT / "docs" / name).read_text() for name in ("github.md", "kubernetes.md")}

    for file, anchor in re.findall(r"\]\((?:([a-z]+\.md))?(?:#([a-z-]+))?\)", PAGE):
        heads = re.findall(r"^## (.+)$", pages[file or "github.md"], re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^a-z -]", "", head.lower()).replace(" ", "-") for head in heads}
