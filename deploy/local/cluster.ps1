#!/usr/bin/env pwsh
<#
.SYNOPSIS
A cluster of real dfs-server processes on this machine, from PowerShell: deploy/local/cluster, with the same commands.

.DESCRIPTION
  deploy/local/cluster.ps1 up [--nodes=N]   starts N nodes and returns when all are members and a leader serves
  deploy/local/cluster.ps1 down             stops all; keeps the data
  deploy/local/cluster.ps1 kill N           kill -9; also: stop N, start N, wipe N
  deploy/local/cluster.ps1 status           processes, then `dfs-cli status`
  deploy/local/cluster.ps1 env              lines for this shell:  deploy/local/cluster.ps1 env | Invoke-Expression

dfs-server is a program for Linux. On Linux this starts the shell script beside it; on Windows it does so in the Windows Subsystem for
Linux (its default distribution), whose loopback ports Windows reaches, too. Exit status and environment are those of the shell script:
DFS_LOCAL_DIR, DFS_BIN_DIR, DFS_LOCAL_PORT_BASE, DFS_SERVER_FLAGS.
#>
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

$commands = 'up', 'down', 'kill', 'stop', 'start', 'wipe', 'status', 'env', 'help', '--help', '-h'
if ($args.Count -eq 0 -or $commands -notcontains $args[0]) {
    [Console]::Error.WriteLine("cluster: takes one of: $($commands -join ', ')")
    exit 64
}

# Windows PowerShell 5 has no $IsWindows, and runs on Windows only.
$onWindows = ($PSVersionTable.PSVersion.Major -lt 6) -or $IsWindows
$script = './deploy/local/cluster'
$checkout = (Resolve-Path (Join-Path $PSScriptRoot '../..')).Path

function Invoke-Cluster([string[]] $words) {
    if (-not $onWindows) {
        $program = 'bash'
        $all = @($script) + $words
    } else {
        if (-not (Get-Command wsl.exe -ErrorAction SilentlyContinue)) {
            [Console]::Error.WriteLine('cluster: the Windows Subsystem for Linux is not there: wsl --install')
            exit 1
        }
        # Which variables of this shell the subsystem is to see; those with a path are translated (/p).
        $passed = 'DFS_LOCAL_DIR/p:DFS_BIN_DIR/p:DFS_LOCAL_PORT_BASE:DFS_SERVER_FLAGS'
        $env:WSLENV = if ($env:WSLENV) { "$($env:WSLENV):$passed" } else { $passed }
        $program = 'wsl.exe'
        $all = @('--cd', $checkout, '--', 'bash', $script) + $words
    }
    Push-Location $checkout
    try {
        & $program $all
    } finally {
        Pop-Location
    }
}

$words = [string[]] $args
if ($words[0] -ne 'env') {
    Invoke-Cluster $words
    exit $LASTEXITCODE
}

# `export NAME=VALUE` becomes what PowerShell understands. PATH names programs for Linux: of use on Linux only.
foreach ($line in @(Invoke-Cluster $words)) {
    if ($line -match '^export DFS_ENDPOINTS=(.+)$') {
        "`$env:DFS_ENDPOINTS = '$($Matches[1])'"
    } elseif (-not $onWindows -and $line -match '^export PATH=(.+):\$PATH$') {
        $folder = $Matches[1] -replace '\\(.)', '$1' -replace "'", "''"
        "`$env:PATH = '${folder}:' + `$env:PATH"
    }
}
exit $LASTEXITCODE
