# SPDX-License-Identifier: GPL-2.0-or-later
"""What a program's --help says, taken apart: the help text is the only place where verbs and options are described."""

import json
import os
import re
import subprocess

OPTION = re.compile(r"^ {2,8}((?:-\w, )?-{1,2}[A-Za-z][\w-]*.*)$")
TERM = re.compile(r"^(?:  )?([a-z][a-z-]*) {2,}(\S.*)$")


class Help:
    """usage: lines; about: paragraphs, and [(word, text)] for lists of words; options: [(forms, text)]; exit: text."""

    def __init__(self, text):
        self.usage, self.about, self.options, self.exit, self.notes = [], [], [], "", []
        self._last = None
        for line in text.splitlines():
            self._take(line)

    def _take(self, line):
        option, term = OPTION.match(line), TERM.match(line)
        indent = len(line) - len(line.lstrip())
        if not line.strip() or line in ("options:", "positional arguments:"):
            self._last = None
        elif line.startswith("usage: ") or self._last == "usage" and re.match(r" +sunder[a-z-]* ", line):
            self.usage.append(line.removeprefix("usage: ").strip())
            self._last = "usage"
        elif re.match(r"exit(?: status)?: ", line, re.I):
            self.exit, self._last = line.partition(": ")[2], "exit"
        elif self._last == "exit":
            self.exit += " " + line.strip()
        elif option:
            forms, _, text = re.sub(r" {2,}", "\t", option[1], count=1).partition("\t")
            self.options.append((forms, text))
            self._last = "option"
        elif self._last == "option" and indent > 8:
            forms, text = self.options[-1]
            self.options[-1] = (forms, f"{text} {line.strip()}".strip())
        elif term and self._last != "text":
            if self._last != "term":
                self._paragraphs().append([])
            self._paragraphs()[-1].append((term[1], term[2]))
            self._last = "term"
        elif self._last == "term" and indent:
            word, text = self._paragraphs()[-1][-1]
            self._paragraphs()[-1][-1] = (word, f"{text} {line.strip()}")
        elif self._last == "text":
            self._paragraphs()[-1] += " " + line.strip()
        else:
            self._paragraphs().append(line.strip())
            self._last = "text"

    def _paragraphs(self):
        """Text after the first option belongs there."""
        return self.notes if self.options else self.about


def say(program, *words):
    environment = dict(os.environ, COLUMNS="100", LC_ALL="C.UTF-8")
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment, check=True)
    return done.stdout


def verbs(program):
    """{verb: one line}, in the order of the program."""
    return dict(re.findall(r"^  ([a-z][a-z-]*) +(\S.*)$", say(program, "--help"), re.M))


def verb(program, name):
    return Help(say(program, name, "--help"))


def op_names(program):
    return [op["name"] for op in json.loads(say(program, "ops", "--json"))]
