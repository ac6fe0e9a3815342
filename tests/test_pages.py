"""docs/deploys.md, docs/probes.md, docs/access.md and examples/production.yaml are true: what they name is there, and
every knob is named, with its default."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from typer.main import get_command

from controller.access.desk import AccessDesk
from controller.access.model import Scope
from controller.access.needs import Openness, needed
from controller.adapters.notify.webhook import signed
from controller.agent.buffer import ROOM
from controller.api.metrics import Metrics
from controller.api.probe_schemas import ProbeOut
from controller.cli.main import app
from controller.postman import MOST, PATIENCE
from controller.probes import slo
from controller.probes.judge import SEVERITY
from controller.probes.remote import LASTS
from controller.settings import Access, Alerting, Maintenance, Policy, Probe, Probing, Rates, Route, Target, Thresholds
from controller.settings import Watched as Watch
from smoke.documents import load, parse_duration
from smoke.model import Outcome
from tests.api.api import an_api
from tests.fakes.access import FakeAccess
from tests.fakes.desk import FakeDesk

ROOT = Path(__file__).parents[1]
NAMES = ("deploys.md", "probes.md", "access.md")
PAGES = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}
KNOBS: dict[str, list[tuple[str, type[BaseModel]]]] = {
    "deploys.md": [("targets", Target), ("thresholds", Thresholds), ("watch", Watch)],
    "probes.md": [
        ("probes", Probe),
        ("alerts", Alerting),
        ("probing", Probing),
        ("maintenance", Maintenance),
        ("notify", Route),
    ],
    "access.md": [("access", Access), ("rates", Rates)],
}
EXAMPLE = ROOT / "examples" / "production.yaml"


def section(page: str, title: str) -> str:
    """Below a heading of any depth, to the next one."""
    [text] = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGES[page], re.MULTILINE | re.DOTALL)
    return str(text)


def rows(text: str) -> list[list[str]]:
    """Cells of the tables in it, their heads included."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize(
    ("page", "title", "model"), [(page, title, model) for page, them in KNOBS.items() for title, model in them]
)
def test_every_knob_is_on_its_page_with_its_default(page: str, title: str, model: type[BaseModel]) -> None:
    table = {row[0].strip("`"): row[1] for row in rows(section(page, f"`{title}`"))[1:]}

    assert list(table) == list(model.model_fields)
    for name, field in model.model_fields.items():
        value = ... if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
        assert says(table[name], value), f"{name}: {table[name]}, and it is {value}"


def says(cell: str, value: object) -> bool:
    match value:
        case _ if value is ...:
            return cell == "needed"
        case BaseModel():
            return cell == ""
        case None | "" | [] | {} | ():
            return cell == "—"
        case timedelta():
            return parse_duration(cell) == value
        case bool():
            return cell == str(value).lower()
        case list():
            return cell == ", ".join(value)
        case int():
            return cell == f"{value:,}"
        case _:
            return cell == str(value)


SNIPPETS = [
    pytest.param(snippet, id=f"{name}-{number}")
    for name in NAMES
    for number, snippet in enumerate(re.findall(r"^```yaml\n(.*?)^```", PAGES[name], re.MULTILINE | re.DOTALL))
    if "scrape_configs" not in snippet
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_policy_on_the_pages_is_one(snippet: str) -> None:
    if "target:" in snippet:
        snippet += "targets: [{name: production, repository: shop}]\n"
    assert load(snippet.encode(), Policy, "mayfly.yaml").model_fields_set


def test_the_example_is_a_policy_and_uses_what_it_can() -> None:
    policy = load(EXAMPLE.read_bytes(), Policy, EXAMPLE.name)

    assert policy.targets[0].secrets
    assert {alarm.kind for alarm in policy.notify} == {"webhook", "slack"}
    assert [bool(probe.objective) for probe in policy.probes] == [True, True, False]
    assert policy.probing.canaries


def test_every_command_on_the_pages_is_one_with_these_options() -> None:
    found = [command for name in NAMES for command in commands(PAGES[name])]

    assert len(found) > 10
    for command in found:
        here: Any = get_command(app)
        for word in command.split()[1:]:
            here = here.commands[word] if hasattr(here, "commands") else here
        options = {option for parameter in here.params for option in parameter.opts}
        assert set(re.findall(r"(?<= )\[?(--?[a-z]+)", command.partition("#")[0])) <= options, command


def commands(page: str) -> list[str]:
    """What stands in quotes, or after a prompt."""
    consoles = "".join(re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    typed = re.findall(r"^\$ (?:MAYFLY_\w+=\S+ )?(mayfly .*)", consoles, re.MULTILINE)
    return [*typed, *re.findall(r"`(mayfly [^`]+)`", page)]


def test_every_path_of_the_api_on_the_pages_is_served() -> None:
    access, anything = FakeAccess(), object()
    desk = AccessDesk(access, access, lambda: datetime.now(UTC))
    served = an_api(FakeDesk(), targets=anything, probes=anything, access=desk).openapi()["paths"]
    known = [re.sub(r"\{[^}]+\}", "[^/]+", path) for path in served]

    for name in NAMES:
        for path in re.findall(r"/api/v1/[A-Za-z0-9/-]+", PAGES[name]):
            assert any(re.fullmatch(pattern, path) for pattern in known), f"{name}: {path}"


def test_the_table_of_scopes_is_what_is_needed() -> None:
    table = dict(row[:2] for row in rows(section("access.md", "Scopes")) if len(row) == 2)
    asked = {name: re.match(r"`([a-z]+)`", needs) for name, needs in table.items() if "/" in name}

    assert len(asked) == 8
    assert {f"`{scope}`" for scope in Scope} <= table.keys()
    for requests, needs in asked.items():
        for method, path in re.findall(r"`(?:(GET|POST) )?(/[^`]+)`", requests):
            found = needed(method or "GET", path, Openness(everything=False))
            assert found == (Scope(needs[1]) if needs else None), path


def test_the_table_of_burn_rates_is_the_one_that_is_judged_by() -> None:
    table = [row for row in rows(section("probes.md", "Objectives")) if len(row) == 8][1:]
    by_days = {days: slo.burns(0.999, timedelta(days=days)) for days in (30, 7, 90)}

    assert len(table) == len(by_days[30])
    for number, (alarm, severity, _, long, short, *rates) in enumerate(table):
        burn = by_days[30][number]
        assert (alarm, severity) == (f"`{burn.alarm}`", str(SEVERITY[burn.alarm]))
        assert (parse_duration(long), parse_duration(short)) == (burn.long, burn.short)
        assert [float(rate) for rate in rates] == [float(burns[number].rate) for burns in by_days.values()]


@pytest.mark.parametrize(
    ("row", "differing", "words"),
    [
        (0, {"every": "10m"}, "mostly hold no sample; `every: 5m` would do"),
        (1, {"every": "5m", "alerts": {"failures": 20}}, "hold 12 samples, and 20 have to fail"),
        (1, {"every": "5m", "alerts": {"failures": 20}}, "`every: 3m` would do"),
        (2, {"every": "5m", "objective": "99.99% over 7 days"}, "of 2,016 samples 0.202 may fail"),
        (2, {"every": "5m", "objective": "99.99% over 7 days"}, "`every: 20s` would do"),
        (3, {"objective": "90% over 30 days"}, ""),
        (4, {"objective": "80% over 30 days"}, "a page needs 6; add a `rule`"),
    ],
)
def test_the_refusals_on_the_page_are_those(row: int, differing: dict[str, Any], words: str) -> None:
    refused = [row for row in rows(section("probes.md", "Objectives")) if len(row) == 3][1:][row]
    probe = {"name": "shop", "url": "https://shop.example.com", "objective": "99.9% over 30 days"} | differing

    assert str(differing.get("every") or differing["objective"]) in refused[0]
    if not words:
        Probe.model_validate(probe)
        return
    with pytest.raises(ValidationError, match=re.escape(words)):
        Probe.model_validate(probe)


def test_the_signature_is_checked_as_the_page_says() -> None:
    [source] = re.findall(r"^```python\n(.*?)^```", PAGES["probes.md"], re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(source, names)
    is_ours: Callable[[bytes, dict[str, str], bytes], bool] = names["is_ours"]
    now: float = names["time"].time()

    assert is_ours(b"secret", signed(b"secret", b"{}", now), b"{}")
    assert not is_ours(b"another", signed(b"secret", b"{}", now), b"{}")
    assert not is_ours(b"secret", signed(b"secret", b"{}", now), b"{} ")
    assert not is_ours(b"secret", signed(b"secret", b"{}", now - 400), b"{}")
    assert not is_ours(b"secret", signed(b"", b"{}", now), b"{}")


@pytest.mark.parametrize("name", ["deploys.md", "probes.md"])
def test_every_metric_on_the_pages_is_one_and_all_are_there(name: str) -> None:
    prefixes = ("mayfly_target",) if name == "deploys.md" else ("mayfly_probe", "mayfly_notices")
    told = {row[0].strip("`") for row in rows(PAGES[name]) if row[0].startswith("`mayfly_")}
    served = set(re.findall(r"^# TYPE (\S+)", measured().render().decode(), re.MULTILINE))

    assert told == {metric for metric in served if metric.startswith(prefixes) and not metric.endswith("_created")}


def measured() -> Metrics:
    metrics = Metrics()
    metrics.sampled("shop", "here", Outcome.PASSED, timedelta(), timedelta())
    return metrics


def test_the_states_of_a_probe_are_all_told() -> None:
    described = re.findall(r"`([a-z-]+)`", str(ProbeOut.model_fields["state"].description))

    assert [row[0].strip("`") for row in rows(section("probes.md", "Status page"))[1:]] == described


def test_the_bounds_on_the_page_are_those() -> None:
    page = PAGES["probes.md"]

    assert timedelta(hours=1) == MOST
    assert timedelta(days=3) == PATIENCE
    assert timedelta(hours=24) == LASTS
    assert "an hour at most it is tried again, for three days" in page
    assert "within 24 hours" in page
    assert f"({ROOM:,} samples" in page


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    for file, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([a-z-]+))?\)", PAGES[name]):
        assert not file or (ROOT / "docs" / file).exists(), file
        heads = re.findall(r"^##+ (.+)$", PAGES[file or name], re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^a-z -]", "", head.lower()).replace(" ", "-") for head in heads}
