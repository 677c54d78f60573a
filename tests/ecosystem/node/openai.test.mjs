// openai's client for Node.
import assert from "node:assert/strict";
import test from "node:test";

import OpenAI from "openai";

import { assertSame, KEY, MODEL, STRICT_URL, TEXTS, TOO_LONG, TOO_MANY, URL } from "./bertd.mjs";

const IDS = [101, 7592, 1010, 2088, 102];
const client = new OpenAI({ baseURL: URL + "/v1", apiKey: KEY });

async function embed(input, options = {}, by = client) {
    const answer = await by.embeddings.create({ model: MODEL, input, ...options });
    return answer.data.map((item) => item.embedding);
}

test("one text", async () => assertSame(await embed("Hello, world"), ["Hello, world"]));
test("texts", async () => assertSame(await embed(TEXTS), TEXTS));
test("decimal numbers", async () => assertSame(await embed(TEXTS, { encoding_format: "float" }), TEXTS));
test("token ids", async () => assertSame(await embed([IDS, IDS.slice(1, 3)]), [IDS, IDS.slice(1, 3)]));
test("dimensions", async () => assertSame(await embed(TEXTS, { dimensions: 16 }), TEXTS, { dimensions: 16 }));

test("base64", async () => {
    const rows = await embed(TEXTS, { encoding_format: "base64" });
    await assertSame(rows.map((row) => new Float32Array(new Uint8Array(Buffer.from(row, "base64")).buffer)), TEXTS);
});

test("a large batch", async () => {
    const texts = Array.from({ length: 1000 }, (_, i) => `text number ${i}`);
    await assertSame(await embed(texts), texts);
});

test("many at once", async () => {
    const texts = Array.from({ length: 64 }, (_, i) => `text ${i % 8}`);
    await assertSame((await Promise.all(texts.map((text) => embed(text)))).flat(), texts);
});

test("usage and the request's id", async () => {
    const { data, request_id } = await client.embeddings.create({ model: MODEL, input: "Hello, world" }).withResponse();
    assert.deepEqual(data.usage, { prompt_tokens: 5, total_tokens: 5 });
    assert.match(request_id, /^[0-9a-f]{32}$/);
});

test("models", async () => {
    const models = (await client.models.list()).data;
    assert.equal(models.length, 1);
    assert.equal((await client.models.retrieve(models[0].id)).owned_by, "bertd");
    await assert.rejects(client.models.retrieve("another"), OpenAI.NotFoundError);
});

test("a bad key", () => assert.rejects(embed("a", {}, new OpenAI({ baseURL: URL + "/v1", apiKey: "other" })),
                                       OpenAI.AuthenticationError));

test("what is refused", async () => {
    await assert.rejects(embed(TOO_MANY), (error) => {
        assert.ok(error instanceof OpenAI.UnprocessableEntityError);
        return error.message.includes("batch size 1025 > maximum allowed batch size 1024");
    });
    await assert.rejects(embed(""), OpenAI.BadRequestError);
    const strict = new OpenAI({ baseURL: STRICT_URL + "/v1", apiKey: KEY });
    await assert.rejects(embed(TOO_LONG, {}, strict), OpenAI.UnprocessableEntityError);
});

test("time limit", () => assert.rejects(
    embed(Array.from({ length: 256 }, (_, i) => `${TEXTS[2]} ${i}`), {},
          new OpenAI({ baseURL: URL + "/v1", apiKey: KEY, timeout: 20, maxRetries: 0 })),
    OpenAI.APIConnectionTimeoutError));
