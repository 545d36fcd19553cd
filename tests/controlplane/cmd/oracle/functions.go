package main

import (
	"maps"
	"slices"
	"text/template"
	_ "unsafe" // for linkname

	_ "helm.sh/helm/v4/pkg/engine"
)

// The functions that Helm's engine registers; it exports no way to list them.
//
//go:linkname funcMap helm.sh/helm/v4/pkg/engine.funcMap
func funcMap() template.FuncMap

type functionsQuestion struct {
	Names []string `json:"names"`
}

type functions struct {
	Registered []string `json:"registered"`
	Unknown    []string `json:"unknown"`
}

// knownFunctions lists what Helm registers, and which of the names no template may call.
func knownFunctions(q functionsQuestion) any {
	registered := funcMap()
	result := functions{Registered: slices.Sorted(maps.Keys(registered)), Unknown: []string{}}
	for _, name := range q.Names {
		if _, err := template.New("").Funcs(registered).Parse("{{" + name + "}}"); err != nil {
			result.Unknown = append(result.Unknown, name)
		}
	}
	return result
}
