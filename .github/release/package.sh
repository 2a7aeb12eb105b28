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
TZ=UTC touch -t 202601010000 "$scratch/arize-codex" "$scratch/LICENSE"
case $target in
    *windows*)
        mv "$scratch/arize-codex" "$scratch/arize-codex.exe"
        python3 "$root/.github/release/zip.py" "$out/arize-codex-$target.zip" "$scratch/arize-codex.exe" "$scratch/LICENSE"
        exit
        ;;
esac
# One that is built for another system cannot print its manual page; one of this system prints the same.
"$executable" man >"$scratch/arize-codex.1" 2>/dev/null || "${ARIZE_CODEX_HERE:-arize-codex}" man >"$scratch/arize-codex.1"
chmod 644 "$scratch/LICENSE" "$scratch/arize-codex.1"
mkdir -p "$out"
# The same content gives the same archive, whoever packs it, and whenever: no owner, no time, no format of the day.
TZ=UTC touch -t 202601010000 "$scratch/arize-codex" "$scratch/LICENSE" "$scratch/arize-codex.1"
case "$(tar --version 2>/dev/null)" in
    *GNU*) set -- --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@1767225600 ;;
    *) set -- --format=ustar --uid 0 --gid 0 --numeric-owner ;;
esac
tar "$@" -C "$scratch" -cf - arize-codex LICENSE arize-codex.1 | gzip -n -9 >"$out/arize-codex-$target.tar.gz"
