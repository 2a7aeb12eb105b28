# Installs arize-codex on Windows: downloads a release, checks its SHA-256 and runs `arize-codex install`.
#
#   irm RELEASES/latest/download/install.ps1 | iex
#   & ([scriptblock]::Create((irm RELEASES/latest/download/install.ps1))) --target phoenix
#
# All arguments go to `arize-codex install`. ARIZE_CODEX_DOWNLOADS replaces the place releases are downloaded from,
# ARIZE_CODEX_VERSION the newest release. Works with Windows PowerShell 5.1 and PowerShell 7; nothing needs an
# administrator. The whole script is one function, called by a last line that does nothing unless it is whole: a download
# that was cut off runs nothing.

function Install-ArizeCodex {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

    $machine = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
    # Windows on arm64 runs the x86-64 executable.
    if ($machine -ne 'AMD64' -and $machine -ne 'ARM64') { throw "install.ps1: there is no release for $machine" }
    $archive = 'arize-codex-x86_64-pc-windows-gnu.zip'

    $downloads = if ($env:ARIZE_CODEX_DOWNLOADS) { $env:ARIZE_CODEX_DOWNLOADS } else { 'https://github.com/Arize-ai/arize-codex/releases' }
    $release = if ($env:ARIZE_CODEX_VERSION) { 'download/v' + $env:ARIZE_CODEX_VERSION.TrimStart('v') } else { 'latest/download' }
    $from = $downloads.TrimEnd('/') + '/' + $release

    $scratch = Join-Path ([IO.Path]::GetTempPath()) ('arize-codex-' + [Guid]::NewGuid())
    New-Item -ItemType Directory -Path $scratch | Out-Null
    try {
        $zip = Join-Path $scratch $archive
        $sums = Join-Path $scratch 'SHA256SUMS'
        Invoke-WebRequest -UseBasicParsing -Uri "$from/$archive" -OutFile $zip
        Invoke-WebRequest -UseBasicParsing -Uri "$from/SHA256SUMS" -OutFile $sums
        $line = Get-Content $sums | Where-Object { ($_ -split '\s+', 2)[1].TrimStart('*') -eq $archive } | Select-Object -First 1
        if (-not $line) { throw "install.ps1: SHA256SUMS does not name $archive" }
        $wanted = ($line -split '\s+', 2)[0]
        $found = (Get-FileHash -Algorithm SHA256 -Path $zip).Hash
        if ($found -ne $wanted) { throw "install.ps1: the SHA-256 of $archive is $found, not $wanted" }
        Expand-Archive -Path $zip -DestinationPath $scratch
        & (Join-Path $scratch 'arize-codex.exe') install @args
        if ($LASTEXITCODE -ne 0) { throw "install.ps1: arize-codex install ended with $LASTEXITCODE" }
    } finally {
        Remove-Item -Recurse -Force $scratch -ErrorAction SilentlyContinue
    }
}

if ($true) { Install-ArizeCodex @args }
