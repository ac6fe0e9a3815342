"""The fake GitHub of Mayfly's own tests, as a process: for a demo that wants no account, and no way out."""

import importlib.util
import os
import secrets
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ValidationError

from controller.cli.chapters import ROOT
from controller.cli.console import UNKNOWN, Failure
from controller.cli.forge_findings import EXTRA
from controller.cli.proof import Unmet, tail, until

MODULE = "tests.fakes.github"
NEEDS = (*EXTRA, "cryptography", "jsonschema")
APP = 7
PERSON = "ada"
STOP_WITHIN = 10
"""Seconds."""


class About(BaseModel):
    """Its first line."""

    url: str
    api: str
    repository: str
    tokens: dict[str, str]


class FakeGitHub:
    """With an App that is installed on one repository, where a person may write. Everything is below `folder`."""

    def __init__(self, folder: Path, webhooks: str) -> None:
        self.key = folder / "app.pem"
        self.secret = secrets.token_hex(16)
        """Of the webhooks."""
        self._folder, self._webhooks = folder, webhooks
        self._log, self._first = folder / "github.log", folder / "github.json"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> About:
        """Raises Failure where it cannot be had here."""
        if not (ROOT.joinpath(*MODULE.split(".")) / "__main__.py").is_file():
            raise Failure(f"{ROOT} has no `tests`: the fake GitHub needs a checkout of Mayfly's repository")
        if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
            raise Failure(f"the fake GitHub needs {', '.join(missing)}: `make setup` installs everything")
        self._folder.mkdir(parents=True)
        self._process = self._run()
        until("the fake GitHub answers", 30, self._missing)
        try:
            return About.model_validate_json(self._first.read_bytes())
        except ValidationError as error:
            raise Failure(f"the fake GitHub says something else: {tail(self._first)}", UNKNOWN) from error

    def stop(self) -> None:
        """Raises Unmet where something that it was asked, or answered, was not as GitHub describes itself."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            code = process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait(STOP_WITHIN)
        if code != 0:
            raise Unmet("the fake GitHub ends, with nothing to complain of", tail(self._log))

    def _run(self) -> subprocess.Popen[bytes]:
        public = self._folder / "app.pub.pem"
        public.write_bytes(make_key(self.key))
        words = ["--folder", str(self._folder / "repositories"), "--app-key", str(public), "--app-id", str(APP)]
        words += ["--webhooks", self._webhooks, "--secret", self.secret]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with self._first.open("wb") as first, self._log.open("wb") as log:
            command = [sys.executable, "-m", MODULE, *words]
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=first, stderr=log, start_new_session=True, env=environment
            )

    def _missing(self) -> str:
        if self._process is None or self._process.poll() is not None:
            raise Failure(f"the fake GitHub ended:\n{tail(self._log)}", UNKNOWN)
        return "" if self._first.read_bytes().endswith(b"\n") else tail(self._log) or "nothing yet"


def make_key(file: Path) -> bytes:
    """Writes an App's private key, as GitHub lets one download it; the public one. Both in PEM."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - of an extra
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - likewise

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, pem = serialization.PrivateFormat.TraditionalOpenSSL, serialization.Encoding.PEM
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
