#!/bin/sh
# Writes SHA256SUMS for every archive in a folder.
#   checksums.sh DIR
set -eu
cd "$1"
if command -v sha256sum >/dev/null 2>&1; then
    sha256sum -- *.tar.gz >SHA256SUMS
else
    shasum -a 256 -- *.tar.gz >SHA256SUMS
fi
cat SHA256SUMS
