// grpc-web, with an XMLHttpRequest in place of a browser's.
import assert from "node:assert/strict";
import test from "node:test";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import grpcWeb from "grpc-web";

import { assertSame, BEARER, rowsOf, TEXTS, TOO_LONG, TOO_MANY, URL } from "./bertd.mjs";
import { Boards, Embeddings } from "./stubs/bertd_pb.js";
import { Embed } from "./stubs/tei_pb.js";
import { XMLHttpRequest } from "./xhr.mjs";

globalThis.XMLHttpRequest = XMLHttpRequest;

const { GrpcWebClientBase, MethodDescriptor, RpcError, StatusCode } = grpcWeb;

/** A method of protobuf-es in grpc-web's terms, as its generator would write it. */
function describe(method) {
    const path = `/${method.parent.typeName}/${method.name}`;
    const kind = method.methodKind === "unary" ? "unary" : "server_streaming";
    const descriptor = new MethodDescriptor(path, kind, Object, Object, (message) => toBinary(method.input, message),
                                            (bytes) => fromBinary(method.output, bytes));
    return { path, descriptor, input: method.input };
}

/** The answer to fields of the method's request. */
function call(client, method, fields, metadata = BEARER) {
    const { path, descriptor, input } = describe(method);
    return client.unaryCall(URL + path, create(input, fields), metadata, descriptor);
}

function refused(promise, code, words) {
    return assert.rejects(promise, (error) => {
        assert.ok(error instanceof RpcError, `${error}`);
        assert.equal(error.code, code);
        return error.message.includes(words);
    });
}

for (const format of ["text", "binary"]) {
    const client = new GrpcWebClientBase({ format });

    test(`${format}: unary`, async () => {
        await assertSame([(await call(client, Embed.method.embed, { inputs: TEXTS[1] })).embeddings], [TEXTS[1]]);
    });

    test(`${format}: a batch`, async () => {
        const inputs = Array.from({ length: 1000 }, (_, i) => `text number ${i}`);
        await assertSame(rowsOf(await call(client, Embeddings.method.embedBatch, { inputs })), inputs);
    });

    test(`${format}: what is refused`, async () => {
        await refused(call(client, Embed.method.embed, { inputs: TOO_LONG }), StatusCode.INVALID_ARGUMENT, "256 tokens");
        await refused(call(client, Embeddings.method.embedBatch, { inputs: TOO_MANY }), StatusCode.INVALID_ARGUMENT,
                      "batch size 1025 > maximum allowed batch size 1024");
        await refused(call(client, Embed.method.embedSparse, { inputs: "a" }), StatusCode.FAILED_PRECONDITION, "");
    });

    test(`${format}: a bad key`, () => refused(call(client, Embed.method.embed, { inputs: "a" }, {}),
                                               StatusCode.UNAUTHENTICATED, ""));

    test(`${format}: a deadline`, () => {
        const inputs = Array.from({ length: 256 }, (_, i) => `${TEXTS[2]} ${i}`);
        const deadline = `${Date.now() + 50}`;
        return refused(call(client, Embeddings.method.embedBatch, { inputs }, { ...BEARER, deadline }),
                       StatusCode.DEADLINE_EXCEEDED, "");
    });
}

test("text: a server's stream, given up", async () => {
    const { path, descriptor, input } = describe(Boards.method.watch);
    const stream = new GrpcWebClientBase({ format: "text" })
        .serverStreaming(URL + path, create(input, { intervalMs: 100 }), BEARER, descriptor);
    let n = 0;
    await new Promise((resolve, reject) => {
        stream.on("error", reject);
        stream.on("data", (answer) => {
            assert.equal(answer.inService, 2);
            if (++n === 3) {
                stream.cancel();
                resolve();
            }
        });
    });
});
