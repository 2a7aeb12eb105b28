#!/bin/sh
# Refuses a tag that is not the version in Cargo.toml.
#   version.sh vX.Y.Z
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
if [ "v$version" != "$1" ]; then
    echo "tag $1 is not v$version of Cargo.toml" >&2
    exit 1
fi
