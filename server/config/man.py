#!/usr/bin/env python3
"""The manual page out of --help: man.py BERTD FILE

Lines at the margin are headings, unless they are sentences; what begins with two blanks and "--" is an option and what is
indented below it describes it; other lines with two blanks are kept as they are."""
import re
import subprocess
import sys

ENDS = """.SH EXIT STATUS
.TP
0
Ended by a signal, after the drain.
.TP
1
It could not start, or \\fB\\-\\-check\\fR found no healthy server.
.TP
2
The options are wrong, or there is no such model.
.SH SIGNALS
.TP
SIGTERM, SIGINT
Drain, then end. A second one ends sooner.
.TP
SIGHUP
Read API keys and TLS files again.
.SH SEE ALSO
.BR bertctl (1)
"""


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line.startswith((".", "'")) else line


def body(lines):
    in_option = False
    for line in lines:
        if not line:
            yield ".PP"
            in_option = False
        elif re.match(r"  --", line):
            name, _, words = line.strip().partition("  ")
            yield from (".TP", f"\\fB{escape(name)}\\fR")
            if words:
                yield escape(words.strip())
            in_option = True
        elif line.startswith("      ") and in_option:
            if line.startswith("      ["):
                yield ".br"
            yield escape(line.strip())
        elif line.startswith("  "):
            yield from (".nf", escape(line), ".fi")
        elif re.fullmatch(r"[A-Z][\w -]*", line):
            yield f".SH {line.upper()}"
        else:
            yield escape(line)


def main():
    bertd, path = sys.argv[1:]
    title, _, usage, _, *lines = subprocess.run([bertd, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    program, _, summary = title.partition(": ")
    page = [f'.TH BERTD 8 "" "{program}" "System Administration"', ".SH NAME", f"bertd \\- {escape(summary)}", ".SH SYNOPSIS",
            escape(usage.partition(": ")[2]), ".SH DESCRIPTION", *body(lines)]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(page).removesuffix("\n.PP") + "\n" + ENDS)


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
    else:
        main()
