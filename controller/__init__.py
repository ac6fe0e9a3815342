"""Mayfly: a checked, reported, clickable and reaped preview environment for every pull request."""
