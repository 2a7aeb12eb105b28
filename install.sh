#!/bin/sh
# Installs arize-codex: builds it in a checkout if Rust is installed, downloads a release otherwise, then runs
# `arize-codex install`. Options are checked before anything is built or downloaded. Nothing needs root. The whole script
# is one function called on the last line, so that a download that is cut off does nothing.
#
#   ./install.sh [--prefix DIR] [--version VERSION] [--uninstall] [options of `arize-codex install`]
#   curl -fsSL URL/install.sh | sh -s -- [the same]
#
# Honoured: HOME, CODEX_HOME, ARIZE_HARNESS_HOME, CARGO_TARGET_DIR, NO_COLOR.
# ARIZE_CODEX_DOWNLOADS replaces the place releases are downloaded from (a mirror, a file server).

set -eu

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "install.sh: $*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

usage() {
    cat <<'TEXT'
Usage: install.sh [--prefix DIR] [--version VERSION] [--uninstall] [OPTIONS]

  --prefix DIR       also link arize-codex and its aliases into DIR/bin
  --version VERSION  download this release instead of the newest
  --from-source      build from source; outside of a checkout, with cargo install
  --uninstall        remove what was installed; with --purge also settings and recorded turns
  --help             print this text

These go to `arize-codex install`:
  --target phoenix|arize|otlp|local  --endpoint URL  --api-key-file FILE|-  --space-id ID
  --header NAME=VALUE  --project NAME  --user-id ID  --span-tree turn|calls  --system DIR
  --with-skills  --yes  --dry-run
TEXT
}

# The name of this system in the names of releases; empty when there is none for it.
platform() {
    case "$(uname -s)/$(uname -m)" in
        Linux/x86_64 | Linux/amd64) echo x86_64-unknown-linux-musl ;;
        Linux/aarch64 | Linux/arm64) echo aarch64-unknown-linux-musl ;;
        Darwin/arm64 | Darwin/aarch64) echo aarch64-apple-darwin ;;
        Darwin/x86_64) echo x86_64-apple-darwin ;;
    esac
}

# Succeeds if the directory of this script is a checkout. Piped into a shell, the script has no directory.
checkout() {
    case "$0" in
        *install.sh) ;;
        *) return 1 ;;
    esac
    here=$(cd "$(dirname "$0")" 2>/dev/null && pwd -P) || return 1
    [ -f "$here/Cargo.toml" ] && grep -q '^name = "arize-codex"' "$here/Cargo.toml"
}

# Makes sure that Rust is installed; on a terminal, offers to run its own installer.
need_cargo() {
    has cargo && return
    if [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
        return
    fi
    say "building needs Rust, which is not installed"
    if [ -t 2 ] && has curl && (: </dev/tty) 2>/dev/null; then
        printf '%s' "Install it now with rustup, from https://sh.rustup.rs, into $HOME/.cargo? (y/N): " >&2
        read -r answer </dev/tty || answer=
        case "$answer" in
            y | Y | yes)
                curl --proto '=https' --tlsv1.2 -fsSL https://sh.rustup.rs >"$scratch/rustup.sh" ||
                    fail "rustup cannot be downloaded; install Rust in another way, then run this command again"
                sh "$scratch/rustup.sh" -y --profile minimal --no-modify-path >&2 || fail "Rust could not be installed"
                PATH=$HOME/.cargo/bin:$PATH
                return
                ;;
        esac
    fi
    fail "install Rust from https://rustup.rs, then run this command again"
}

# Makes sure that there is a C compiler: Rust links with it, and some dependencies contain C.
need_compiler() {
    if ! has cc && ! has gcc && ! has clang; then
        fail "building needs a C compiler: \`apt install gcc\`, \`dnf install gcc\` or, on macOS, \`xcode-select --install\`"
    fi
}

# Builds in the checkout; sets $program.
build() {
    need_compiler
    need_cargo
    # At a terminal the user sees cargo's own progress; a log gets only errors.
    quiet=--quiet
    [ ! -t 2 ] || quiet=
    target_dir=${CARGO_TARGET_DIR:-$here/target}
    case "$target_dir" in
        /*) ;;
        *) target_dir=$(pwd -P)/$target_dir ;;
    esac
    target=
    case "$(uname -s)" in
        Linux) target=$(platform) ;;
    esac
    if [ -n "$target" ] && has rustup && (cd "$here" && rustup target add "$target") >/dev/null 2>&1; then
        say "building a static executable ($target); this takes some minutes"
        # The C parts are compiled by the system's compiler, which serves musl as well.
        compiler=CC_$(printf '%s' "$target" | tr - _)
        if eval "[ -z \"\${$compiler:-}\" ]" && ! has "${target%%-*}-linux-musl-gcc" && ! has musl-gcc; then
            eval "export $compiler=cc"
        fi
        if (cd "$here" && CARGO_TARGET_DIR=$target_dir cargo build --release --locked $quiet --target "$target" >&2); then
            program=$target_dir/$target/release/arize-codex
            return
        fi
        say "the static build failed; building for this system instead"
    else
        say "building; this takes some minutes (on Linux, hooks of a static build start faster: rustup target add ${target:-…-musl})"
    fi
    (cd "$here" && CARGO_TARGET_DIR=$target_dir cargo build --release --locked $quiet >&2) || fail "the build failed"
    program=$target_dir/release/arize-codex
}

fetch() { # fetch URL FILE
    if has curl; then
        case "$1" in
            https://*) curl --proto '=https' --tlsv1.2 -fsSL --retry 2 -o "$2" "$1" 2>"$scratch/why" ;;
            *) curl -fsSL -o "$2" "$1" 2>"$scratch/why" ;;
        esac
    elif has wget; then
        wget -nv -O "$2" "$1" 2>"$scratch/why"
    else
        fail "downloading needs curl or wget"
    fi
}

sha256() {
    if has sha256sum; then
        sha256sum "$1" | cut -d' ' -f1
    elif has shasum; then
        shasum -a 256 "$1" | cut -d' ' -f1
    elif has openssl; then
        openssl dgst -sha256 "$1" | sed 's/.* //'
    else
        fail "verifying the download needs sha256sum, shasum or openssl"
    fi
}

# Downloads the release for this system and verifies it; sets $program. Returns 1 if there is none; a wrong checksum is
# an error.
download() {
    target=$(platform)
    if [ -z "$target" ]; then
        say "there are no releases for $(uname -s) on $(uname -m)"
        return 1
    fi
    archive=arize-codex-$target.tar.gz
    if [ -n "$version" ]; then
        from=$downloads/download/v${version#v}
    else
        from=$downloads/latest/download
    fi
    say "downloading $archive"
    if ! fetch "$from/$archive" "$scratch/$archive" || ! fetch "$from/SHA256SUMS" "$scratch/SHA256SUMS"; then
        say "cannot download it from $from: $(tail -n 1 "$scratch/why")"
        return 1
    fi
    wanted=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$scratch/SHA256SUMS" | head -n 1)
    [ -n "$wanted" ] || fail "SHA256SUMS does not list $archive"
    found=$(sha256 "$scratch/$archive")
    [ "$wanted" = "$found" ] || fail "$archive is damaged or was replaced: its SHA-256 is $found, not $wanted"
    tar -xzf "$scratch/$archive" -C "$scratch" arize-codex || fail "$archive does not contain arize-codex"
    program=$scratch/arize-codex
    "$program" --version >/dev/null 2>&1 || {
        say "the released executable does not run on this system"
        return 1
    }
}

# Builds the published sources, when the user asks for it by name; sets $program.
cargo_install() {
    need_compiler
    need_cargo
    say "building with cargo install; this takes some minutes"
    quiet=--quiet
    [ ! -t 2 ] || quiet=
    if [ -n "$version" ]; then
        cargo install $quiet --locked --root "$scratch/cargo" --version "${version#v}" arize-codex >&2
    else
        cargo install $quiet --locked --root "$scratch/cargo" arize-codex >&2
    fi || fail "cargo install failed"
    program=$scratch/cargo/bin/arize-codex
}

# refuse WHAT: ends with the code of a command line that was not understood.
refuse() {
    say "install.sh: $*"
    say "install.sh --help lists the options"
    exit 2
}

# one_of OPTION VALUE CHOICE ...
one_of() {
    option=$1 value=$2
    shift 2
    for choice in "$@"; do
        [ "$value" != "$choice" ] || return 0
    done
    refuse "$option must be one of: $*, not $value"
}

# Checks the options of `arize-codex install`, so that a slip is not found out after a build of some minutes.
check_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
            --target | --endpoint | --api-key-file | --space-id | --header | --project | --user-id | --span-tree | --prefix | --system | --color)
                [ $# -gt 1 ] || refuse "$1 needs a value"
                case "$1" in
                    --target) one_of "$1" "$2" phoenix arize otlp local ;;
                    --span-tree) one_of "$1" "$2" turn calls ;;
                    --api-key-file) [ "$2" = - ] || [ -r "$2" ] || refuse "$1: $2 cannot be read" ;;
                esac
                shift 2
                ;;
            --with-skills | --yes | --dry-run) shift ;;
            *) refuse "unknown option $1" ;;
        esac
    done
}

# uninstall knows by itself where it was linked.
without_prefix() {
    count=$#
    while [ "$count" -gt 0 ]; do
        argument=$1
        shift
        count=$((count - 1))
        if [ "$argument" = --prefix ]; then
            [ "$count" -eq 0 ] || { shift; count=$((count - 1)); }
        else
            set -- "$@" "$argument"
        fi
    done
    run_program uninstall "$@"
}

uninstall() {
    program=${ARIZE_HARNESS_HOME:-$HOME/.arize/harness}/bin/arize-codex
    [ -x "$program" ] || fail "arize-codex is not installed in ${program%/bin/arize-codex}"
    without_prefix "$@"
}

# Runs the executable. Piped into a shell, standard input is this script: the person is asked at the terminal.
run_program() {
    if [ ! -t 0 ] && [ -t 2 ] && [ -z "$key_from_stdin" ] && (: </dev/tty) 2>/dev/null; then
        "$program" "$@" </dev/tty
    else
        "$program" "$@"
    fi
}

main() {
    downloads=${ARIZE_CODEX_DOWNLOADS:-https://github.com/Arize-ai/arize-codex/releases}
    version='' mode=install from_source='' key_from_stdin='' program='' here=''
    [ -n "${HOME:-}" ] || fail "HOME is not set"
    # What is not for this script is kept in "$@", in order.
    count=$#
    while [ "$count" -gt 0 ]; do
        argument=$1
        shift
        count=$((count - 1))
        case "$argument" in
            --help | -h)
                usage
                exit 0
                ;;
            --uninstall) mode=uninstall ;;
            --from-source) from_source=1 ;;
            --version)
                [ "$count" -gt 0 ] || fail "--version needs a version"
                version=$1
                shift
                count=$((count - 1))
                ;;
            --version=*) version=${argument#*=} ;;
            --api-key-file)
                [ "$count" -gt 0 ] || fail "--api-key-file needs a file"
                [ "$1" != - ] || key_from_stdin=1
                set -- "$@" "$argument" "$1"
                shift
                count=$((count - 1))
                ;;
            --api-key-file=-)
                key_from_stdin=1
                set -- "$@" --api-key-file -
                ;;
            --*=*)
                # Checked below, where options and their values are two words.
                set -- "$@" "${argument%%=*}" "${argument#*=}"
                ;;
            *) set -- "$@" "$argument" ;;
        esac
    done
    case "$version" in
        *[!A-Za-z0-9.+-]*) fail "--version $version is not a version" ;;
    esac
    if [ "$mode" = uninstall ]; then
        uninstall "$@"
        return
    fi
    check_options "$@"
    case " $* " in
        *" --system "*) system=1 ;;
        *) system='' ;;
    esac
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ -z "$system" ]; then
        fail "run this without sudo: it installs into your own home"
    fi
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    if [ -n "$from_source" ]; then
        if checkout && [ -z "$version" ]; then build; else cargo_install; fi
    elif checkout && [ -z "$version" ] && { has cargo || [ -x "$HOME/.cargo/bin/cargo" ]; }; then
        build
    else
        if checkout && [ -z "$version" ]; then say "Rust is not installed, so looking for a release to download"; fi
        if download; then
            :
        elif checkout && [ -z "$version" ]; then
            build
        else
            fail "build it instead: install Rust from https://rustup.rs, git clone the repository and run ./install.sh there"
        fi
    fi
    run_program install "$@"
}

{ main "$@"; }
