#!/usr/bin/env python3
"""Writes the scoop and winget manifests of a release from its SHA256SUMS.

    manifests.py VERSION DOWNLOADS DIR

DOWNLOADS is the address the archives lie below; DIR holds SHA256SUMS and gets scoop/ and winget/.
"""
import json
import pathlib
import sys

PUBLISHER, NAME = "Arize", "ArizeCodex"
ABOUT = "OpenInference traces of OpenAI Codex CLI sessions for Phoenix, Arize AX and OpenTelemetry collectors"
KINDS = {"x86_64-pc-windows-gnu": ("64bit", "x64"), "aarch64-pc-windows-gnullvm": ("arm64", "arm64")}

version, downloads, directory = sys.argv[1].removeprefix("v"), sys.argv[2].rstrip("/"), pathlib.Path(sys.argv[3])
sums = {name.lstrip("*"): digest for digest, name in (line.split() for line in (directory / "SHA256SUMS").read_text().splitlines())}
found = {kind: (f"{downloads}/arize-codex-{target}.zip", sums[f"arize-codex-{target}.zip"])
         for target, kind in KINDS.items() if f"arize-codex-{target}.zip" in sums}
if not found:
    sys.exit("no Windows archive in SHA256SUMS")

scoop = directory / "scoop"
scoop.mkdir(exist_ok=True)
(scoop / "arize-codex.json").write_text(json.dumps({
    "version": version, "description": ABOUT, "license": "Apache-2.0", "homepage": downloads.split("/releases/")[0],
    "architecture": {kind[0]: {"url": url, "hash": digest} for kind, (url, digest) in found.items()},
    "bin": "arize-codex.exe", "notes": "Run `arize-codex install` to register the hooks of Codex."}, indent=4) + "\n")

winget = directory / "winget"
winget.mkdir(exist_ok=True)
head = f"PackageIdentifier: {PUBLISHER}.{NAME}\nPackageVersion: {version}\n"
tail = "ManifestVersion: 1.6.0\n"
installers = "".join(f"- Architecture: {kind[1]}\n  InstallerUrl: {url}\n  InstallerSha256: {digest.upper()}\n" for kind, (url, digest) in found.items())
(winget / f"{PUBLISHER}.{NAME}.yaml").write_text(head + "DefaultLocale: en-US\nManifestType: version\n" + tail)
(winget / f"{PUBLISHER}.{NAME}.installer.yaml").write_text(
    head + "InstallerType: zip\nNestedInstallerType: portable\nNestedInstallerFiles:\n- RelativeFilePath: arize-codex.exe\n  PortableCommandAlias: arize-codex\n"
    + "Installers:\n" + installers + "ManifestType: installer\n" + tail)
(winget / f"{PUBLISHER}.{NAME}.locale.en-US.yaml").write_text(
    head + f"PackageLocale: en-US\nPublisher: {PUBLISHER}\nPackageName: arize-codex\nLicense: Apache-2.0\nShortDescription: {ABOUT}\nManifestType: defaultLocale\n" + tail)
