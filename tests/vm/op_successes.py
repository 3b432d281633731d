#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names the ops that a run's plan has, and that never succeeded in it. Takes its summary.json; exit code 1: there are some."""

import json
import sys


def never(doc):
    plans = [doc["plan"]] + [turn["plan"] for turn in doc["plan"]["turns"]]
    planned = {entry["op"] for plan in plans for crew in plan["crews"] for lane in crew["lanes"] for entry in lane["ops"]}
    ran = {op["op"]: op for op in doc["ops"]}
    for name in sorted(planned):
        if name not in ran:
            yield f"{name} never ran"
        elif ran[name]["ok"] == 0:
            yield f"{name} never succeeded: {ran[name]['errors']}"


with open(sys.argv[1], encoding="utf-8") as file:
    lines = list(never(json.load(file)))
print("\n".join(lines))
sys.exit(1 if lines else 0)
