"""Main on a cluster: targets, their releases, and those of others that are only watched."""
