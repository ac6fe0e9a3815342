"""Probes run elsewhere: a process that is told by a controller what to run, and brings it what was found."""
