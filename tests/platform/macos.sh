#!/bin/sh
# The macOS builds of a checkout, on Debian 12 without Apple's SDK:
#
#   macos.sh check CHECKOUT   cargo check and clippy for both kinds of Mac
#   macos.sh link CHECKOUT    links both executables, and says what they ask of macOS and whether their signature holds
#
# zig is the C compiler and linker. The frameworks' symbols stand in macos-stubs: when the link says
# "undefined symbol: _Name", add the name there. Nothing can be run.
# Tools and builds lie in PLATFORM_LAB, which is target/platform without it.
set -eu

TARGETS=${MACOS_TARGETS:-aarch64-apple-darwin x86_64-apple-darwin}
here=$(cd "$(dirname "$0")" && pwd)
lab=${PLATFORM_LAB:-$here/../../target/platform}

[ $# = 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
if [ ! -x "$lab/venv/bin/cargo-zigbuild" ]; then
    mkdir -p "$lab"
    python3 -m venv "$lab/venv"
    "$lab/venv/bin/python" -m pip install -q --disable-pip-version-check ziglang cargo-zigbuild
    echo "macos.sh: installed ziglang and cargo-zigbuild"
fi
export PATH="$lab/venv/bin:$PATH"
export CARGO_TARGET_DIR="$lab/target" CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export MACOSX_DEPLOYMENT_TARGET="${MACOSX_DEPLOYMENT_TARGET:-11.0}" SDKROOT="$here/macos-stubs"
cd "$2"

# shellcheck disable=SC2086
rustup -q target add $TARGETS
failed=0
for target in $TARGETS; do
    case $1 in
        check)
            echo "== $target: check"
            cargo-zigbuild check --locked --target "$target" --lib --bins || failed=1
            echo "== $target: clippy"
            cargo-zigbuild clippy --locked --target "$target" --lib --bins -- -D warnings || failed=1
            ;;
        link)
            echo "== $target: link"
            if CARGO_PROFILE_DEV_STRIP=true cargo-zigbuild zigbuild --locked --target "$target" --bins; then
                for program in "$CARGO_TARGET_DIR/$target/debug"/*; do
                    case $(head -c 4 "$program" 2>/dev/null | od -An -tx1) in
                        *"cf fa ed fe"*) echo "program       ${program##*/}"; python3 "$here/macho.py" "$program" || failed=1 ;;
                    esac
                done
            else
                failed=1
            fi
            ;;
        *) echo "macos.sh: $1?" >&2; exit 2 ;;
    esac
done
exit $failed
