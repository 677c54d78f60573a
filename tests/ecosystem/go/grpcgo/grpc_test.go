// grpc-go with stubs made of tei.proto and bertd.proto.
package grpcgo

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"bertd/clients/bertd"
	"bertd/clients/bertdv1"
	"bertd/clients/teiv1"
)

func dial(t *testing.T, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	connection, err := grpc.NewClient(strings.TrimPrefix(bertd.URL, "http://"), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func withKey(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, "authorization", bertd.Bearer)
}

func refused(t *testing.T, err error, code codes.Code, words string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, not %v: %s", err, code, words)
	}
}

func embed(t *testing.T, client teiv1.EmbedClient, text string, options ...grpc.CallOption) []float32 {
	t.Helper()
	answer, err := client.Embed(withKey(t), &teiv1.EmbedRequest{Inputs: text}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Embeddings
}

func stream(t *testing.T, client teiv1.EmbedClient, texts []string, options ...grpc.CallOption) ([][]float32, error) {
	t.Helper()
	calls, err := client.EmbedStream(withKey(t), options...)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, text := range texts {
			if calls.Send(&teiv1.EmbedRequest{Inputs: text}) != nil {
				return // Recv says why
			}
		}
		calls.CloseSend()
	}()
	var rows [][]float32
	for {
		answer, err := calls.Recv()
		if err == io.EOF {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
		rows = append(rows, answer.Embeddings)
	}
}

func TestUnary(t *testing.T) {
	bertd.AssertSame(t, [][]float32{embed(t, teiv1.NewEmbedClient(dial(t)), bertd.Texts[1])}, bertd.Texts[1:2])
}

func TestBatch(t *testing.T) {
	texts := bertd.Numbered("text number", 1000)
	answer, err := bertdv1.NewEmbeddingsClient(dial(t)).EmbedBatch(withKey(t), &bertdv1.EmbedBatchRequest{Inputs: texts})
	if err != nil {
		t.Fatal(err)
	}
	bertd.AssertSame(t, bertd.Rows(answer.Vectors, answer.Width), texts)
}

func TestStream(t *testing.T) {
	texts := bertd.Numbered("text number", 500)
	rows, err := stream(t, teiv1.NewEmbedClient(dial(t)), texts)
	if err != nil {
		t.Fatal(err)
	}
	bertd.AssertSame(t, rows, texts)
}

func TestStreamByTurns(t *testing.T) {
	calls, err := teiv1.NewEmbedClient(dial(t)).EmbedStream(withKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range bertd.Texts {
		calls.Send(&teiv1.EmbedRequest{Inputs: text})
		answer, err := calls.Recv()
		if err != nil {
			t.Fatal(err)
		}
		bertd.AssertSame(t, [][]float32{answer.Embeddings}, []string{text})
	}
	calls.CloseSend()
	if _, err := calls.Recv(); err != io.EOF {
		t.Errorf("%v, not the end", err)
	}
}

func TestFailedStream(t *testing.T) {
	rows, err := stream(t, teiv1.NewEmbedClient(dial(t)), append(bertd.Texts[:3:3], bertd.TooLong, "a"))
	refused(t, err, codes.InvalidArgument, "must have at most 256 tokens")
	bertd.AssertSame(t, rows, bertd.Texts)
}

func TestServerStream(t *testing.T) {
	ctx, cancel := context.WithCancel(withKey(t))
	defer cancel()
	boards, err := bertdv1.NewBoardsClient(dial(t)).Watch(ctx, &bertdv1.WatchBoardsRequest{IntervalMs: 100})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		answer, err := boards.Recv()
		if err != nil || answer.InService != 2 {
			t.Fatalf("%v, %v", answer, err)
		}
	}
	cancel()
	for err == nil {
		_, err = boards.Recv()
	}
	refused(t, err, codes.Canceled, "")
}

func TestGzip(t *testing.T) {
	client := teiv1.NewEmbedClient(dial(t, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name))))
	bertd.AssertSame(t, [][]float32{embed(t, client, bertd.Texts[2])}, bertd.Texts[2:])
	rows, err := stream(t, client, bertd.Texts)
	if err != nil {
		t.Fatal(err)
	}
	bertd.AssertSame(t, rows, bertd.Texts)
}

func TestKeepalive(t *testing.T) {
	parameters := keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 20 * time.Second, PermitWithoutStream: true}
	client := teiv1.NewEmbedClient(dial(t, grpc.WithKeepaliveParams(parameters)))
	bertd.AssertSame(t, [][]float32{embed(t, client, bertd.Texts[0])}, bertd.Texts[:1])
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(withKey(t), 20*time.Millisecond)
	defer cancel()
	_, err := bertdv1.NewEmbeddingsClient(dial(t)).EmbedBatch(ctx,
		&bertdv1.EmbedBatchRequest{Inputs: bertd.Numbered(bertd.Texts[2], 256)})
	refused(t, err, codes.DeadlineExceeded, "")
}

func TestCancelled(t *testing.T) {
	connection := dial(t)
	ctx, cancel := context.WithCancel(withKey(t))
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := bertdv1.NewEmbeddingsClient(connection).EmbedBatch(ctx,
		&bertdv1.EmbedBatchRequest{Inputs: bertd.Numbered(bertd.Texts[2]+" again", 256)})
	refused(t, err, codes.Canceled, "")
	bertd.AssertSame(t, [][]float32{embed(t, teiv1.NewEmbedClient(connection), bertd.Texts[0])}, bertd.Texts[:1])
}

func TestRefused(t *testing.T) {
	connection := dial(t)
	client, ctx := teiv1.NewEmbedClient(connection), withKey(t)
	_, err := client.Embed(context.Background(), &teiv1.EmbedRequest{Inputs: "a"})
	refused(t, err, codes.Unauthenticated, "")
	_, err = client.Embed(ctx, &teiv1.EmbedRequest{})
	refused(t, err, codes.InvalidArgument, "cannot be empty")
	_, err = client.EmbedSparse(ctx, &teiv1.EmbedSparseRequest{Inputs: "a"})
	refused(t, err, codes.FailedPrecondition, "")
	_, err = bertdv1.NewEmbeddingsClient(connection).EmbedBatch(ctx,
		&bertdv1.EmbedBatchRequest{Inputs: bertd.Numbered("a", 1025)})
	refused(t, err, codes.InvalidArgument, "batch size 1025 > maximum allowed batch size 1024")
}

func TestDetails(t *testing.T) {
	_, err := teiv1.NewEmbedClient(dial(t)).Embed(withKey(t), &teiv1.EmbedRequest{Inputs: bertd.TooLong})
	refused(t, err, codes.InvalidArgument, "must have at most 256 tokens. Given: 402")
	for _, detail := range status.Convert(err).Details() {
		if info, is := detail.(*errdetails.ErrorInfo); is && info.Reason == "VALIDATION" && info.Domain == "bertd" {
			return
		}
	}
	t.Errorf("no details: %v", status.Convert(err).Details())
}

func TestHealth(t *testing.T) {
	client := grpc_health_v1.NewHealthClient(dial(t))
	answer, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: "tei.v1.Embed"})
	if err != nil || answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", answer, err)
	}
	_, err = client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: "another"})
	refused(t, err, codes.NotFound, "")
}

func TestReflection(t *testing.T) {
	calls, err := grpc_reflection_v1.NewServerReflectionClient(dial(t)).ServerReflectionInfo(withKey(t))
	if err != nil {
		t.Fatal(err)
	}
	calls.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
	answer, err := calls.Recv()
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range answer.GetListServicesResponse().GetService() {
		if service.Name == "bertd.v1.Embeddings" {
			return
		}
	}
	t.Errorf("not listed: %v", answer)
}
