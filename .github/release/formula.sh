#!/bin/sh
# Prints the Homebrew formula of a release.
#   formula.sh VERSION DIST_DIR
set -eu
version=$1 dist=$2
sum() { sed -n "s/^\([0-9a-f]\{64\}\) [ *]arize-codex-$1.tar.gz\$/\1/p" "$dist/SHA256SUMS"; }
# on SYSTEM INDENT: the part of one system, for the processors there are archives for.
one() {
    found=$(sum "$2")
    [ -n "$found" ] || return 0
    cat <<RUBY
    on_$1 do
      url "https://github.com/Arize-ai/arize-codex/releases/download/v$version/arize-codex-$2.tar.gz"
      sha256 "$found"
    end
RUBY
}
cat <<RUBY
class ArizeCodex < Formula
  desc "Traces of OpenAI Codex CLI sessions for Phoenix, Arize AX and OpenTelemetry"
  homepage "https://github.com/Arize-ai/arize-codex"
  version "$version"
  license "Apache-2.0"

  on_macos do
$(one arm aarch64-apple-darwin)
$(one intel x86_64-apple-darwin)
  end

  on_linux do
$(one arm aarch64-unknown-linux-musl)
$(one intel x86_64-unknown-linux-musl)
  end

  def install
    bin.install "arize-codex"
    man1.install "arize-codex.1"
    generate_completions_from_executable(bin/"arize-codex", "completions")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/arize-codex --version")
  end
end
RUBY
