package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

type kustomizeQuestion struct {
	// Objects as the chart made them.
	Objects []json.RawMessage `json:"objects"`
	// What Flux makes of one entry of `postRenderers`: patches and images.
	Kustomization map[string]any `json:"kustomization"`
}

type kustomized struct {
	Objects []map[string]any `json:"objects"`
	Error   string           `json:"error"`
}

// kustomize is `kubectl kustomize` of a folder with the objects and the kustomization.
func kustomize(q kustomizeQuestion) any {
	objects, err := build(q)
	return kustomized{Objects: objects, Error: words(err)}
}

func build(q kustomizeQuestion) ([]map[string]any, error) {
	var resources bytes.Buffer
	for _, object := range q.Objects {
		fmt.Fprintf(&resources, "---\n%s\n", object)
	}
	kustomization := map[string]any{"resources": []string{"resources.yaml"}}
	for field, value := range q.Kustomization {
		kustomization[field] = value
	}
	text, err := json.Marshal(kustomization)
	if err != nil {
		return nil, err
	}
	files := filesys.MakeFsInMemory()
	for name, content := range map[string][]byte{"resources.yaml": resources.Bytes(), "kustomization.yaml": text} {
		if err := files.WriteFile(name, content); err != nil {
			return nil, err
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, ".")
	if err != nil {
		return nil, err
	}
	objects := []map[string]any{}
	for _, resource := range built.Resources() {
		object, err := resource.Map()
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// mergeKeys is the table of the built-in kinds: which of them have no namespace, and which of their lists strategic merge
// patches merge by which keys. src/postrender/builtin.rs reads it.
func mergeKeys(struct{}) any {
	definitions := openapi.Schema().Definitions
	merging := definitionsThatMerge(definitions)
	var lines []string
	reached := map[string]bool{}
	for name, definition := range definitions {
		for _, kind := range kindsOf(definition) {
			if openapi.IsCertainlyClusterScoped(kind) {
				lines = append(lines, fmt.Sprintf("cluster %s %s", kind.APIVersion, kind.Kind))
			}
			if merging[name] {
				lines = append(lines, fmt.Sprintf("kind %s %s %s", kind.APIVersion, kind.Kind, name))
				reached[name] = true
			}
		}
	}
	for pending := sortedKeys(reached); len(pending) > 0; {
		name := pending[0]
		pending = pending[1:]
		line := "type " + name
		for _, field := range fieldsOf(definitions[name], merging) {
			line += " " + field.String()
			if field.of != "" && !reached[field.of] {
				reached[field.of] = true
				pending = append(pending, field.of)
			}
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	return map[string]any{"table": strings.Join(lines, "\n") + "\n"}
}

// A field below which lists are merged, or which is such a list.
type mergingField struct {
	name string
	// "" for an object, "[key,key]" for a list that is merged.
	form string
	// The definition of the field, or of the list's items; empty where nothing below it merges.
	of string
}

func (f mergingField) String() string { return f.name + f.form + ":" + f.of }

func fieldsOf(definition spec.Schema, merging map[string]bool) []mergingField {
	var fields []mergingField
	for _, name := range sortedKeys(definition.Properties) {
		property := definition.Properties[name]
		resource := &openapi.ResourceSchema{Schema: &property}
		switch strategy, keys := resource.PatchStrategyAndKeyList(); {
		case slices.Contains(strings.Split(strategy, ","), "merge") && property.Type.Contains("array"):
			of := ""
			if item := reference(property.Items.Schema); merging[item] {
				of = item
			}
			fields = append(fields, mergingField{name, "[" + strings.Join(keys, ",") + "]", of})
		case merging[reference(&property)]:
			fields = append(fields, mergingField{name, "", reference(&property)})
		case property.AdditionalProperties != nil && merging[reference(property.AdditionalProperties.Schema)]:
			panic("a map of what is merged: the table has no form for it")
		}
	}
	return fields
}

// definitionsThatMerge are those that have a merged list anywhere below them.
func definitionsThatMerge(definitions spec.Definitions) map[string]bool {
	merging := map[string]bool{}
	for grown := true; grown; {
		grown = false
		for name, definition := range definitions {
			if !merging[name] && len(fieldsOf(definition, merging)) > 0 {
				merging[name] = true
				grown = true
			}
		}
	}
	return merging
}

func reference(schema *spec.Schema) string {
	if schema == nil {
		return ""
	}
	return strings.TrimPrefix(schema.Ref.String(), "#/definitions/")
}

// kindsOf are the API versions and kinds that a definition describes.
func kindsOf(definition spec.Schema) []yaml.TypeMeta {
	var kinds []yaml.TypeMeta
	listed, _ := definition.Extensions["x-kubernetes-group-version-kind"].([]any)
	for _, entry := range listed {
		fields, _ := entry.(map[string]any)
		group, _ := fields["group"].(string)
		version, _ := fields["version"].(string)
		kind, _ := fields["kind"].(string)
		kinds = append(kinds, yaml.TypeMeta{APIVersion: strings.TrimPrefix(group+"/"+version, "/"), Kind: kind})
	}
	return kinds
}

func sortedKeys[V any](of map[string]V) []string {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
