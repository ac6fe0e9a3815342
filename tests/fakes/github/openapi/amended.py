"""The description for those who cannot be told what is wrong in it; `python -m tests.fakes.github.openapi.amended`
prints it.

| GitHub's description says                                   | GitHub answers                     |
| ----------------------------------------------------------- | ---------------------------------- |
| an installation's account is a user and an enterprise in one | one of the two                     |
| the address of a deployment's status is a URI               | that, or nothing: its own default  |
| a pull request has a head repository                        | null, once the fork was deleted    |

The fake's own check knows the same (`KNOWN` in `server.py`).
"""

import json
from pathlib import Path
from typing import Any

ADDRESSES = ("environment_url", "log_url", "target_url")


def amended(description: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = description["components"]["schemas"]
    for address in ADDRESSES:
        del named["deployment-status"]["properties"][address]["format"]
    for name in ("pull-request", "pull-request-simple"):
        head = named[name]["properties"]["head"]["properties"]
        head["repo"] = {"anyOf": [head["repo"], {"type": "null"}]}
    listed = description["paths"]["/app/installations"]["get"]["responses"]["200"]
    account = listed["content"]["application/json"]["schema"]["items"]["properties"]["account"]
    account["anyOf"] = [kind for one in account["anyOf"] for kind in one.get("allOf", [one])]
    return description


if __name__ == "__main__":
    slice_of_it = json.loads(Path(__file__).with_name("github.json").read_text())
    print(json.dumps(amended(slice_of_it)))  # noqa: T201
