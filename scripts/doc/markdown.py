# SPDX-License-Identifier: GPL-2.0-or-later
"""The Markdown of docs/ as scdoc: headings, paragraphs, lists, tables, code, links. A table becomes a list of terms."""

import re


def escape(text):
    """For scdoc(5): nothing in it is markup."""
    return re.sub(r"([\\*_#\[\]|`~<>])", r"\\\1", text).replace("++", "+\\+")


def guard(line):
    """A line that must not begin a list or a table cell."""
    return re.sub(r"^([-.\]|\[#])", r"\\\1", line)


def inline(text):
    """Code and strong words are bold, links are their text."""
    out = []
    for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]*\]\([^)]*\))", text.replace("\\|", "|")):
        if re.fullmatch(r"`[^`]+`", part):
            out.append(f"*{escape(part[1:-1])}*")
        elif re.fullmatch(r"\*\*[^*]+\*\*", part):
            out.append(f"*{escape(part[2:-2])}*")
        elif link := re.fullmatch(r"\[([^\]]*)\]\(([^)]*)\)", part):
            out.append(escape(link[1]))
        else:
            out.append(escape(re.sub(r"\*([^*]+)\*", r"\1", part)))
    # Two bold words that touch would be read as one.
    return guard(re.sub(r"\*\*", r"* *", "".join(out)))


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def table(lines):
    """The first cell is the term, the last its text; those between are named by their column."""
    head, out = cells(lines[0]), []
    for line in lines[2:]:
        row = cells(line)
        between = "; ".join(f"{name}: {value}" for name, value in zip(head[1:-1], row[1:-1]) if value)
        text = ". ".join(part for part in (row[-1], between) if part)
        out += [inline(row[0]) or "\\-", "\t" + (inline(text) or "\\-"), ""]
    return out


def code(lines):
    return ["```", *lines, "```", ""]


def heading(line):
    """A page has no title of its own: ## are its sections."""
    level, text = re.match(r"(#+) (.*)", line.replace("`", "")).groups()
    if re.fullmatch(r"[a-z0-9_]+", text):  # a name is not to be in capitals
        return [f"## {text}", ""]
    if len(level) == 2:
        return [f"# {text.upper()}", ""]
    return [f"## {text}", ""] if len(level) > 2 else ["# DESCRIPTION", ""]


def blocks(text):
    """(kind, lines) of what stands between empty lines; code keeps its empty lines."""
    lines, at = re.sub(r"<!--.*?-->\n?", "", text, flags=re.S).splitlines(), 0
    while at < len(lines):
        line, start = lines[at], at
        if line.startswith("```"):
            end = next(i for i in range(at + 1, len(lines)) if lines[i].startswith("```"))
            yield "code", lines[at + 1:end]
            at = end + 1
        elif line.startswith("    "):
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
                at += 1
            yield "code", "\n".join(part[4:] for part in lines[start:at]).rstrip().splitlines()
        elif line.startswith("#"):
            yield "heading", [line]
            at += 1
        elif line.startswith(("|", "- ")):
            kind = "table" if line[0] == "|" else "list"
            while at < len(lines) and lines[at].strip() and (kind == "list" or lines[at].startswith("|")):
                at += 1
            yield kind, lines[start:at]
        elif not line.strip():
            at += 1
        else:
            while at < len(lines) and lines[at].strip() and not re.match(r"[|#]|- |```", lines[at]):
                at += 1
            yield "text", lines[start:at]


def items(lines):
    out = []
    for line in lines:
        if line.startswith("- "):
            out.append(line[2:])
        else:
            out[-1] += " " + line.strip()
    return ["- " + inline(text).lstrip("\\") for text in out] + [""]


def scdoc(text):
    out = []
    for kind, lines in blocks(text):
        if kind == "heading":
            out += heading(lines[0])
        elif kind == "table":
            out += table(lines)
        elif kind == "code":
            out += code(lines)
        elif kind == "list":
            out += items(lines)
        else:
            out += [inline(" ".join(lines)), ""]
    return "\n".join(out)
