"""The real codex.exe and our executable under wine, with a scripted model, for the tests beside this file.

windows.sh makes the directory all of it lies in. What wine cannot show: real PowerShell (powershell.c stands in for
it), lists of rights other than those modes can express, Defender, the limit of a command line, Windows Terminal.
"""
import os
import pathlib
import shlex
import subprocess

from machine import HERE, OURS, Machine


class Windows(Machine):
    """A wine prefix with Codex in it and the folders of one person."""
    launcher, suffix, echo = ["wine"], ".exe", "cmd /c echo"
    work_named = "C:\\lab\\project"

    def __init__(self, folder, home=None):
        self.folder = pathlib.Path(folder).resolve()
        self.drive = self.folder / "prefix/drive_c"
        shell = subprocess.run(["sh", "-c", f'eval "$({shlex.quote(str(HERE / "windows.sh"))} env {shlex.quote(str(self.folder))})" && env -0'],
                               capture_output=True, check=True).stdout.decode()
        self.env = {k: v for k, v in (line.split("=", 1) for line in shell.split("\0") if line) if not k.startswith(OURS)}
        self.codex_exe = next(self.folder.glob(f"codex-{os.environ.get('CODEX_VERSION', '*')}/package/vendor/*/bin/codex.exe"))
        self.env["MOCK_KEY"] = "x"
        if home:
            self.home = self.path(home)
            self.env |= {"CODEX_HOME": home + "\\.codex", "ARIZE_HARNESS_HOME": home + "\\.arize\\harness"}
        else:
            self.home = next(p for p in (self.drive / "users").iterdir() if p.name != "Public")
        self.codex_home, self.harness = self.home / ".codex", self.home / ".arize/harness"
        self.work = self.drive / "lab/project"
        self.model_process = None

    def path(self, windows):
        """Where a path of drive C: or of a share lies."""
        if windows.startswith("\\\\"):
            return self.folder / "prefix/dosdevices/unc" / windows[2:].replace("\\", "/")
        return self.drive / windows[3:].replace("\\", "/")

    def processes(self, name):
        """The command lines of a program's processes in this prefix."""
        mark, found = f"WINEPREFIX={self.env['WINEPREFIX']}".encode(), []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes()
                if name.encode() in line and mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(line.replace(b"\0", b" ").decode(errors="replace"))
            except OSError:  # It has ended.
                continue
        return found

    def stop(self):
        super().stop()
        subprocess.run([str(HERE / "windows.sh"), "stop", str(self.folder)], stdout=subprocess.DEVNULL)
