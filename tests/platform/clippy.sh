#!/bin/sh
# Checks and lints the library and the executable for other systems, without their linkers.
#
#   clippy.sh [TARGET…]     without one, both kinds of Mac and arm64 Linux
#
# zig is the C compiler. Tools and builds lie in PLATFORM_LAB, which is target/platform without it. The exit code is 77
# where the tools or targets cannot be had.
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- aarch64-apple-darwin x86_64-apple-darwin aarch64-unknown-linux-musl
lab=${PLATFORM_LAB:-$PWD/target/platform}
if [ ! -x "$lab/venv/bin/cargo-zigbuild" ]; then
    mkdir -p "$lab"
    python3 -m venv "$lab/venv" || exit 77
    "$lab/venv/bin/python" -m pip install -q --disable-pip-version-check ziglang==0.17.1 cargo-zigbuild==0.24.1 || exit 77
fi
export PATH="$lab/venv/bin:$PATH" CARGO_TARGET_DIR="$lab/target" CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export MACOSX_DEPLOYMENT_TARGET=11.0 SDKROOT="$PWD/tests/platform/macos-stubs"
rustup -q target add "$@" || exit 77
failed=0
for target; do
    echo "== $target"
    case $target in
        *-windows-gnu) cargo clippy --locked --target "$target" --lib --bins -- -D warnings || failed=1 ;;
        *) cargo-zigbuild clippy --locked --target "$target" --lib --bins -- -D warnings || failed=1 ;;
    esac
done
exit $failed
