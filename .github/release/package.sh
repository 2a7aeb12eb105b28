#!/bin/sh
# Packs a built executable the way install.sh expects it.
#   package.sh EXECUTABLE TARGET OUT_DIR
set -eu
executable=$1 target=$2 out=$3
root=$(cd "$(dirname "$0")/../.." && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$executable" "$scratch/arize-codex"
chmod 755 "$scratch/arize-codex"
cp "$root/LICENSE" "$scratch/LICENSE"
mkdir -p "$out"
# The same content gives the same archive, whoever packs it.
touch -t 202601010000 "$scratch/arize-codex" "$scratch/LICENSE"
case $target in
    *windows*)
        mv "$scratch/arize-codex" "$scratch/arize-codex.exe"
        python3 "$root/.github/release/zip.py" "$out/arize-codex-$target.zip" "$scratch/arize-codex.exe" "$scratch/LICENSE"
        exit
        ;;
esac
tar -C "$scratch" -cf - arize-codex LICENSE | gzip -n -9 >"$out/arize-codex-$target.tar.gz"
