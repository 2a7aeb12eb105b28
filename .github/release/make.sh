#!/bin/sh
# Makes a release from a tag: every archive that this machine can build, SHA256SUMS, install.sh, the npm packages and the
# Homebrew formula. What is built is what the tag holds, not what lies in the working directory.
#   make.sh TAG OUT_DIR [TARGET …]
# Without a TARGET, the one of this machine. The workflow runs the same scripts once for each target, and adds the
# attestation, which only the service can sign.
set -eu
tag=$1 out=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd -P)
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/source"
git -C "$root" archive "$tag" | tar -xf - -C "$scratch/source"
release=$scratch/source/.github/release
"$release/version.sh" "$tag"
[ $# -gt 0 ] || set -- "$(rustc -vV | sed -n 's/^host: //p' | sed 's/linux-gnu$/linux-musl/')"
for target in "$@"; do
    case "$target" in
        *-linux-musl) eval "export CC_$(printf '%s' "$target" | tr - _)=\${CC_$(printf '%s' "$target" | tr - _):-cc}" ;;
    esac
    (cd "$scratch/source" && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} cargo build --release --locked --target "$target")
    suffix=
    case "$target" in *windows*) suffix=.exe ;; esac
    "$release/package.sh" "${CARGO_TARGET_DIR:-$root/target}/$target/release/arize-codex$suffix" "$target" "$out"
done
"$release/checksums.sh" "$out" >/dev/null
cp "$scratch/source/install.sh" "$out/install.sh"
"$release/npm.sh" "${tag#v}" "$out" "$out/npm"
"$release/formula.sh" "${tag#v}" "$out" >"$out/arize-codex.rb"
ls -l "$out"
