#!/bin/sh
# Builds and packs every archive of a release on one Linux machine, cross-compiled with zig and mingw-w64.
#   archives.sh OUT_DIR [TARGET...]
# Tools and builds lie in target/platform; tests/platform/macos.sh says how macOS is linked without Apple's SDK.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin \
    x86_64-pc-windows-gnu aarch64-pc-windows-gnullvm
lab=$root/target/platform
if [ ! -x "$lab/venv/bin/cargo-zigbuild" ]; then
    mkdir -p "$lab"
    python3 -m venv "$lab/venv"
    "$lab/venv/bin/python" -m pip install -q --disable-pip-version-check ziglang cargo-zigbuild
fi
export PATH="$lab/venv/bin:$PATH" CARGO_TARGET_DIR="$lab/target" CARGO_INCREMENTAL=0
export MACOSX_DEPLOYMENT_TARGET=11.0 SDKROOT="$root/tests/platform/macos-stubs"
cd "$root"
failed=
for target; do
    echo "== $target"
    rustup -q target add "$target"
    case $target in
        x86_64-pc-windows-gnu | x86_64-unknown-linux-musl) build="cargo build" ;;
        *) build="cargo-zigbuild zigbuild" ;;
    esac
    program=$lab/target/$target/release/arize-codex
    case $target in *windows*) program=$program.exe ;; esac
    if $build --locked --release --bins --target "$target"; then
        case $target in *apple*) python3 tests/platform/macho.py "$program" ;; esac
        .github/release/package.sh "$program" "$target" "$out"
    else
        failed="$failed $target"
    fi
done
.github/release/checksums.sh "$out"
[ -z "$failed" ] || { echo "not built:$failed" >&2; exit 1; }
