#!/bin/sh
# Builds the release executable of a target, for this system or across systems, and says where it lies.
#   build.sh SOURCE TARGET
# What the compilers of this system can build, they build. For anything else zig is compiler and linker (Windows on
# x86-64: mingw-w64), and lies in target/platform; the symbols of macOS frameworks stand in tests/platform/macos-stubs,
# so Apple's SDK is not needed. CARGO_TARGET_DIR counts. The same source gives the same bytes wherever it lies.
set -eu
source=$(cd "$1" && pwd -P) target=$2
root=$(cd "$(dirname "$0")/../.." && pwd -P)
lab=${PLATFORM_LAB:-$root/target/platform}
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}" CARGO_INCREMENTAL=0
export MACOSX_DEPLOYMENT_TARGET="${MACOSX_DEPLOYMENT_TARGET:-11.0}"

# Which zig builds an executable is part of what it is.
zig_tools() {
    if [ ! -x "$lab/venv/bin/cargo-zigbuild" ]; then
        mkdir -p "$lab"
        python3 -m venv "$lab/venv"
        "$lab/venv/bin/python" -m pip install -q --disable-pip-version-check ziglang==0.17.1 cargo-zigbuild==0.24.1
    fi
    export PATH="$lab/venv/bin:$PATH"
    [ -n "${SDKROOT:-}" ] || export SDKROOT="$root/tests/platform/macos-stubs"
}

# Paths of the builder's do not belong into what is handed out; cargo joins these flags with those of the source, whose
# own paths are relative.
flags="\"--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo\""
case $target in *-windows-gnu) flags="$flags, \"-Clink-arg=-Wl,--no-insert-timestamp\"" ;; esac
host=$(rustc -vV | sed -n 's/^host: //p')
command -v rustup >/dev/null && (cd "$source" && rustup -q target add "$target" >&2)
variable=$(printf '%s' "$target" | tr - _)
program=$CARGO_TARGET_DIR/$target/release/arize-codex
case $target in *-windows-*) program=$program.exe ;; esac
cd "$source"
case $target/$host in
    "$host/$host" | *-apple-darwin/*-apple-darwin | *-windows-*/*-windows-* | x86_64-pc-windows-gnu/*)
        cargo --config "target.$target.rustflags=[$flags]" build --release --locked --bins --target "$target" >&2 ;;
    x86_64-unknown-linux-musl/x86_64-*linux* | aarch64-unknown-linux-musl/aarch64-*linux*)
        eval "export CC_$variable=\${CC_$variable:-cc}"
        cargo --config "target.$target.rustflags=[$flags]" build --release --locked --bins --target "$target" >&2 ;;
    *)
        zig_tools
        cargo-zigbuild zigbuild --config "target.$target.rustflags=[$flags]" --release --locked --bins --target "$target" >&2 ;;
esac
case $target in *-apple-darwin) python3 "$root/tests/platform/macho.py" "$program" >&2 ;; esac
echo "$program"
