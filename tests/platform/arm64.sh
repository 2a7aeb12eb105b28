#!/bin/sh
# The static aarch64 Linux build of a checkout, on x86-64 Debian 12: zig builds it, qemu runs it.
#
#   arm64.sh CHECKOUT
#
# Says the version, calls each role with bad input (exit 0, nothing printed), and runs a turn through the roles.
# Tools and builds lie in PLATFORM_LAB, which is target/platform without it.
set -eu

TARGET=aarch64-unknown-linux-musl
here=$(cd "$(dirname "$0")" && pwd)
lab=${PLATFORM_LAB:-$here/../../target/platform}

[ $# = 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
if ! command -v qemu-aarch64-static >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-user-static >/dev/null
    echo "arm64.sh: installed qemu-user-static"
fi
if [ ! -x "$lab/venv/bin/cargo-zigbuild" ]; then
    mkdir -p "$lab"
    python3 -m venv "$lab/venv"
    "$lab/venv/bin/python" -m pip install -q --disable-pip-version-check ziglang cargo-zigbuild
    echo "arm64.sh: installed ziglang and cargo-zigbuild"
fi
export PATH="$lab/venv/bin:$PATH"
export CARGO_TARGET_DIR="$lab/target" CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
cd "$1"
rustup -q target add "$TARGET"
cargo-zigbuild zigbuild --locked --target "$TARGET" --bins
program=$CARGO_TARGET_DIR/$TARGET/debug/arize-codex

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
unset ARIZE_HARNESS_HOME CODEX_HOME
export HOME="$home"
mkdir "$home/.codex"
as() { name=$1; shift; qemu-aarch64-static -0 "$name" "$program" "$@"; }

# Calls a role with a payload and says what it should not have done.
failed=0
role() {
    code=0
    if [ "$1" = notify ]; then
        as arize-hook-codex-notify "$2" </dev/null >"$home/out" 2>&1 || code=$?
    else
        printf '%s' "$2" | as "arize-hook-codex-$1" >"$home/out" 2>&1 || code=$?
    fi
    if [ "$code" != 0 ] || [ -s "$home/out" ]; then
        failed=1
        echo "$1: exit $code, printed '$(head -c 200 "$home/out")' for $2"
    fi
}

echo "== version"
as arize-codex --version
as arize-codex install --yes --target local >/dev/null
echo "== roles"
for role in session tool stop notify; do
    for payload in '' 'not json' 'null' '{"hook_event_name":"Stop"}' '{"hook_event_name":"Stop","session_id":"../../x","turn_id":"t"}'; do
        role $role "$payload"
    done
done
echo "== a turn"
thread='"session_id":"01a20000-0000-7000-8000-000000000001","turn_id":"t1","cwd":"/"'
role session "{\"hook_event_name\":\"UserPromptSubmit\",$thread,\"prompt\":\"hello\"}"
role tool "{\"hook_event_name\":\"PreToolUse\",$thread,\"tool_name\":\"Bash\",\"tool_use_id\":\"c1\",\"tool_input\":{\"command\":\"true\"}}"
role tool "{\"hook_event_name\":\"PostToolUse\",$thread,\"tool_name\":\"Bash\",\"tool_use_id\":\"c1\",\"tool_input\":{\"command\":\"true\"},\"tool_response\":\"fine\"}"
role stop "{\"hook_event_name\":\"Stop\",$thread,\"last_assistant_message\":\"hi\"}"
as arize-codex flush --wait 60
as arize-codex show last | tee "$home/shown"
if ! grep -q hello "$home/shown" || ! grep -q Bash "$home/shown"; then
    failed=1
    echo "the turn is not there"
fi
[ $failed = 0 ] && echo "all as it should be"
exit $failed
