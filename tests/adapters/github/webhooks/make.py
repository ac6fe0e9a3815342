"""Keeps the examples of the webhooks Mayfly hears: `python -m tests.adapters.github.webhooks.make [FOLDER]`

FOLDER is the unpacked npm package `@octokit/webhooks-examples`; without one, `npm pack` gets it. Writes `LICENSE` and
`examples.json`, which is `{event: [payload, …]}` with every example of `EVENTS` and every field GitHub sends, but for
the links of repositories and accounts that nobody follows: they are two thirds of the bytes.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.fakes.github.openapi.make import unpacked

HERE = Path(__file__).parent

EVENTS = (
    "check_run",
    "check_suite",
    "deployment",
    "installation",
    "installation_repositories",
    "issue_comment",
    "ping",
    "pull_request",
    "push",
    "status",
)
FOLLOWED = ("clone_url", "html_url")

CREDIT = """\
examples.json is a cut of the npm package {name} {version} by {author} and those who contributed to
{repository}. The package declares the licence {license}, whose terms are:

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice (including the next paragraph) shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def pruned(node: Any) -> Any:
    """`node` without the links of repositories and accounts."""
    if isinstance(node, list):
        return [pruned(one) for one in node]
    if not isinstance(node, dict):
        return node
    is_thing = "node_id" in node and ("full_name" in node or "login" in node)
    return {key: pruned(one) for key, one in node.items() if not (is_thing and is_link(key, one))}


def is_link(key: str, value: object) -> bool:
    return key.endswith("_url") and key not in FOLLOWED and isinstance(value, str)


def make(folder: Path, into: Path = HERE) -> None:
    """Writes `examples.json` and `LICENSE` from the unpacked package in `folder`."""
    package = json.loads((folder / "package.json").read_text())
    events = json.loads((folder / package["main"]).read_text())
    examples = {event["name"]: pruned(event["examples"]) for event in events if event["name"] in EVENTS}
    text = json.dumps(examples, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    (into / "examples.json").write_text(text + "\n")
    (into / "LICENSE").write_text(CREDIT.format_map(package))


if __name__ == "__main__":
    with unpacked("@octokit/webhooks-examples", sys.argv[1:]) as here:
        make(here)
