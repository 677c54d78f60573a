// Reads Grafana dashboards strictly, by the types that Grafana publishes of them: schema FILE...
// What they do not have (a field, a kind of value, a word of an enumeration) is told, a line each; the status is 1 then.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// The strict readers return a list that may be empty.
func add(findings *cog.BuildErrors, where string, err error) {
	var list cog.BuildErrors
	if errors.As(err, &list) && len(list) == 0 {
		return
	}
	if err != nil {
		*findings = append(*findings, cog.MakeBuildErrors(where, err)...)
	}
}

// Of "fieldConfig" the reader of a panel looks strictly at "custom" alone.
func checkFieldConfigs(findings *cog.BuildErrors, raw []byte) error {
	var board struct {
		Panels []struct {
			Title       string
			Type        string
			FieldConfig json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		return err
	}
	for _, panel := range board.Panels {
		var config dashboard.FieldConfigSource
		if panel.FieldConfig != nil {
			add(findings, panel.Title+".fieldConfig", config.UnmarshalJSONStrict(panel.FieldConfig))
		}
		if _, known := cog.ConfigForPanelcfgVariant(panel.Type); !known && panel.Type != "row" {
			add(findings, panel.Title, fmt.Errorf("the kind of panel %q is not known here: see main", panel.Type))
		}
	}
	return nil
}

func check(path string) error {
	var findings cog.BuildErrors
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var board dashboard.Dashboard
	add(&findings, "dashboard", board.UnmarshalJSONStrict(raw))
	add(&findings, "dashboard", board.Validate())
	if err := checkFieldConfigs(&findings, raw); err != nil {
		return err
	}
	if len(findings) == 0 {
		return nil
	}
	return findings
}

func main() {
	runtime := cog.NewRuntime()
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	runtime.RegisterPanelcfgVariant(stat.VariantConfig())
	runtime.RegisterPanelcfgVariant(statetimeline.VariantConfig())
	runtime.RegisterPanelcfgVariant(table.VariantConfig())
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	status := 0
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Printf("%s: %v\n", path, err)
			status = 1
		}
	}
	os.Exit(status)
}
