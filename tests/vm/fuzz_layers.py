#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""All layers that need no special kernel must be on and have seen something: fuzz_layers.py stats.json"""

import json
import sys

with open(sys.argv[1]) as file:
    layers = json.load(file)["layers"]
bad = [name for name in ("errno", "overlap", "state", "vmstat", "trace")
       if not layers[name]["on"] or not layers[name]["features"]]
for name in bad:
    print(f"{name}: {layers[name]}")
sys.exit(1 if bad else 0)
