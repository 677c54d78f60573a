#!/usr/bin/env python3
"""Man pages out of the header: man.py HEADER FOLDER VERSION

bertd.h.3 is the header as a whole: its first comment and its structs. Each function has a page of its own, made of the
comment before it and of the one that its section begins with."""
import os
import re
import sys


def words(comment):
    """The text of a comment without its frame, as lines."""
    text = re.sub(r"^/\*\*? ?|\s*\*/$", "", comment.strip())
    return [re.sub(r"^\s*\* ?", "", line) for line in text.split("\n")]


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line.startswith((".", "'")) else line


def body(lines, examples=False):
    """Paragraphs filled; `name  meaning` and `Word: meaning` as a list; what is indented as it stands, with `examples`."""
    out, open_code = [], False
    for line in lines:
        code = examples and line.startswith("  ")
        if code != open_code:
            out.append(".nf" if code else ".fi")
            open_code = code
        entry = re.match(r"^ ?(?:([\w, ]+?)  +(\S.*)|(Errors|Thread|Returns):? +(.*))$", line)
        if code:
            out.append(escape(line))
        elif not line.strip():
            out.append(".PP")
        elif entry:
            out += [".TP", ".B " + escape(entry[1] or entry[3]), escape(entry[2] or entry[4])]
        else:
            out.append(escape(line.strip()))
    return out + ([".fi"] if open_code else [])


def page(name, about, shown, sections, version):
    lines = [f'.TH {name.upper()} 3 "" "libbertd {version}"', ".SH NAME", escape(f"{name} - {about}"), ".SH SYNOPSIS", ".nf",
             ".B #include <bertd.h>", "", *[escape(line) for line in shown], ".fi"]
    for title, content in sections:
        lines += [f".SH {title}", *content]
    return "\n".join(lines) + "\n"


def summary(lines):
    """The first words, up to a sentence's or part's end, for the line NAME."""
    text = re.split(r"[.:;]\s", " ".join(line.strip() for line in lines) + " ")[0]
    return text if text[1].isupper() else text[0].lower() + text[1:]


def synopsis(declaration):
    """A declaration in lines that a terminal has room for."""
    text = " ".join(declaration.split())
    if len(text) <= 72:
        return [text]
    head, parameters = text.split("(", 1)
    return [head + "(", *["    " + line for line in parameters.replace(", ", ",\n").split("\n")]]


def main():
    header, folder, version = sys.argv[1:]
    with open(header, encoding="utf-8") as f:
        text = f.read()
    os.makedirs(folder, exist_ok=True)
    begin = words(re.match(r"/\*.*?\*/", text, re.S)[0])
    section, common, n = "", [], 0
    pattern = re.compile(r"/\* (?P<section>[A-Z][^\n]*?) -{5,} \*/\n(?P<common>/\*(?!\*).*?\*/)?"
                         r"|(?P<comment>/\*\*(?:(?!\*/).)*\*/)\nBERTD_API (?P<declaration>[^;]*;)", re.S)
    for match in pattern.finditer(text):
        if match["section"]:
            section, common = match["section"], words(match["common"]) if match["common"] else []
            continue
        comment, declaration = words(match["comment"]), match["declaration"]
        name = re.search(r"(bertd_\w+)\(", declaration)[1]
        sections = [("DESCRIPTION", body(comment))]
        if common:
            sections.append((section.upper(), body(common)))
        sections.append(("SEE ALSO", [".BR bertd.h (3)"]))
        with open(os.path.join(folder, name + ".3"), "w", encoding="utf-8") as f:
            f.write(page(name, summary(comment), synopsis(declaration), sections, version))
        n += 1
    types = re.findall(r"/\*\*(?:(?!\*/).)*\*/\n(?:struct|enum) bertd_\w+ \{.*?\n\};|^struct bertd_\w+;", text, re.S | re.M)
    shown = [".nf", *[escape(line) for one in types for line in one.split("\n") + [""]], ".fi"]
    with open(os.path.join(folder, "bertd.h.3"), "w", encoding="utf-8") as f:
        f.write(page("bertd.h", begin[0].split(": ", 1)[-1].rstrip("."), [], [("DESCRIPTION", body(begin, examples=True)), ("TYPES", shown)], version))
    if n == 0:
        sys.exit(f"{header}: no function is described")


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        sys.exit(0)
    main()
