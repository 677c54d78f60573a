// Package bertd is what the tests of clients share: where the server is, and the vectors that it must give.
package bertd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
)

var (
	URL     = os.Getenv("BERTD_URL")
	Bearer  = "Bearer " + os.Getenv("BERTD_KEY")
	Texts   = []string{"Hello, world", "Für Elise", strings.Repeat("a longer text about many things ", 8)}
	TooLong = strings.Repeat("hello ", 400)
)

// Numbered gives n texts.
func Numbered(text string, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%s %d", text, i)
	}
	return texts
}

// Rows takes the vectors of an EmbedBatchResponse apart.
func Rows(vectors []byte, width uint32) [][]float32 {
	rows := make([][]float32, len(vectors)/4/int(width))
	for i := range rows {
		rows[i] = make([]float32, width)
		for j := range rows[i] {
			rows[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(vectors[4*(i*int(width)+j):]))
		}
	}
	return rows
}

// AssertSame fails where the rows that a client gave do not have the bits of /embed's.
func AssertSame(t *testing.T, rows [][]float32, texts []string) {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"inputs": texts})
	request, _ := http.NewRequest("POST", URL+"/embed", bytes.NewReader(body))
	request.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {Bearer}}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var wanted [][]float32
	if err := json.NewDecoder(answer.Body).Decode(&wanted); err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(wanted) {
		t.Fatalf("%d rows, not %d", len(rows), len(wanted))
	}
	for i := range wanted {
		if len(rows[i]) != len(wanted[i]) {
			t.Fatalf("row %d has %d values, not %d", i, len(rows[i]), len(wanted[i]))
		}
		for j := range wanted[i] {
			if math.Float32bits(rows[i][j]) != math.Float32bits(wanted[i][j]) {
				t.Fatalf("row %d, value %d: %g, not %g", i, j, rows[i][j], wanted[i][j])
			}
		}
	}
}
