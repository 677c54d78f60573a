// connect-go: the protocols Connect, gRPC and gRPC-Web, over HTTP/1.1 and HTTP/2.
package connectgo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"bertd/clients/bertd"
	"bertd/clients/bertdv1"
	"bertd/clients/bertdv1/bertdv1connect"
	"bertd/clients/teiv1"
	"bertd/clients/teiv1/teiv1connect"
)

// transport speaks HTTP/2 from the first byte, or HTTP/1.1.
func transport(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(http2)
	protocols.SetHTTP1(!http2)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

func keyed[T any](message *T) *connect.Request[T] {
	request := connect.NewRequest(message)
	request.Header().Set("Authorization", bertd.Bearer)
	return request
}

func refused(t *testing.T, err error, code connect.Code, words string) {
	t.Helper()
	if connect.CodeOf(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, not %v: %s", err, code, words)
	}
}

// protocols are all that have unary calls and streams of the server.
var protocols = []struct {
	name    string
	http2   bool
	options []connect.ClientOption
}{
	{"Connect", false, nil},
	{"Connect, HTTP2", true, nil},
	{"Connect in JSON", false, []connect.ClientOption{connect.WithProtoJSON()}},
	{"Connect by GET", false, []connect.ClientOption{connect.WithHTTPGet(), connect.WithHTTPGetMaxURLSize(4096, true)}},
	{"Connect in gzip", true, []connect.ClientOption{connect.WithSendGzip()}},
	{"gRPC", true, []connect.ClientOption{connect.WithGRPC()}},
	{"gRPC in gzip", true, []connect.ClientOption{connect.WithGRPC(), connect.WithSendGzip()}},
	{"gRPC-Web", false, []connect.ClientOption{connect.WithGRPCWeb()}},
	{"gRPC-Web, HTTP2", true, []connect.ClientOption{connect.WithGRPCWeb()}},
}

func each(t *testing.T, check func(t *testing.T, client *http.Client, options ...connect.ClientOption)) {
	for _, protocol := range protocols {
		t.Run(protocol.name, func(t *testing.T) { check(t, transport(protocol.http2), protocol.options...) })
	}
}

func TestUnary(t *testing.T) {
	each(t, func(t *testing.T, client *http.Client, options ...connect.ClientOption) {
		embed := teiv1connect.NewEmbedClient(client, bertd.URL, options...)
		answer, err := embed.Embed(context.Background(), keyed(&teiv1.EmbedRequest{Inputs: bertd.Texts[1]}))
		if err != nil {
			t.Fatal(err)
		}
		bertd.AssertSame(t, [][]float32{answer.Msg.Embeddings}, bertd.Texts[1:2])
		if tokens := answer.Header().Get("X-Compute-Tokens"); tokens != "4" {
			t.Errorf("tokens: %q", tokens)
		}
	})
}

func TestBatch(t *testing.T) {
	each(t, func(t *testing.T, client *http.Client, options ...connect.ClientOption) {
		batch := bertdv1connect.NewEmbeddingsClient(client, bertd.URL, options...)
		texts := bertd.Numbered("text number", 1000)
		answer, err := batch.EmbedBatch(context.Background(), keyed(&bertdv1.EmbedBatchRequest{Inputs: texts}))
		if err != nil {
			t.Fatal(err)
		}
		bertd.AssertSame(t, bertd.Rows(answer.Msg.Vectors, answer.Msg.Width), texts)
	})
}

func TestServerStream(t *testing.T) {
	each(t, func(t *testing.T, client *http.Client, options ...connect.ClientOption) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		boards := bertdv1connect.NewBoardsClient(client, bertd.URL, options...)
		answers, err := boards.Watch(ctx, keyed(&bertdv1.WatchBoardsRequest{IntervalMs: 100}))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if !answers.Receive() || answers.Msg().InService != 2 {
				t.Fatalf("%v, %v", answers.Msg(), answers.Err())
			}
		}
		cancel()
		for answers.Receive() {
		}
		refused(t, answers.Err(), connect.CodeCanceled, "")
	})
}

func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, client *http.Client, options ...connect.ClientOption) {
		embed := teiv1connect.NewEmbedClient(client, bertd.URL, options...)
		ctx := context.Background()
		_, err := embed.Embed(ctx, connect.NewRequest(&teiv1.EmbedRequest{Inputs: "a"}))
		refused(t, err, connect.CodeUnauthenticated, "")
		_, err = embed.Embed(ctx, keyed(&teiv1.EmbedRequest{Inputs: bertd.TooLong}))
		refused(t, err, connect.CodeInvalidArgument, "must have at most 256 tokens. Given: 402")
		var failure *connect.Error
		if !errors.As(err, &failure) || len(failure.Details()) != 1 ||
			failure.Details()[0].Type() != "google.rpc.ErrorInfo" {
			t.Errorf("details of %v", err)
		}
		_, err = embed.EmbedSparse(ctx, keyed(&teiv1.EmbedSparseRequest{Inputs: "a"}))
		refused(t, err, connect.CodeFailedPrecondition, "")
		batch := bertdv1connect.NewEmbeddingsClient(client, bertd.URL, options...)
		_, err = batch.EmbedBatch(ctx, keyed(&bertdv1.EmbedBatchRequest{Inputs: bertd.Numbered("a", 1025)}))
		refused(t, err, connect.CodeInvalidArgument, "batch size 1025 > maximum allowed batch size 1024")
	})
}

func TestDeadline(t *testing.T) {
	each(t, func(t *testing.T, client *http.Client, options ...connect.ClientOption) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		batch := bertdv1connect.NewEmbeddingsClient(client, bertd.URL, options...)
		_, err := batch.EmbedBatch(ctx, keyed(&bertdv1.EmbedBatchRequest{Inputs: bertd.Numbered(bertd.Texts[2], 256)}))
		refused(t, err, connect.CodeDeadlineExceeded, "")
	})
}

func TestCancelled(t *testing.T) {
	each(t, func(t *testing.T, client *http.Client, options ...connect.ClientOption) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		batch := bertdv1connect.NewEmbeddingsClient(client, bertd.URL, options...)
		texts := bertd.Numbered(bertd.Texts[2]+" again", 256)
		_, err := batch.EmbedBatch(ctx, keyed(&bertdv1.EmbedBatchRequest{Inputs: texts}))
		refused(t, err, connect.CodeCanceled, "")
	})
}

func TestBidirectionalStream(t *testing.T) {
	for _, protocol := range protocols {
		if !protocol.http2 {
			continue // HTTP/1.1 has none
		}
		t.Run(protocol.name, func(t *testing.T) {
			embed := teiv1connect.NewEmbedClient(transport(true), bertd.URL, protocol.options...)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			calls := embed.EmbedStream(ctx)
			calls.RequestHeader().Set("Authorization", bertd.Bearer)
			var rows [][]float32
			for _, text := range bertd.Texts {
				if err := calls.Send(&teiv1.EmbedRequest{Inputs: text}); err != nil {
					t.Fatal(err)
				}
				answer, err := calls.Receive()
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, answer.Embeddings)
			}
			calls.CloseRequest()
			if _, err := calls.Receive(); !errors.Is(err, io.EOF) {
				t.Errorf("%v, not the end", err)
			}
			calls.CloseResponse()
			bertd.AssertSame(t, rows, bertd.Texts)
		})
	}
}
