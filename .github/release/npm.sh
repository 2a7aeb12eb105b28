#!/bin/sh
# Makes the npm packages out of the archives of a release, as Codex's own are made: one optional package a platform, and
# one that runs whichever of them was installed. Nothing is downloaded or run when they are installed.
#   npm.sh VERSION DIST_DIR OUT_DIR
set -eu
version=$1 dist=$2 out=$3
mkdir -p "$out/arize-codex/bin"
optional=
for archive in "$dist"/arize-codex-*.tar.gz "$dist"/arize-codex-*.zip; do
    [ -f "$archive" ] || continue
    target=${archive##*/arize-codex-}
    target=${target%.tar.gz}
    target=${target%.zip}
    case "$target" in
        x86_64-*) cpu=x64 ;;
        aarch64-*) cpu=arm64 ;;
        *) continue ;;
    esac
    case "$target" in
        *-linux-*) os=linux ;;
        *-apple-*) os=darwin ;;
        *-windows-*) os=win32 ;;
        *) continue ;;
    esac
    name=arize-codex-$os-$cpu
    mkdir -p "$out/$name/bin"
    case "$archive" in
        *.zip) python3 -m zipfile -e "$archive" "$out/$name/bin" ;;
        *) tar -xzf "$archive" -C "$out/$name/bin" ;;
    esac
    cat >"$out/$name/package.json" <<JSON
{
  "name": "$name",
  "version": "$version",
  "description": "arize-codex for $os on $cpu",
  "license": "Apache-2.0",
  "repository": "github:Arize-ai/arize-codex",
  "os": ["$os"],
  "cpu": ["$cpu"],
  "files": ["bin"]
}
JSON
    optional="$optional${optional:+,}
    \"$name\": \"$version\""
done
cat >"$out/arize-codex/package.json" <<JSON
{
  "name": "arize-codex",
  "version": "$version",
  "description": "Traces of OpenAI Codex CLI sessions for Phoenix, Arize AX and OpenTelemetry collectors",
  "license": "Apache-2.0",
  "repository": "github:Arize-ai/arize-codex",
  "bin": { "arize-codex": "bin/arize-codex.js" },
  "files": ["bin"],
  "optionalDependencies": {$optional
  }
}
JSON
cat >"$out/arize-codex/bin/arize-codex.js" <<'JS'
#!/usr/bin/env node
// Runs the executable that npm installed for this system.
const { spawnSync } = require("node:child_process");
const name = `arize-codex-${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "arize-codex.exe" : "arize-codex";
let program;
try {
  program = require.resolve(`${name}/bin/${file}`);
} catch {
  console.error(`arize-codex: there is no package for ${process.platform} on ${process.arch}`);
  process.exit(1);
}
const result = spawnSync(program, process.argv.slice(2), { stdio: "inherit" });
process.exit(result.status ?? 1);
JS
chmod 755 "$out/arize-codex/bin/arize-codex.js"
