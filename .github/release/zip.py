#!/usr/bin/env python3
"""Packs files into a zip that is the same whoever packs it: zip.py OUT.zip FILE..."""
import pathlib
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
    for name in sys.argv[2:]:
        info = zipfile.ZipInfo(pathlib.Path(name).name, (2026, 1, 1, 0, 0, 0))
        info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o755 << 16, 3
        out.writestr(info, pathlib.Path(name).read_bytes())
