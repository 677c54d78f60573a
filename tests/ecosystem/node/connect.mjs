// The checks that every transport of Connect's clients goes through.
import assert from "node:assert/strict";
import test from "node:test";

import { Code, ConnectError, createClient } from "@connectrpc/connect";

import { assertSame, BEARER, rowsOf, TEXTS, TOO_LONG, TOO_MANY } from "./bertd.mjs";
import { Boards, Embeddings } from "./stubs/bertd_pb.js";
import { Health } from "./stubs/health_pb.js";
import { Embed, Info, Tokenize } from "./stubs/tei_pb.js";

const headers = BEARER;

/** `code` is a name of Code. */
function refused(promise, code, words = "") {
    return assert.rejects(promise, (error) => {
        assert.ok(error instanceof ConnectError, `${error}`);
        assert.equal(Code[error.code], code, `${error}`);
        return error.rawMessage.includes(words);
    });
}

/** `size`: inputs of a large batch, fewer where they must fit into a URL; `timeoutMs`: less than it takes. */
export function check(name, transport, { size = 1000, timeoutMs = 30 } = {}) {
    const embed = createClient(Embed, transport);
    const batch = createClient(Embeddings, transport);
    const boards = createClient(Boards, transport);

    test(`${name}: unary`, async () => {
        const answer = await embed.embed({ inputs: TEXTS[1] }, { headers });
        await assertSame([answer.embeddings], [TEXTS[1]]);
        assert.ok(answer.metadata.totalTimeNs > 0n);
    });

    test(`${name}: headers`, async () => {
        let tokens;
        await embed.embed({ inputs: TEXTS[0] }, { headers, onHeader: (fields) => { tokens = fields.get("x-compute-tokens"); } });
        assert.equal(tokens, "5");
    });

    test(`${name}: a batch`, async () => {
        const inputs = Array.from({ length: size }, (_, i) => `text number ${i}`);
        await assertSame(rowsOf(await batch.embedBatch({ inputs }, { headers })), inputs);
    });

    test(`${name}: many at once`, async () => {
        const texts = Array.from({ length: 64 }, (_, i) => `text ${i % 8}`);
        const answers = await Promise.all(texts.map((inputs) => embed.embed({ inputs }, { headers })));
        await assertSame(answers.map((answer) => answer.embeddings), texts);
    });

    test(`${name}: tokens and information`, async () => {
        const tokens = createClient(Tokenize, transport);
        const answer = await tokens.tokenize({ inputs: TEXTS[1], addSpecialTokens: true }, { headers });
        assert.deepEqual(answer.tokens.map((token) => token.text), ["[CLS]", "Für", "Elise", "[SEP]"]);
        const info = await createClient(Info, transport).info({}, { headers });
        assert.equal(info.maxInputLength, 256);
    });

    test(`${name}: a server's stream, given up`, async () => {
        const ending = new AbortController();
        let n = 0;
        await refused((async () => {
            for await (const answer of boards.watch({ intervalMs: 100 }, { headers, signal: ending.signal })) {
                assert.equal(answer.inService, 2);
                if (++n === 3) {
                    ending.abort();
                }
            }
        })(), "Canceled");
        assert.equal(n, 3);
    });

    test(`${name}: health`, async () => {
        const health = createClient(Health, transport);
        assert.equal((await health.check({ service: "tei.v1.Embed" })).status, 1);
        await refused(health.check({ service: "another" }), "NotFound");
    });

    test(`${name}: a bad key`, () => refused(embed.embed({ inputs: "a" }), "Unauthenticated"));

    test(`${name}: what is refused`, async () => {
        await refused(embed.embed({ inputs: TOO_LONG }, { headers }), "InvalidArgument", "must have at most 256 tokens");
        await refused(batch.embedBatch({ inputs: TOO_MANY }, { headers }), "InvalidArgument", "batch size 1025");
        await refused(embed.embed({}, { headers }), "InvalidArgument", "cannot be empty");
        await refused(embed.embedSparse({ inputs: "a" }, { headers }), "FailedPrecondition");
    });

    test(`${name}: a stream that is refused`, () => refused((async () => {
        for await (const answer of boards.watch({ intervalMs: 7200000 }, { headers })) {
            assert.fail(`${answer}`);
        }
    })(), "InvalidArgument"));

    test(`${name}: a deadline`, () => {
        const inputs = Array.from({ length: Math.min(size, 256) }, (_, i) => `${TEXTS[2]} ${i}`);
        return refused(batch.embedBatch({ inputs }, { headers, timeoutMs }), "DeadlineExceeded");
    });

    test(`${name}: cancelled`, async () => {
        const inputs = Array.from({ length: Math.min(size, 256) }, (_, i) => `${TEXTS[2]} ${i} again`);
        await refused(batch.embedBatch({ inputs }, { headers, signal: AbortSignal.timeout(timeoutMs) }), "Canceled");
        await assertSame([(await embed.embed({ inputs: TEXTS[0] }, { headers })).embeddings], [TEXTS[0]]);
    });
}

/** Streams both ways, which HTTP/2 alone has. */
export function checkBidirectional(name, transport) {
    const embed = createClient(Embed, transport);

    test(`${name}: a stream both ways`, async () => {
        const inputs = Array.from({ length: 300 }, (_, i) => `text number ${i}`);
        const rows = [];
        async function* requests() {
            for (const text of inputs) {
                yield { inputs: text };
            }
        }
        for await (const answer of embed.embedStream(requests(), { headers })) {
            rows.push(answer.embeddings);
        }
        await assertSame(rows, inputs);
    });

    test(`${name}: a stream by turns`, async () => {
        let wake;
        let next = new Promise((resolve) => { wake = resolve; });
        async function* requests() {
            for (const text of TEXTS) {
                yield { inputs: text };
                await next; // the answer
                next = new Promise((resolve) => { wake = resolve; });
            }
        }
        const rows = [];
        for await (const answer of embed.embedStream(requests(), { headers })) {
            rows.push(answer.embeddings);
            wake();
        }
        await assertSame(rows, TEXTS);
    });

    test(`${name}: a stream that fails gives the answers before`, async () => {
        const rows = [];
        async function* requests() {
            for (const inputs of [...TEXTS, TOO_LONG, "a"]) {
                yield { inputs };
            }
        }
        await refused((async () => {
            for await (const answer of embed.embedStream(requests(), { headers })) {
                rows.push(answer.embeddings);
            }
        })(), "InvalidArgument");
        await assertSame(rows, TEXTS);
    });
}
