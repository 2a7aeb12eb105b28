#!/bin/sh
# Writes SHA256SUMS for every archive in a folder.
#   checksums.sh DIR
set -eu
cd "$1"
set --
for archive in *.tar.gz *.zip; do
    [ ! -e "$archive" ] || set -- "$@" "$archive"
done
if command -v sha256sum >/dev/null 2>&1; then
    sha256sum -- "$@" >SHA256SUMS
else
    shasum -a 256 -- "$@" >SHA256SUMS
fi
cat SHA256SUMS
