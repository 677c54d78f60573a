// @connectrpc/connect-node: Connect, gRPC and gRPC-Web.
import { compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";

import { URL } from "./bertd.mjs";
import { check, checkBidirectional } from "./connect.mjs";

const baseUrl = URL;
const short = { size: 20, timeoutMs: 1 };
const gzip = { sendCompression: compressionGzip, compressMinBytes: 0 };

for (const httpVersion of ["1.1", "2"]) {
    check(`Connect, HTTP/${httpVersion}`, createConnectTransport({ baseUrl, httpVersion }));
    check(`Connect in JSON, HTTP/${httpVersion}`, createConnectTransport({ baseUrl, httpVersion, useBinaryFormat: false }));
    check(`Connect by GET, HTTP/${httpVersion}`, createConnectTransport({ baseUrl, httpVersion, useHttpGet: true }), short);
    check(`Connect in gzip, HTTP/${httpVersion}`, createConnectTransport({ baseUrl, httpVersion, ...gzip }));
    check(`gRPC-Web, HTTP/${httpVersion}`, createGrpcWebTransport({ baseUrl, httpVersion }));
}
check("gRPC", createGrpcTransport({ baseUrl }));
check("gRPC in gzip", createGrpcTransport({ baseUrl, ...gzip }));
checkBidirectional("gRPC", createGrpcTransport({ baseUrl }));
checkBidirectional("gRPC in gzip", createGrpcTransport({ baseUrl, ...gzip }));
checkBidirectional("Connect", createConnectTransport({ baseUrl, httpVersion: "2" }));
checkBidirectional("gRPC-Web", createGrpcWebTransport({ baseUrl, httpVersion: "2" }));
