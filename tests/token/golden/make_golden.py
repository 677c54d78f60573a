#!/usr/bin/env python3
"""Write tokenizers.json and cases.jsonl: small tokenizers and what the `tokenizers` library (0.21.1) makes of texts.

usage: make_golden.py FOLDER, with tokenizers==0.21.1 installed. The tests read the two files; they do not need this.
A case is {"tokenizer", "text", "pair"?, "bare"? (no special tokens), "max"?, "left"?, "ids", "spans" (UTF-8 bytes, null
for the template's tokens), "types", "full" (tokens without truncation)} or {"tokenizer", "decode", "skip", "text"}.
"""
import sys

if {"-h", "--help"} & set(sys.argv[1:]):
    sys.exit(print(__doc__))    # before what may not be installed

import json
import os

from tokenizers import Tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the cat sat on mat un ##aff ##able ##s ##ing token ##ization hello world naive na ##ive Hello World NAIVE
Naïve naïve ##ïve ÉCOLE école cafe café cafe\u0301 straße strasse ß ss σ ς Σ i i\u0307 ı İ ##\u0307 1 2 12 ##2 ² ½ ﬁ fi
do n't 'm 's not ##' . , ! ? ' - # ## [ ] ( ) $ + ° … “ ” € 。 、 中 ##中 文 中文 豈 更 한 ##ᆫ 하 ##ᅡ 가 ᄒ ᄀ ##ᆨ
\u302e ##\u302e ##\u302f ##\ua9c0 \ua9c0 ##\u1d165 \u1d158 ##\u1d16e \U0001d158 ##\U0001d165 ##\U0001d16e ##\U0001d16f
##\u093e क ##ि ##\u20dd \u1df6 ##\u1df6 ##\u0301 ##\u0323 \u0301 a ##a b ##b c ##c d ##d e ##e é ##é x ##x y ##y z ##z
tok TOK foo Foo \ufffd \u0378 🙂 ##🙂 K k Å å ##å q\u0307 [unused0]""".split()
TEXTS = [
    "", " ", "hello world", "Hello, World!", "unaffable", "unaffables unaffabl", "the cat sat on the mat.",
    "naïve NAÏVE Naïve nai\u0308ve", "ÉCOLE école e\u0301cole", "café cafe\u0301 cafe\u0301\u0323", "STRASSE straße STRAẞE",
    "ΣΊΣΥΦΟΣ σς Σ", "İ I ı i İİ", "\u212a \u212b k å", "x² ½ ﬁ １２", "don't 'm it's do not", "a\vb a\tb a\nb a\r\nb a\x0cb",
    "a\x00b \x00 \ufffd a\ufffdb", "a\u200bb a\u00adb \ufeffa e\u200d\u0301b", "a\u0085b a\u2028b a\u2029b a\u00a0b a\u3000b a\u1680b",
    "a\x1cb a\x1fb a\x7fb", "中文 中a文b", "a中文b豈更。", "\U0002b820\U0002b91f \U0002b920\U0002ceaf \U0002f800a", "한하가 한국", "ᄒ\u1161\u11ab 가\u11a8",
    "하" * 33, "하" * 34, "a" * 99, "a" * 100, "a" * 101, "a" * 100 + "\u0301", "a" * 100 + "." + "b" * 101, "é" * 100, "é" * 101, "q" * 5,
    "[CLS] [SEP] [MASK]", "un[SEP]able", "[CLS][SEP][PAD]a", "[mask] [ MASK ] [C\u200bLS] [unused0]", "[MASK", "[[MASK]] [MAS[MASK]K]",
    "## # ##a a##b", "$ + < = > ^ | ~ ` _ @", "a-b_c.d/e\\f", "“a” … ° € 。、", "\u037e \u1fef \u0387 \u061d \u2e43 \u166d\U000111c9",
    "a\u302e b\u302e\u0323 c\u0323\u302e", "a\u0301\u302e\u0323\u302f\ua9c0b", "\u302e\u0301a \ua9c0\u302e", "a\u302e\u200b\u0301\ua9c0",
    "a\u0344\u0f73\u302e\ua9c0", "\U0001d15e \U0001d160 \U0001d161a", "\U0001d160\u0334\u302e\u0301 \U0001d1bd\U0001d165\ua9c0",
    "e\u0301\u302e é\u302e \u302eé\u302e", "क\u093f \u0915\u094d\u0937 a\u20dd", "a\u1df6 \u1df6\u0301 \u08d3", "\u0378a \ufffe 🙂a🙂🙂",
    "a\u180eb a\u061cb a\u2061b \U000e0041", "\u0890a \u08e2a \U000110bda \U000110cda", "\u0301\u0302\u0303", "a " + "\u0301" * 60 + "\u302e" + "\u0323" * 60 + "b",
    "中\u0301\u302e文\u302e", "tok TOK tokx xtok tok. .tok étok tok\u0301", "foo Foo FOO fOo  foo\t foox", "a b  a b a\u00a0b A B", " \u3000tok \n Foo\u2003x",
    "中文 中文中文", "naïvetok", "x [MASK] \u3000[MASK]\n[MASK]x", "aaaaaab aab", "A À Å", "日本語テスト、全角！", "Foo   y Foo y\n\n y x  y", "Ａ ａ \u2460",
]
PAIRS = [("hello world", "the cat sat on the mat."), ("", "a"), ("a", ""), ("", ""), ("a b c d e", "x y z"), ("x y z", "a b c d e"), ("a b c", "x y z"),
         ("a", "a b c d e x y z"), ("é中[SEP]", "İ [MASK] 한")]
LIMITS = [2, 3, 4, 5, 7, 8, 9]
DECODED = ["the cat sat on mat .", "do n't 's 'm , ! ?", "[CLS] un ##aff ##able ##s [SEP] [PAD] [PAD]", "##ing the ##ing", "( a ' b ' ) ' '", "do not a . . .",
           "[UNK] 中 文 한", "", "## ##a # a", "a do|not . n't do|not"]


def vocabulary():
    entries = SPECIAL + WORDS + ["##" + c for c in "fghijklmnopqrstuvw"] + list("fghijlmnopqrstuvw")
    return {text: i for i, text in enumerate(dict.fromkeys(entries))}


def added(vocab, *others):
    tokens = [{"id": vocab[s], "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for s in SPECIAL]
    size = len(vocab)
    for content, flags in others:
        known = vocab.get(content)
        token = {"id": size if known is None else known, "content": content, "special": "special" in flags}
        size += known is None
        token.update({flag: flag in flags for flag in ("single_word", "lstrip", "rstrip", "normalized")})
        tokens.append(token)
    return tokens


def template(vocab):
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]"))
    a, b, end = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}
    return {"type": "TemplateProcessing", "single": [cls, a, sep], "pair": [cls, a, sep, b, end],
            "special_tokens": {s: {"id": s, "ids": [vocab[s]], "tokens": [s]} for s in ("[CLS]", "[SEP]")}}


def tokenizer(switches, tokens=(), **other):
    vocab = vocabulary()
    names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added(vocab, *tokens),
             "normalizer": dict({"type": "BertNormalizer"}, **dict(zip(names, switches))), "pre_tokenizer": {"type": "BertPreTokenizer"},
             "post_processor": template(vocab), "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
             "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab}}
    for name, value in other.items():
        whole[name] = value(vocab) if callable(value) else value
    return whole


def tokenizers():
    bert = lambda vocab: {"type": "BertProcessing", "sep": ["[SEP]", vocab["[SEP]"]], "cls": ["[CLS]", vocab["[CLS]"]]}
    short = lambda vocab: {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 5, "vocab": vocab}   # no type, as of old
    flags = [("tok", ("single_word",)), ("foo", ("normalized", "single_word")), ("a b", ("lstrip", "rstrip")), ("中文", ("normalized",)), (" new", ("normalized",)),
             ("naïve", ("normalized", "lstrip", "rstrip")), ("aab", ()), ("aa", ()), ("NAIVE", ("normalized", "special"))]
    raw = [("tok", ("single_word", "lstrip")), ("Foo", ("rstrip",)), ("\n", ("rstrip",)), ("x ", ("lstrip", "special")), (" y", ("lstrip",)), ("do not", ())]
    return {"uncased": tokenizer((True, True, None, True)), "cased": tokenizer((True, True, None, False)), "strip": tokenizer((True, True, True, False)),
            "lower": tokenizer((True, True, False, True)), "clean": tokenizer((True, False, False, False)), "cjk": tokenizer((False, True, False, False)),
            "dirty": tokenizer((False, True, True, True)), "none": tokenizer((False, False, False, False)), "added": tokenizer((True, True, None, True), flags),
            "raw": tokenizer((True, True, None, True), raw, post_processor=bert), "bare": tokenizer((True, True, None, True), model=short, post_processor=None, decoder=None)}


def byte_offsets(text):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return at


def encoded(tok, name, text, pair=None, bare=False, limit=None, left=False):
    if limit:
        tok.enable_truncation(limit, direction="left" if left else "right")
    enc = tok.encode(text, pair, add_special_tokens=not bare)
    tok.no_truncation()
    at = byte_offsets(text), byte_offsets(pair or "")
    spans = [None if which is None else [at[which][a], at[which][b]] for (a, b), which in zip(enc.offsets, enc.sequence_ids)]
    case = {"tokenizer": name, "text": text, "pair": pair, "bare": bare, "max": limit, "left": left}
    case = {key: value for key, value in case.items() if value not in (None, False)}
    return dict(case, ids=enc.ids, spans=spans, types=enc.type_ids, full=len(tok.encode(text, pair, add_special_tokens=not bare).ids))


def cases(name, tok):
    for text in TEXTS:
        yield encoded(tok, name, text)
    yield encoded(tok, name, TEXTS[6], bare=True)
    if name not in ("uncased", "raw", "bare"):
        return
    for text in ("the cat sat on the mat.", "é中[SEP]a"):
        for limit in LIMITS:
            for left in (False, True):
                yield encoded(tok, name, text, limit=limit, left=left)
    for a, b in PAIRS:
        yield encoded(tok, name, a, b)
        yield encoded(tok, name, a, b, bare=True)
        for limit in LIMITS[1:]:
            for left in (False, True):
                yield encoded(tok, name, a, b, limit=limit, left=left)
    for text in DECODED:
        tokens = [t.replace("|", " ") for t in text.split()]
        ids = [tok.token_to_id(t) for t in tokens if tok.token_to_id(t) is not None] + [1 << 20]
        for skip in (False, True):
            yield {"tokenizer": name, "decode": ids, "skip": skip, "text": tok.decode(ids, skip_special_tokens=skip)}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    made = tokenizers()
    with open(os.path.join(folder, "tokenizers.json"), "w") as f:
        f.write("{" + ",\n".join(json.dumps(name) + ": " + json.dumps(made[name]) for name in made) + "}\n")
    with open(os.path.join(folder, "cases.jsonl"), "w") as f:
        for name, whole in made.items():
            for case in cases(name, Tokenizer.from_str(json.dumps(whole))):
                f.write(json.dumps(case, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
