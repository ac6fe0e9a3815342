"""Things as GitHub's JSON, with every field that its description requires. Pure, but for what git says of a commit."""

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.fakes.github.git import Change, Entry
from tests.fakes.github.people import App, Installation, Token, User
from tests.fakes.github.things import Comment, Environment, Reaction

if TYPE_CHECKING:
    from tests.fakes.github.pulls import Pull
    from tests.fakes.github.repositories import Repository
    from tests.fakes.github.state import State

Json = dict[str, Any]

USER_URLS = {
    "followers_url": "followers",
    "following_url": "following{/other_user}",
    "gists_url": "gists{/gist_id}",
    "starred_url": "starred{/owner}{/repo}",
    "subscriptions_url": "subscriptions",
    "organizations_url": "orgs",
    "repos_url": "repos",
    "events_url": "events{/privacy}",
    "received_events_url": "received_events",
}
REPOSITORY_URLS = {
    "archive_url": "{archive_format}{/ref}",
    "assignees_url": "assignees{/user}",
    "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}",
    "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "contributors_url": "contributors",
    "deployments_url": "deployments",
    "downloads_url": "downloads",
    "events_url": "events",
    "forks_url": "forks",
    "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}",
    "git_tags_url": "git/tags{/sha}",
    "hooks_url": "hooks",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}",
    "keys_url": "keys{/key_id}",
    "labels_url": "labels{/name}",
    "languages_url": "languages",
    "merges_url": "merges",
    "milestones_url": "milestones{/number}",
    "notifications_url": "notifications{?since,all,participating}",
    "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}",
    "stargazers_url": "stargazers",
    "statuses_url": "statuses/{sha}",
    "subscribers_url": "subscribers",
    "subscription_url": "subscription",
    "tags_url": "tags",
    "teams_url": "teams",
    "trees_url": "git/trees{/sha}",
}


def node(kind: str, number: int | str) -> str:
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def user(url: str, person: User) -> Json:
    return _user(url, person.id, person.login, person.type)


@lru_cache(maxsize=10_000)
def _user(url: str, number: int, login: str, kind: str) -> Json:
    quoted = quote(login)  # an App's ends with [bot]
    api = f"{url}/api/v3/users/{quoted}"
    about: Json = {"login": login, "id": number, "node_id": node("User", number), "type": kind, "site_admin": False}
    about |= {"avatar_url": f"{url}/avatars/u/{number}", "gravatar_id": "", "url": api, "html_url": f"{url}/{quoted}"}
    return about | {name: f"{api}/{path}" for name, path in USER_URLS.items()}


def me(url: str, person: User) -> Json:
    """As somebody sees themselves."""
    texts = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name", "twitter_username"))
    numbers = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
    return user(url, person) | texts | numbers | {"created_at": person.created_at, "updated_at": person.created_at}


def minimal_repository(repo: "Repository") -> Json:
    api = repo.api_url
    about: Json = {"id": repo.id, "node_id": node("Repository", repo.id), "name": repo.name, "url": api}
    about |= {"full_name": repo.full_name, "private": repo.private, "owner": user(repo.state.url, repo.owner)}
    about |= {"html_url": repo.url, "description": None, "fork": repo.parent is not None}
    return about | _urls(api)


@lru_cache(maxsize=1000)
def _urls(api: str) -> Json:
    return {name: f"{api}/{path}" for name, path in REPOSITORY_URLS.items()}


def repository(repo: "Repository") -> Json:
    open_pulls = sum(pull.open for pull in repo.pulls.values()) if len(repo.pulls) < 100 else len(repo.pulls)
    host = repo.state.url.split("//")[-1]
    about = minimal_repository(repo) | dict.fromkeys(("homepage", "language", "mirror_url", "license"))
    about |= dict.fromkeys(("archived", "disabled", "has_pages", "has_wiki", "has_discussions", "is_template"), False)
    about |= dict.fromkeys(("has_issues", "has_projects", "has_downloads", "allow_forking"), True)
    about |= dict.fromkeys(("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size"), 0)
    about |= {"open_issues": open_pulls, "open_issues_count": open_pulls, "default_branch": repo.main, "topics": []}
    about |= {"clone_url": f"{repo.url}.git", "svn_url": repo.url, "git_url": f"git://{host}/{repo.full_name}.git"}
    about |= {"ssh_url": f"git@{host}:{repo.full_name}.git", "visibility": "private" if repo.private else "public"}
    return about | {"created_at": repo.created_at, "updated_at": repo.created_at, "pushed_at": repo.pushed_at}


def full_repository(repo: "Repository") -> Json:
    more: Json = {"network_count": 0, "subscribers_count": 0}
    if repo.parent is not None:
        more |= {"parent": repository(repo.parent), "source": repository(repo.parent)}
    return repository(repo) | more


def repo_brief(repo: "Repository") -> Json:
    names = ("id", "node_id", "name", "full_name", "private")
    about = minimal_repository(repo)
    return {name: about[name] for name in names}


def pull_simple(pull: "Pull", known: dict[int, Json] | None = None) -> Json:
    """As in a list. `known` keeps repositories that were written out already."""
    repo, url = pull.repo, pull.repo.state.url
    api, issue = f"{repo.api_url}/pulls/{pull.number}", f"{repo.api_url}/issues/{pull.number}"
    author = user(url, pull.author)
    about: Json = {"id": pull.id, "node_id": node("PullRequest", pull.id), "number": pull.number, "url": api}
    about |= {"html_url": pull.url, "diff_url": f"{pull.url}.diff", "patch_url": f"{pull.url}.patch"}
    about |= {"issue_url": issue, "state": "open" if pull.open else "closed", "locked": pull.locked}
    about |= {"title": pull.title, "user": author, "body": pull.body or None, "draft": pull.draft}
    about |= {"created_at": pull.created_at, "updated_at": pull.updated_at, "closed_at": pull.closed_at}
    about |= {"merged_at": pull.closed_at if pull.merged else None, "merge_commit_sha": pull.merge_commit}
    about |= dict.fromkeys(("assignee", "milestone", "auto_merge", "active_lock_reason"))
    about |= {"assignees": [], "requested_reviewers": [], "requested_teams": []}
    about |= {"labels": [label(repo, name) for name in pull.labels], "author_association": _association(pull)}
    about |= {"commits_url": f"{api}/commits", "review_comments_url": f"{api}/comments"}
    about |= {"review_comment_url": f"{repo.api_url}/pulls/comments{{/number}}", "comments_url": f"{issue}/comments"}
    about |= {"statuses_url": f"{repo.api_url}/statuses/{pull.head}", "_links": _links(pull, api, issue)}
    written = {} if known is None else known
    about["head"] = _side(pull.head_repo, pull.branch, pull.head, written)
    about["base"] = _side(repo, pull.base, pull.base_sha, written)
    return about


def pull(pull: "Pull") -> Json:
    changes = pull.repo.git.changes(pull.base_sha, pull.head)
    state = "unknown" if not pull.open else "draft" if pull.draft else pull.mergeable_state
    about: Json = {"merged": pull.merged, "mergeable": None if state == "unknown" else state != "dirty"}
    about |= {"rebaseable": about["mergeable"], "mergeable_state": state, "maintainer_can_modify": False}
    about |= {"merged_by": user(pull.repo.state.url, pull.merged_by) if pull.merged_by else None}
    about |= {"comments": len(pull.comments), "review_comments": 0, "changed_files": len(changes)}
    about |= {"commits": pull.repo.git.count(pull.base_sha, pull.head)}
    about |= {"additions": sum(one.additions for one in changes), "deletions": sum(one.deletions for one in changes)}
    return pull_simple(pull) | about


def _links(pull: "Pull", api: str, issue: str) -> Json:
    links = {"self": api, "html": pull.url, "issue": issue, "comments": f"{issue}/comments"}
    links |= {"review_comments": f"{api}/comments", "commits": f"{api}/commits"}
    links |= {"review_comment": f"{pull.repo.api_url}/pulls/comments{{/number}}"}
    links |= {"statuses": f"{pull.repo.api_url}/statuses/{pull.head}"}
    return {name: {"href": href} for name, href in links.items()}


def _side(repo: "Repository", branch: str, sha: str, written: dict[int, Json]) -> Json:
    """`repo` is null once it is deleted, and `user` stays."""
    if repo.id not in written:
        written[repo.id] = repository(repo)
    about = {"label": f"{repo.owner.login}:{branch}", "ref": branch, "sha": sha}
    return about | {"user": user(repo.state.url, repo.owner), "repo": None if repo.deleted else written[repo.id]}


def label(repo: "Repository", name: str) -> Json:
    about: Json = {"id": 1 + sum(name.encode()), "node_id": node("Label", name), "name": name, "color": "ededed"}
    return about | {"url": f"{repo.api_url}/labels/{name}", "description": "", "default": False}


def _association(pull: "Pull") -> str:
    if pull.author is pull.repo.owner:
        return "OWNER"
    return "COLLABORATOR" if pull.author.login in pull.repo.roles else "NONE"


def issue(pull: "Pull") -> Json:
    """The pull request as `issue_comment` has it."""
    simple = pull_simple(pull)
    names = ("id", "node_id", "number", "title", "user", "labels", "state", "locked", "assignee", "assignees", "draft")
    about = {name: simple[name] for name in names}
    more = ("milestone", "created_at", "updated_at", "closed_at", "author_association", "active_lock_reason", "body")
    about |= {name: simple[name] for name in more} | {"comments": len(pull.comments)}
    url = simple["issue_url"]
    about |= {"url": url, "repository_url": pull.repo.api_url, "labels_url": f"{url}/labels{{/name}}"}
    about |= {"comments_url": f"{url}/comments", "events_url": f"{url}/events", "html_url": pull.url}
    links = {name: simple[name] for name in ("url", "html_url", "diff_url", "patch_url", "merged_at")}
    return about | {"pull_request": links, "reactions": _reactions(url, [])}


def comment(repo: "Repository", found: Comment) -> Json:
    pull, api = repo.pulls[found.number], f"{repo.api_url}/issues/comments/{found.id}"
    about: Json = {"id": found.id, "node_id": node("IssueComment", found.id), "url": api, "body": found.body}
    about |= {"html_url": f"{pull.url}#issuecomment-{found.id}", "user": user(repo.state.url, found.user)}
    about |= {"issue_url": f"{repo.api_url}/issues/{found.number}", "author_association": "NONE"}
    about |= {"created_at": found.created_at, "updated_at": found.updated_at}
    about["performed_via_github_app"] = app(repo.state, found.app) if found.app else None
    return about | {"reactions": _reactions(api, found.reactions)}


KINDS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def _reactions(url: str, all_: list[Reaction]) -> Json:
    counts = {kind: sum(one.content == kind for one in all_) for kind in KINDS}
    return {"url": f"{url}/reactions", "total_count": len(all_)} | counts


def reaction(repo: "Repository", found: Reaction) -> Json:
    about: Json = {"id": found.id, "node_id": node("Reaction", found.id), "content": found.content}
    return about | {"user": user(repo.state.url, found.user), "created_at": found.created_at}


def file(repo: "Repository", revision: str, change: Change) -> Json:
    about: Json = {"sha": change.sha, "filename": change.path, "status": change.status}
    about |= {"additions": change.additions, "deletions": change.deletions}
    about |= {"changes": change.additions + change.deletions, "blob_url": f"{repo.url}/blob/{revision}/{change.path}"}
    about |= {"raw_url": f"{repo.url}/raw/{revision}/{change.path}"}
    about |= {"contents_url": f"{repo.api_url}/contents/{change.path}?ref={revision}"}
    return about | ({"previous_filename": change.previous} if change.previous else {})


def commit(repo: "Repository", sha: str) -> Json:
    found, api = repo.git.read_commit(sha), f"{repo.api_url}/commits/{sha}"
    who = {"name": found.author, "email": found.email, "date": found.at}
    git: Json = {"author": who, "committer": who, "message": found.message, "comment_count": 0}
    git |= {"tree": {"sha": found.tree, "url": f"{repo.api_url}/git/trees/{found.tree}"}}
    git |= {"url": f"{repo.api_url}/git/commits/{sha}"}
    known = repo.state.users.get(found.author)
    author = user(repo.state.url, known) if known else None
    about: Json = {"sha": sha, "node_id": node("Commit", sha), "url": api, "html_url": f"{repo.url}/commit/{sha}"}
    about |= {"commit": git, "author": author, "committer": author, "comments_url": f"{api}/comments"}
    above = repo.git.parents(sha)
    return about | {"parents": [{"sha": one, "url": f"{repo.api_url}/commits/{one}"} for one in above]}


def branch(repo: "Repository", name: str, sha: str) -> Json:
    api = f"{repo.api_url}/branches/{quote(name, safe='')}"
    about: Json = {"name": name, "commit": commit(repo, sha), "protected": False, "protection": {"enabled": False}}
    about |= {"_links": {"self": api, "html": f"{repo.url}/tree/{quote(name)}"}}
    return about | {"protection_url": f"{api}/protection"}


def tree_entry(repo: "Repository", entry: Entry) -> Json:
    about: Json = {"path": entry.path, "mode": entry.mode, "type": entry.type, "sha": entry.sha}
    if entry.type == "blob":
        about["size"] = entry.size
    place = {"blob": "blobs", "tree": "trees"}.get(entry.type)
    return about | ({"url": f"{repo.api_url}/git/{place}/{entry.sha}"} if place else {})


def blob(repo: "Repository", sha: str, content: bytes) -> Json:
    about: Json = {"sha": sha, "node_id": node("Blob", sha), "size": len(content), "encoding": "base64"}
    return about | {"url": f"{repo.api_url}/git/blobs/{sha}", "content": base64.encodebytes(content).decode()}


def environment(repo: "Repository", found: Environment) -> Json:
    about: Json = {"id": found.id, "node_id": node("Environment", found.id), "name": found.name}
    about |= {"url": f"{repo.api_url}/environments/{found.name}", "html_url": f"{repo.url}/deployments/activity_log"}
    about |= {"created_at": found.created_at, "updated_at": found.created_at, "protection_rules": []}
    return about | {"deployment_branch_policy": None}


def app(state: "State", found: App) -> Json:
    about: Json = {"id": found.id, "slug": found.slug, "node_id": node("Integration", found.id), "name": found.slug}
    about |= {"owner": user(state.url, found.owner), "description": None, "external_url": f"{state.url}/{found.slug}"}
    about |= {"html_url": f"{state.url}/apps/{found.slug}", "permissions": found.permissions}
    return about | {"created_at": found.created_at, "updated_at": found.created_at, "events": sorted(found.events)}


def installation(state: "State", found: Installation) -> Json:
    api = f"{state.url}/api/v3"
    about: Json = {"id": found.id, "app_id": found.app.id, "app_slug": found.app.slug}
    about |= {
        "events": sorted(found.app.events),
        "account": user(state.url, found.account),
        "target_id": found.account.id,
    }
    about |= {"single_file_name": None, "target_type": found.account.type, "repository_selection": "selected"}
    about |= {"permissions": found.permissions}
    about |= {"access_tokens_url": f"{api}/app/installations/{found.id}/access_tokens"}
    about |= {"repositories_url": f"{api}/installation/repositories", "suspended_at": found.suspended_at}
    about |= {"html_url": f"{state.url}/settings/installations/{found.id}"}
    about |= {"suspended_by": user(state.url, found.account) if found.suspended_at else None}
    return about | {"created_at": found.created_at, "updated_at": found.created_at}


def token(found: Token, expires_at: str) -> Json:
    about: Json = {"token": found.value, "expires_at": expires_at, "permissions": found.permissions}
    return about | {"repository_selection": "selected"}


def push_commit(repo: "Repository", sha: str) -> Json:
    found = repo.git.read_commit(sha)
    who = {"name": found.author, "email": found.email, "username": found.author}
    about: Json = {"id": sha, "tree_id": found.tree, "distinct": True, "message": found.message, "timestamp": found.at}
    about |= {"url": f"{repo.url}/commit/{sha}", "author": who, "committer": who}
    return about | {"added": [], "removed": [], "modified": []}
