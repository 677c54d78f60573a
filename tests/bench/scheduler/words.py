"""What texts are made of, so that a text of so many words has as many tokens, whatever the model's vocabulary."""
import json
import re

CANDIDATES = 512
ENOUGH, LEAST = 32, 8
AT_ONCE = 32        # inputs of a request


def answer(server, path, body):
    code, _, text = server.call("POST", path, json.dumps(body))
    if code != 200:
        raise SystemExit(f"error: {path} was answered {code}: {text[:300]!r}")
    return json.loads(text)


def find(server, vocab_size):
    """Words that the server's own tokenizer makes one token each of; from all over its vocabulary."""
    found = []
    ids = [vocab_size * i // CANDIDATES for i in range(CANDIDATES)]
    for chunk in (ids[i:i + AT_ONCE] for i in range(0, CANDIDATES, AT_ONCE)):
        texts = answer(server, "/decode", {"ids": [[i] for i in chunk]})
        pairs = [(i, text) for i, text in zip(chunk, texts) if re.fullmatch("[A-Za-z0-9]{3,}", text)]
        if not pairs:
            continue
        inputs = {"inputs": [text for _, text in pairs], "add_special_tokens": False}
        for (i, text), tokens in zip(pairs, answer(server, "/tokenize", inputs)):
            if [token["id"] for token in tokens] == [i]:
                found.append(text)
    if len(found) < LEAST:
        raise SystemExit(f"error: of {CANDIDATES} tokens of the model's vocabulary only {len(found)} are words: "
                         f"the bench needs {LEAST}")
    return [found[len(found) * i // ENOUGH] for i in range(ENOUGH)] if len(found) > ENOUGH else found
