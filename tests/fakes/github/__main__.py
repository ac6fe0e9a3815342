"""The fake GitHub in a process of its own, for the demo: python -m tests.fakes.github --folder F [--port N]

Makes `acme/shop` with what is in `--files`, people `ada` (write) and `eve` (none), and, where it is given a public
key, an App that is installed there; webhooks go to `--webhooks URL` if `--secret` is given with it. Then it prints one
line of JSON: `url`, `api`, `repository`, `tokens` by login, `app`. SIGTERM ends it, with an exit code that is not 0
where something that was asked, or answered, was not as GitHub describes itself.
"""

import argparse
import asyncio
import contextlib
import json
import signal
from pathlib import Path

from tests.fakes.github import FakeGitHub
from tests.fakes.github.git import Files
from tests.fakes.github.people import PERMISSIONS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.github", description="A small GitHub.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="where its repositories are made")
    parser.add_argument("--repository", default="acme/shop")
    parser.add_argument("--files", type=Path, help="a folder: the first commit")
    parser.add_argument("--app-key", type=Path, help="public key of the App, PEM")
    parser.add_argument("--app-id", type=int, default=7)
    parser.add_argument("--webhooks", default="", help="where the App is told what happens")
    parser.add_argument("--secret", default="")
    return parser.parse_args()


def files_in(folder: Path | None) -> Files | None:
    if folder is None:
        return None
    found = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


async def main() -> None:
    options = arguments()
    async with FakeGitHub(options.folder, port=options.port) as github:
        shop = github.repository(options.repository, files_in(options.files))
        people = [github.user("ada", shop, permission="admin"), github.user("eve")]
        if options.app_key is not None:
            granted = PERMISSIONS | {"administration": "write", "actions": "read"}
            github.install(github.app(options.app_id, options.app_key.read_text(), permissions=granted), shop)
        if options.webhooks:
            github.webhooks.to(options.webhooks, options.secret)
        tokens = {person.login: github.token(person) for person in people}
        about = {"url": github.url, "api": github.api, "repository": shop.full_name, "tokens": tokens}
        print(json.dumps(about | {"app": options.app_id if options.app_key else None}), flush=True)  # noqa: T201
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        await ended.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
