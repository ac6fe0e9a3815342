"""Checks on a schedule, with an objective and alerts."""
