// What the tests of clients share: where the server is, and the vectors that it must give.
import assert from "node:assert/strict";

export const URL = process.env.BERTD_URL;
export const KEY = process.env.BERTD_KEY;
export const STRICT_URL = process.env.BERTD_STRICT_URL; // of a server that cuts nothing: --auto-truncate false
export const BEARER = { authorization: `Bearer ${KEY}` };
export const MODEL = "all-MiniLM-L6-v2";
export const TEXTS = ["Hello, world", "Für Elise", "a longer text about many things ".repeat(8)];
export const TOO_LONG = "hello ".repeat(400);
export const TOO_MANY = Array(1025).fill("a");

/** Asserts that the rows a client gave, whatever it holds them in, have the bits of /embed's. */
export async function assertSame(rows, inputs, fields = {}) {
    const answer = await fetch(URL + "/embed", {
        method: "POST", headers: { "content-type": "application/json", ...BEARER }, body: JSON.stringify({ inputs, ...fields }),
    });
    assert.equal(answer.status, 200);
    const wanted = await answer.json();
    assert.deepEqual(rows.map((row) => Float32Array.from(row)), wanted.map((row) => Float32Array.from(row)));
}

/** The rows of an EmbedBatchResponse. */
export function rowsOf(answer) {
    const values = new Float32Array(new Uint8Array(answer.vectors).buffer);
    return Array.from({ length: answer.rows }, (_, i) => values.subarray(i * answer.width, (i + 1) * answer.width));
}
