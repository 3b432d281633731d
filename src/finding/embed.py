# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a C array of a file: embed.py INPUT OUTPUT NAME"""

import sys

with open(sys.argv[1], "rb") as f:
    data = f.read() + b"\0"
with open(sys.argv[2], "w", encoding="ascii") as f:
    f.write(f"extern const char {sys.argv[3]}[];\nconst char {sys.argv[3]}[] = {{\n")
    for i in range(0, len(data), 24):
        f.write(",".join(str(b) for b in data[i:i + 24]) + ",\n")
    f.write("};\n")
