// Makes the table that the template functions are tested against, with Helm's own engine:
//
//	go run . < expressions.txt > expressions.jsonl
//
// Each line of expressions.txt is the body of one action; `\n` in it stands for a new line.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
)

type row struct {
	Expression string `json:"expression"`
	Output     string `json:"output"`
	Error      string `json:"error,omitempty"`
}

func render(expression string) row {
	text := "{{ " + expression + " }}"
	values := map[string]any{
		"m": map[string]any{"a": map[string]any{"b": 1.0, "c": []any{1.0, 2.0}}, "x": "hello", "z": 0.0, "f": false, "n": nil, "e": ""},
		"l": []any{3.0, 1.0, 2.0}, "i": 7.0, "big": 1e20,
	}
	c := &chart.Chart{
		Metadata:  &chart.Metadata{Name: "t2", Version: "0.1.0", APIVersion: "v2"},
		Templates: []*common.File{{Name: "templates/x.txt", Data: []byte(text)}},
	}
	top := common.Values{"Values": common.Values(values), "Release": map[string]any{"Name": "rel"}, "Capabilities": common.DefaultCapabilities}
	out, err := engine.Render(c, top)
	result := row{Expression: expression, Output: out["t2/templates/x.txt"]}
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

func main() {
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 1<<20)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for scanner.Scan() {
		line := scanner.Text()
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		if err := encoder.Encode(render(line)); err != nil {
			panic(err)
		}
	}
}
