"""`python -m controller` is `mayfly`."""

from controller.cli.main import app

app()
