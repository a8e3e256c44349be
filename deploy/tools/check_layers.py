#!/usr/bin/env python3
"""Checks that includes point one way, and that each library stays in its place.

Reads layers.txt beside this file. Usage: check_layers.py [ROOT]
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
MAX_LINES = 500


def read_table(path):
    tables, current = {"folders": {}, "libraries": {}}, None
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            current = tables[line.strip("[]")]
        elif line:
            name, _, allowed = line.partition(":")
            current[name.strip()] = allowed.split()
    return tables


def is_inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def folder_of(path, folders):
    """The longest folder of the table that `path` lies in, or None."""
    inside = [folder for folder in folders if is_inside(path, folder)]
    return max(inside, key=len, default=None)


def violations(root, tables):
    folders, libraries = tables["folders"], tables["libraries"]
    tops = sorted({folder.split("/")[0] for folder in folders})
    reasons = (root / "ARCHITECTURE.md").read_text()
    for top in tops:
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            name = file.relative_to(root).as_posix()
            text = file.read_text()
            lines = text.count("\n")
            if lines > MAX_LINES and file.name not in reasons:
                yield f"{name}: {lines} lines, and ARCHITECTURE.md does not say why"
            home = folder_of(file.parent.relative_to(root).as_posix(), folders)
            if home is None:
                yield f"{name}: its folder is not in layers.txt"
                continue
            for bracket, include in INCLUDE.findall(text):
                library = next((l for l in libraries if include.startswith(l)), None)
                if library is not None:
                    allowed = libraries[library]
                    if "*" not in allowed and home not in allowed:
                        yield f"{name}: {home} may not name {include}"
                    continue
                if bracket == "<":
                    continue
                if is_inside(include.rpartition("/")[0], home) and folder_of(
                        include.rpartition("/")[0], folders) == home:
                    continue
                if not any(is_inside(include, other) for other in folders[home]):
                    yield f"{name}: {home} may not include {include}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    tables = read_table(pathlib.Path(__file__).with_name("layers.txt"))
    found = list(violations(root, tables))
    print("\n".join(found) or "includes point one way")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
