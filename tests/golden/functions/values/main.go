// Makes the table that values and dependencies are tested against, with Helm's own loader and engine:
//
//	go run ./values < values/rules.yaml > values/rules.jsonl
//
// A rule is a tree of charts in short form and what the user sets. Each chart has one template, which prints its values.
package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

type chart struct {
	Version      string           `json:"version"`
	APIVersion   string           `json:"apiVersion"`
	Type         string           `json:"type"`
	Dependencies []map[string]any `json:"dependencies"`
	Values       map[string]any   `json:"values"`
	Schema       map[string]any   `json:"schema"`
	Charts       map[string]chart `json:"charts"`
}

type rule struct {
	Rule  string         `json:"rule"`
	Chart chart          `json:"chart"`
	User  map[string]any `json:"user"`
}

type row struct {
	Rule     string            `json:"rule"`
	Rendered map[string]string `json:"rendered,omitempty"`
	Error    string            `json:"error,omitempty"`
}

func files(c chart, name, directory string) []*archive.BufferedFile {
	metadata := map[string]any{"apiVersion": "v2", "name": name, "version": "1.0.0"}
	for key, value := range map[string]string{"version": c.Version, "apiVersion": c.APIVersion, "type": c.Type} {
		if value != "" {
			metadata[key] = value
		}
	}
	file := func(name string, content any) *archive.BufferedFile {
		data, err := json.Marshal(content)
		if err != nil {
			panic(err)
		}
		return &archive.BufferedFile{Name: directory + name, Data: data}
	}
	var result []*archive.BufferedFile
	if c.APIVersion == "v1" {
		result = append(result, file("requirements.yaml", map[string]any{"dependencies": c.Dependencies}))
	} else if c.Dependencies != nil {
		metadata["dependencies"] = c.Dependencies
	}
	template := "templates/values.txt"
	if c.Type == "library" {
		template = "templates/_values.txt"
	}
	result = append(result, file("Chart.yaml", metadata), &archive.BufferedFile{Name: directory + template, Data: []byte("{{ toJson .Values }}")})
	if c.Values != nil {
		result = append(result, file("values.yaml", c.Values))
	}
	if c.Schema != nil {
		result = append(result, file("values.schema.json", c.Schema))
	}
	for name, below := range c.Charts {
		result = append(result, files(below, name, directory+"charts/"+name+"/")...)
	}
	return result
}

func render(r rule) (map[string]string, error) {
	c, err := loader.LoadFiles(files(r.Chart, "top", ""))
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(c, r.User); err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true}
	values, err := util.ToRenderValues(c, r.User, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, values)
}

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var rules []rule
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		panic(err)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for _, r := range rules {
		rendered, err := render(r)
		result := row{Rule: r.Rule, Rendered: rendered}
		if err != nil {
			result.Error = err.Error()
		}
		if err := encoder.Encode(result); err != nil {
			panic(err)
		}
	}
}
