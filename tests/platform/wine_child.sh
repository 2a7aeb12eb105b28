#!/bin/sh
# Runs a program under wine as the child of another one:
#   wine_child.sh PROGRAM.exe [ARGUMENT…]
# On Windows every program has a parent, by which hooks know their Codex; what wine starts from a Linux shell has none.
program=Z:$(printf '%s' "$1" | sed 's|/|\\|g')
shift
exec wine cmd /d /c "$program" "$@"
