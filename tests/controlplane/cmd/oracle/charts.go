package main

import (
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	ci "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	kubefake "helm.sh/helm/v4/pkg/kube/fake"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// A chart by its files, and the text of a values file.
type chartQuestion struct {
	Files     map[string][]byte `json:"files"`
	Values    string            `json:"values"`
	Release   string            `json:"release"`
	Namespace string            `json:"namespace"`
}

func (q chartQuestion) load() (*chart.Chart, map[string]any, error) {
	var files []*archive.BufferedFile
	for _, name := range slices.Sorted(maps.Keys(q.Files)) {
		files = append(files, &archive.BufferedFile{Name: name, Data: q.Files[name]})
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, nil, err
	}
	values, err := loader.LoadValues(strings.NewReader(q.Values))
	return c, values, err
}

type hook struct {
	Path     string   `json:"path"`
	Manifest string   `json:"manifest"`
	Events   []string `json:"events"`
	Weight   int      `json:"weight"`
}

type rendered struct {
	Manifest []byte `json:"manifest"`
	Hooks    []hook `json:"hooks"`
	Notes    []byte `json:"notes"`
	Error    string `json:"error"`
}

// The words that the command puts before.
const missingDependencies = "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' " +
	"to fetch missing dependencies: "

// templateChart is `helm template`, from the chart's files to the release.
func templateChart(q chartQuestion) any {
	c, values, err := q.load()
	if err != nil {
		return rendered{Error: err.Error()}
	}
	// As the command does before it installs.
	if accessor, err := ci.NewDefaultAccessor(c); err == nil {
		if required := accessor.MetaDependencies(); required != nil {
			if err := action.CheckDependencies(c, required); err != nil {
				return rendered{Error: missingDependencies + err.Error()}
			}
		}
	}
	config := &action.Configuration{
		Releases:   storage.Init(driver.NewMemory()),
		KubeClient: &kubefake.PrintingKubeClient{Out: io.Discard},
	}
	config.SetLogger(slog.DiscardHandler)
	install := action.NewInstall(config)
	install.DryRunStrategy = action.DryRunClient
	install.ReleaseName, install.Namespace, install.Replace = q.Release, q.Namespace, true
	made, err := install.Run(c, values)
	result := rendered{Error: words(err)}
	if made, ok := made.(*release.Release); ok && made != nil && err == nil {
		result.Manifest = []byte(made.Manifest)
		result.Notes = []byte(made.Info.Notes)
		for _, h := range made.Hooks {
			events := make([]string, 0, len(h.Events))
			for _, event := range h.Events {
				events = append(events, string(event))
			}
			result.Hooks = append(result.Hooks, hook{h.Path, h.Manifest, events, h.Weight})
		}
	}
	return result
}

type coalesced struct {
	Values any      `json:"values"`
	Charts []string `json:"charts"`
	Error  string   `json:"error"`
}

// coalesceValues says what the templates of a chart see as `.Values`, and which charts are left.
func coalesceValues(q chartQuestion) any {
	c, values, err := q.load()
	if err == nil {
		err = chartutil.ProcessDependencies(c, values)
	}
	if err != nil {
		return coalesced{Error: err.Error()}
	}
	options := common.ReleaseOptions{Name: q.Release, Namespace: q.Namespace, Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(c, values, options, nil)
	if err != nil {
		return coalesced{Error: err.Error()}
	}
	return coalesced{Values: top["Values"], Charts: paths(c)}
}

func paths(c *chart.Chart) []string {
	all := []string{c.ChartFullPath()}
	for _, below := range c.Dependencies() {
		all = append(all, paths(below)...)
	}
	slices.Sort(all)
	return all
}
