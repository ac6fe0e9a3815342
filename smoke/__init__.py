"""Smoke and end-to-end checks that stand alone: `python -m smoke run checks.yaml --url http://localhost:8000`."""
