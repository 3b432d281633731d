# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into a guest: files, programs with their libraries, kernel modules, as a cpio archive."""

import gzip
import io
import lzma
import os
import re
import stat
import subprocess


class Archive:
    """A newc cpio archive; parents are made as needed, a path added twice keeps its first content."""

    def __init__(self):
        self._out = io.BytesIO()
        self._seen = set()

    def _entry(self, path, mode, data=b"", rdev=(0, 0)):
        name = path.lstrip("/").encode() + b"\0"
        numbers = (len(self._seen), mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0)
        self._out.write(b"070701" + b"".join(b"%08X" % n for n in numbers) + name)
        self._pad()
        self._out.write(data)
        self._pad()

    def _pad(self):
        self._out.write(b"\0" * (-self._out.tell() % 4))

    def _new(self, path):
        if path in self._seen:
            return False
        parent = os.path.dirname(path)
        if parent not in ("", "/"):
            self.directory(parent)
        self._seen.add(path)
        return True

    def directory(self, path, mode=0o755):
        if self._new(path):
            self._entry(path, stat.S_IFDIR | mode)

    def file(self, path, data, mode=0o644):
        if self._new(path):
            self._entry(path, stat.S_IFREG | mode, data)

    def symlink(self, path, target):
        if self._new(path):
            self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path, major, minor):
        if self._new(path):
            self._entry(path, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def copy(self, source, path):
        """A file, or a directory with all below it, with modes; programs bring their libraries."""
        if os.path.isdir(source):
            self.directory(path)
            for name in sorted(os.listdir(source)):
                self.copy(os.path.join(source, name), os.path.join(path, name))
            return
        if self._copy_file(source, path).startswith(b"\x7fELF"):
            for library in libraries(source):
                self._copy_file(library, library)

    def _copy_file(self, source, path):
        with open(source, "rb") as file:
            data = file.read()
        self.file(path, data, stat.S_IMODE(os.stat(source).st_mode))
        return data

    def finish(self):
        self._entry("TRAILER!!!", 0)
        return self._out.getvalue()


def libraries(program):
    """Absolute paths of what a program is linked to; libgcc_s too, which glibc opens at run time."""
    listing = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    missing = re.findall(r"^\s*(\S+) => not found", listing.stdout, re.M)
    if missing:
        raise FileNotFoundError(f"{program} needs {', '.join(missing)}, which is not on this machine")
    found = re.findall(r"(/\S+) \(0x", listing.stdout)
    for library in list(found):
        unwinder = os.path.join(os.path.dirname(library), "libgcc_s.so.1")
        if "/libc.so" in library and os.path.exists(unwinder):
            found.append(unwinder)
    return found


SUFFIXES = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")


def read_module(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(os.path.splitext(path)[1], open)
    with opener(path, "rb") as file:
        return file.read()


class Modules:
    """The modules below an installed directory (lib/modules/RELEASE) or a kernel's build tree."""

    def __init__(self, directory):
        self._paths = {}
        for name in self._listed(directory):
            base = re.sub(r"\.k?o$", "", name)
            for suffix in SUFFIXES:
                path = os.path.join(directory, base + suffix)
                if os.path.exists(path):
                    self._paths[os.path.basename(base).replace("-", "_")] = path

    @staticmethod
    def _listed(directory):
        try:
            with open(os.path.join(directory, "modules.order"), encoding="utf-8") as order:
                return order.read().split()
        except FileNotFoundError:
            return []

    def closure(self, names):
        """[(name, content)] of the modules among names that exist, each after what it depends on."""
        done = {}

        def visit(name):
            if name in done or name not in self._paths:
                return
            done[name] = None  # also ends a cycle
            data = read_module(self._paths[name])
            needs = b",".join(re.findall(rb"\0depends=([^\0]*)\0", b"\0" + data))
            for need in re.split(rb"[\s,]+", needs):
                visit(need.decode().replace("-", "_"))
            del done[name]
            done[name] = data

        for name in names:
            visit(name)
        return list(done.items())
