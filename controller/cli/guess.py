"""What an application probably is, from the files of its checkout. Pure: names and a few texts in, a guess out.

first that is there                     how it runs
--------------------------------------  ----------------------------------------------------
Procfile with a `web:` line             that line
FastAPI, Flask or Django among its      uvicorn, flask or manage.py
  requirements
package.json with a `start` script      npm start, `npm ci` as its build
Makefile with `run` or `serve`          make
index.html, here or in public, dist     Python's own file server
nothing of these                        the same, to be replaced
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

READ = ("Procfile", "package.json", "Makefile", "pyproject.toml", "requirements.txt", "manage.py")
"""Files whose text helps; all others by their name alone."""
SITES = ("index.html", "public/index.html", "dist/index.html", "docs/index.html")
PYTHON_MAINS = ("main.py", "app.py", "app/main.py", "src/main.py", "server.py", "wsgi.py")
SEEDS = ("db/seed.sql", "seed.sql", "db/dump.sql", "sql/seed.sql")


@dataclass(frozen=True, slots=True)
class Guess:
    """`why` is for a comment; `sure` whether the person only has to look at it."""

    command: str
    why: str
    sure: bool = True
    build: tuple[str, str] | None = None
    """A command, and the folder that it makes."""
    seed: str | None = None
    migrate: str | None = None


def guess(names: frozenset[str], texts: Mapping[str, str]) -> Guess:
    """`names` are paths in the checkout; `texts` holds what those of READ say."""
    base = _procfile(texts) or _python(names, texts) or _node(texts) or _make(texts) or _site(names)
    seed = next((path for path in SEEDS if path in names), None)
    return Guess(base.command, base.why, base.sure, base.build, seed, _migration(names))


def _procfile(texts: Mapping[str, str]) -> Guess | None:
    match = re.search(r"^web:[ \t]*(\S.*)$", texts.get("Procfile", ""), re.MULTILINE)
    if not match:
        return None
    command = re.sub(r"\$\{?PORT\}?", "{port}", match[1].strip())
    return Guess(command, "the Procfile's `web`")


def _python(names: frozenset[str], texts: Mapping[str, str]) -> Guess | None:
    if "manage.py" in names:
        return Guess("python manage.py runserver --noreload {host}:{port}", "manage.py is Django's")
    wants = f"{texts.get('pyproject.toml', '')}\n{texts.get('requirements.txt', '')}".lower()
    main = next((name for name in PYTHON_MAINS if name in names), None)
    module = main.removesuffix(".py").replace("/", ".") if main else "app"
    if "fastapi" in wants or "starlette" in wants:
        command = f"python -m uvicorn {module}:app --host {{host}} --port {{port}}"
        return Guess(command, "FastAPI is among what it needs", sure=main is not None)
    if "flask" in wants:
        command = f"python -m flask --app {module} run --port {{port}}"
        return Guess(command, "Flask is among what it needs", sure=main is not None)
    if main:
        return Guess(f"python {main}", f"{main} looks like its start", sure=False)
    return None


def _node(texts: Mapping[str, str]) -> Guess | None:
    try:
        package = json.loads(texts.get("package.json", "null"))
        scripts = package.get("scripts", {}) if isinstance(package, dict) else {}
    except (ValueError, RecursionError):
        return None
    if not isinstance(scripts, dict) or "start" not in scripts:
        return None
    return Guess("npm start", "package.json has a `start`; it should listen on $PORT", build=("npm ci", "node_modules"))


def _make(texts: Mapping[str, str]) -> Guess | None:
    match = re.search(r"^(run|serve|start):", texts.get("Makefile", ""), re.MULTILINE)
    return Guess(f"make {match[1]}", f"the Makefile has `{match[1]}`; it should listen on $PORT") if match else None


def _site(names: frozenset[str]) -> Guess:
    page = next((site for site in SITES if site in names), None)
    folder = page.rpartition("/")[0] or "." if page else "."
    command = f"python3 -m http.server {{port}} --bind {{host}} --directory {folder}"
    return Guess(command, f"{page} is a page" if page else "nothing was recognised", sure=page is not None)


def _migration(names: frozenset[str]) -> str | None:
    if "manage.py" in names:
        return "python manage.py migrate --noinput"
    if "alembic.ini" in names:
        return "alembic upgrade head"
    if "prisma/schema.prisma" in names:
        return "npx prisma migrate deploy"
    return None


def write(guessed: Guess, schema: str) -> str:
    """The commented `.preview.yaml`. `schema` is where an editor finds its JSON Schema, relative to the file."""
    parts = [
        f"# yaml-language-server: $schema={schema}",
        "# What this application is, for its previews. Values may use {sha}, {number}, {url} and {port}.",
        "services:",
        "  web:",
        f"    command: {json.dumps(guessed.command, ensure_ascii=False)} # {_remark(guessed)}",
        "    port: 8000 # a preview gets a free port of its own instead, as {port} and $PORT",
        "    # health: /healthz # a path that answers below 400 once it works; otherwise an open port is enough",
        "    # env: {GREETING: hello}",
        *_build(guessed),
        "",
        *_database(guessed),
        "",
        "checks:",
        "  smoke: # quick, and first",
        "    - name: the home page answers",
        "      http: {path: /, expect: {status: 200, within: 2s}}",
        "  # e2e: # once smoke has passed",
        "  #   - name: the suite",
        "  #     command: {run: npm test, junit: report.xml}",
        "",
        "# lifetime: {sleep_after: 30m, expire_after: 2 days} # shorter than the operator's, never longer",
        "# trigger: {drafts: false, paths: ['src/**']} # which pull requests get a preview",
    ]
    return "\n".join(parts) + "\n"


def _remark(guessed: Guess) -> str:
    return guessed.why if guessed.sure else f"{guessed.why}: please put what starts it here"


def _build(guessed: Guess) -> list[str]:
    if guessed.build is None:
        return ["    # build: {command: make, outputs: [dist]} # made once for the same inputs"]
    command, output = guessed.build
    inputs = "package.json, package-lock.json"
    return [
        f"    build: {{command: {command}, inputs: [{inputs}], outputs: [{output}]}} # made once for the same inputs"
    ]


def _database(guessed: Guess) -> list[str]:
    if guessed.seed is None and guessed.migrate is None:
        return [
            "# database:",
            "#   postgres: # a real one; its URL is in $DATABASE_URL",
            "#     seed: [db/seed.sql] # made once, then cloned for every preview",
            "#     migrate: make migrate # runs on the populated clone",
        ]
    seed = f"    seed: [{guessed.seed}]" if guessed.seed else "    # seed: [db/seed.sql]"
    migrate = f"    migrate: {guessed.migrate}" if guessed.migrate else "    # migrate: make migrate"
    return [
        "database:",
        "  postgres: # a real one; its URL is in $DATABASE_URL",
        f"{seed} # made once, then cloned for every preview",
        f"{migrate} # runs on the populated clone",
    ]
