#!/bin/sh
# Makes a release from a tag: the archives of all systems, SHA256SUMS, the installers, the npm packages, the Homebrew
# formula and the manifests for scoop and winget. What is built is what the tag holds, not what lies in the working
# directory.
#   make.sh TAG OUT_DIR all           every archive, on one Linux machine
#   make.sh TAG OUT_DIR [TARGET …]    these; without one, that of this machine
# TAG may be any commit: its archives can be tried, and are called what Cargo.toml says. The workflow runs the same
# scripts once for each target, and adds the attestation, which only the service can sign.
set -eu
tag=$1 out=$2
shift 2
all="x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin x86_64-pc-windows-gnu aarch64-pc-windows-gnullvm"
root=$(cd "$(dirname "$0")/../.." && pwd -P)
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}" PLATFORM_LAB="${PLATFORM_LAB:-$root/target/platform}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/source"
git -C "$root" archive "$tag" | tar -xf - -C "$scratch/source"
release=$scratch/source/.github/release
case $tag in v*) "$release/version.sh" "$tag" ;; esac
here=$(rustc -vV | sed -n 's/^host: //p' | sed 's/linux-gnu$/linux-musl/')
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$scratch/source/Cargo.toml" | head -n 1)
case "$*" in
    all) eval "set -- $all" ;;
    '') set -- "$here" ;;
esac
# One that runs here prints the manual page of those that do not.
runs_here() { "$1" man >/dev/null 2>&1; }
failed=
for target in "$@"; do
    echo "== $target"
    if program=$("$release/build.sh" "$scratch/source" "$target"); then
        if runs_here "$program"; then
            export ARIZE_CODEX_HERE="$program"
        elif [ -z "${ARIZE_CODEX_HERE:-}" ]; then
            ARIZE_CODEX_HERE=$("$release/build.sh" "$scratch/source" "$here")
            export ARIZE_CODEX_HERE
        fi
        "$release/package.sh" "$program" "$target" "$out"
    else
        failed="$failed $target"
    fi
done
"$release/checksums.sh" "$out" >/dev/null
cp "$scratch/source/install.sh" "$scratch/source/install.ps1" "$out/"
"$release/npm.sh" "$version" "$out" "$out/npm"
"$release/formula.sh" "$version" "$out" >"$out/arize-codex.rb"
[ ! -f "$out/arize-codex-x86_64-pc-windows-gnu.zip" ] ||
    python3 "$release/manifests.py" "$version" "https://github.com/Arize-ai/arize-codex/releases/download/v$version" "$out"
ls -l "$out"
[ -z "$failed" ] || { echo "not built:$failed" >&2; exit 1; }
