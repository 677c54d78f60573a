#!/usr/bin/env python3
"""Write unicode.tsv: what the `tokenizers` library (0.21.1) knows of each code point, found by asking it.

usage: make_unicode.py > unicode.tsv, with tokenizers==0.21.1 installed. The build does not need this program: it is
how the table was made. The library's data are of several Unicode versions (categories 8, decompositions 9, the rest
of its compiler's and its regex crate's), so no other source gives the same.
"""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

SWITCHES = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
HEADER = f"""\
# What BertNormalizer, BertPreTokenizer and the added-token matcher of tokenizers {tokenizers.__version__} know of each code point.
# first-last<TAB>property<TAB>value; code points and mappings in hexadecimal. Made by make_unicode.py.
# drop   removed by clean_text               space  turned to U+0020 by clean_text
# white  splits words                        punct  a word of its own
# cjk    set apart by handle_chinese_chars   mark   removed by strip_accents
# word   \\w of the regex crate (single_word of an added token)
# ccc    canonical combining class           nfd    canonical decomposition in full (Hangul syllables: by the algorithm)
# lower  lower case; in a range the value is the first one's and the others follow in step
"""


def bert(*on):
    return normalizers.BertNormalizer(**{name: name in on for name in SWITCHES})


def properties():
    clean, cjk, strip, lower = (bert(name) for name in SWITCHES)
    nfd, split = normalizers.NFD(), pre_tokenizers.BertPreTokenizer()
    single = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    single.add_tokens([AddedToken("X", single_word=True, normalized=False)])
    for cp in range(0x110000):
        if 0xD800 <= cp <= 0xDFFF:
            continue
        c = chr(cp)
        words = len(split.pre_tokenize_str("a" + c + "b"))
        cleaned, decomposed, lowered = clean.normalize_str(c), nfd.normalize_str(c), lower.normalize_str(c)
        if cleaned == "":
            yield cp, "drop", ""
        elif cleaned == " ":
            yield cp, "space", ""
        if words == 2:
            yield cp, "white", ""
        elif words == 3:
            yield cp, "punct", ""
        if cjk.normalize_str(c) != c:
            yield cp, "cjk", ""
        if decomposed == c and strip.normalize_str(c) == "":
            yield cp, "mark", ""
        if "X" not in single.encode("X" + c).tokens:
            yield cp, "word", ""
        if decomposed == c and has_class(nfd, c):
            yield cp, "ccc", str(unicodedata.combining(c))
        if decomposed != c and not 0xAC00 <= cp <= 0xD7A3:
            yield cp, "nfd", " ".join("%04X" % ord(x) for x in decomposed)
        if lowered != c:
            yield cp, "lower", " ".join("%04X" % ord(x) for x in lowered)


def has_class(nfd, c):
    """A combining class never changes once it is not 0, so Python's is the library's where the library has one."""
    return c == "\u0345" or nfd.normalize_str("a\u0345" + c) == "a" + c + "\u0345"


def follows(line, cp, name, value):
    first, last, _, before = line
    if last != cp - 1 or name == "nfd":
        return False
    if name != "lower":
        return before == value
    return " " not in before and " " not in value and int(value, 16) - int(before, 16) == cp - first


def main():
    lines, newest = [], {}
    for cp, name, value in properties():
        line = newest.get(name)
        if line and follows(line, cp, name, value):
            line[1] = cp
        else:
            newest[name] = [cp, cp, name, value]
            lines.append(newest[name])
    print(HEADER, end="")
    for first, last, name, value in sorted(lines):
        span = "%04X" % first if first == last else "%04X-%04X" % (first, last)
        print("\t".join([span, name] + ([value] if value else [])))


if __name__ == "__main__":
    main()
