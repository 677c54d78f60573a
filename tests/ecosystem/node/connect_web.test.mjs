// @connectrpc/connect-web, over Node's fetch.
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

import { URL } from "./bertd.mjs";
import { check } from "./connect.mjs";

const baseUrl = URL;
const short = { size: 20, timeoutMs: 1 };

check("Connect", createConnectTransport({ baseUrl }));
check("Connect in protobuf", createConnectTransport({ baseUrl, useBinaryFormat: true }));
check("Connect by GET", createConnectTransport({ baseUrl, useHttpGet: true }), short);
check("gRPC-Web", createGrpcWebTransport({ baseUrl }));
