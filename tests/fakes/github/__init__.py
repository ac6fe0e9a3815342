"""A small GitHub of our own: a real HTTP server and real git, driven by its people and read afterwards.

async with FakeGitHub(tmp_path) as github:              # github.url, github.api
    shop = github.repository("acme/shop", {"README.md": "hello\n"})
    ada = github.user("ada", shop, permission="write")  # github.token(ada)
    pull = shop.open("feature", {"a.txt": "1\n"}, ada)  # pull.push({...}), pull.comment("/preview pin"), pull.merge()
    fork = shop.fork(github.user("eve"))                # fork.open(...), fork.delete()
    app = github.app(7, public_key_pem)                 # github.install(app, shop), github.suspend(...)
    pull.comments, pull.checks, pull.deployments        # what came of it
    github.faults.fail(502, times=2, path="comments")   # what goes wrong; github.down(), github.limits.secondary()
    github.webhooks.to(url, secret="...")               # await github.webhooks.settled()
    github.clock.advance(minutes=61)
    github.requests["GET", "/repos/{owner}/{repo}/pulls"]

Every request and every response is held against GitHub's own description: leaving raises where one was not like it.
"""

from tests.fakes.github.git import Link, Submodule
from tests.fakes.github.github import FakeGitHub
from tests.fakes.github.pulls import Pull
from tests.fakes.github.repositories import Repository

__all__ = ["FakeGitHub", "Link", "Pull", "Repository", "Submodule"]
