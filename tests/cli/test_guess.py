import pytest

from controller.cli.guess import Guess, guess, write
from controller.common.spec import Spec, parse

CASES = [
    pytest.param(
        {"Procfile": "release: true\nweb: gunicorn app:app -b 0.0.0.0:$PORT\n"},
        "gunicorn app:app -b 0.0.0.0:{port}",
        id="a Procfile is believed",
    ),
    pytest.param(
        {"pyproject.toml": 'dependencies = ["fastapi"]', "app/main.py": ""},
        "python -m uvicorn app.main:app --host {host} --port {port}",
        id="FastAPI",
    ),
    pytest.param(
        {"requirements.txt": "Flask==3\n", "app.py": ""}, "python -m flask --app app run --port {port}", id="Flask"
    ),
    pytest.param({"manage.py": ""}, "python manage.py runserver --noreload {host}:{port}", id="Django"),
    pytest.param({"package.json": '{"scripts": {"start": "node ."}}'}, "npm start", id="Node"),
    pytest.param({"Makefile": "all:\n\nserve: all\n\t./serve\n"}, "make serve", id="a Makefile"),
    pytest.param(
        {"public/index.html": ""},
        "python3 -m http.server {port} --bind {host} --directory public",
        id="a static site",
    ),
    pytest.param(
        {"package.json": "[1,"}, "python3 -m http.server {port} --bind {host} --directory .", id="broken JSON"
    ),
    pytest.param(
        {"package.json": '{"scripts": [1]}'},
        "python3 -m http.server {port} --bind {host} --directory .",
        id="odd JSON",
    ),
    pytest.param({}, "python3 -m http.server {port} --bind {host} --directory .", id="nothing"),
]


def guessed(files: dict[str, str]) -> Guess:
    return guess(frozenset(files), files)


def spec_of(found: Guess) -> Spec:
    return parse(write(found, ".mayfly/preview.schema.json"), "0" * 40)


@pytest.mark.parametrize(("files", "command"), CASES)
def test_a_checkout_is_recognised(files: dict[str, str], command: str):
    assert guessed(files).command == command


@pytest.mark.parametrize(("files", "command"), CASES)
def test_what_is_written_is_a_spec_that_says_so(files: dict[str, str], command: str):
    assert spec_of(guessed(files)).services["web"].command == tuple(command.split())


def test_a_seed_and_migrations_are_found():
    spec = spec_of(guessed({"manage.py": "", "db/seed.sql": ""}))
    assert spec.postgres is not None
    assert spec.postgres.seed == ["db/seed.sql"]
    assert spec.postgres.migrate == ("python", "manage.py", "migrate", "--noinput")


@pytest.mark.parametrize(
    ("file", "command"),
    [
        pytest.param("alembic.ini", ("alembic", "upgrade", "head"), id="Alembic"),
        pytest.param("prisma/schema.prisma", ("npx", "prisma", "migrate", "deploy"), id="Prisma"),
    ],
)
def test_a_migration_tool_is_recognised(file: str, command: tuple[str, ...]):
    spec = spec_of(guessed({file: ""}))
    assert spec.postgres is not None
    assert spec.postgres.migrate == command


def test_what_is_a_guess_says_so():
    assert "nothing was recognised: please put what starts it here" in write(guessed({}), "x.json")


def test_a_build_names_what_decides_it():
    build = spec_of(guessed({"package.json": '{"scripts": {"start": "x"}}'})).services["web"].build
    assert build is not None
    assert (build.command, build.inputs, build.outputs) == (
        ("npm", "ci"),
        ["package.json", "package-lock.json"],
        ["node_modules"],
    )


def test_a_command_with_quotes_and_hashes_stays_itself():
    spec = spec_of(guessed({"Procfile": "web: sh -c 'echo \"a: b\" # c'\n"}))
    assert spec.services["web"].command == ("sh", "-c", 'echo "a: b" # c')
