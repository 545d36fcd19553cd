package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"
	yamlv3 "sigs.k8s.io/yaml/goyaml.v3"
)

type strvalsQuestion struct {
	Form string         `json:"form"`
	Text string         `json:"text"`
	Into map[string]any `json:"into"`
}

type parsed struct {
	Values map[string]any `json:"values"`
	Error  string         `json:"error"`
}

// parseStrvals is one `--set` flag of the five kinds, on top of values.
func parseStrvals(q strvalsQuestion) any {
	into := q.Into
	if into == nil {
		into = map[string]any{}
	}
	var err error
	switch q.Form {
	case "set":
		err = strvals.ParseInto(q.Text, into)
	case "string":
		err = strvals.ParseIntoString(q.Text, into)
	case "file":
		err = strvals.ParseIntoFile(q.Text, into, func(path []rune) (any, error) {
			if strings.Contains(string(path), "missing") {
				return nil, errors.New("no such file")
			}
			return "content of " + string(path), nil
		})
	case "json":
		err = strvals.ParseJSON(q.Text, into)
	case "literal":
		err = strvals.ParseLiteralInto(q.Text, into)
	}
	return parsed{Values: into, Error: words(err)}
}

type reading struct {
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
}

func read(value any, err error) reading {
	if err != nil {
		return reading{Error: err.Error()}
	}
	text, err := json.Marshal(value)
	return reading{Value: text, Error: words(err)}
}

type yamlQuestion struct {
	Text []byte `json:"text"`
}

type yamlReadings struct {
	Any    reading `json:"any"`
	Map    reading `json:"map"`
	List   reading `json:"list"`
	JSON   reading `json:"json"`
	Strict reading `json:"strict"`
}

// readYAML reads a text in all the ways in which Helm does.
func readYAML(q yamlQuestion) any {
	var any_ any
	var map_ map[string]any
	var list []any
	var result yamlReadings
	err := yaml.Unmarshal(q.Text, &any_)
	result.Any = read(any_, err)
	err = yaml.Unmarshal(q.Text, &map_)
	result.Map = read(map_, err)
	err = yaml.Unmarshal(q.Text, &list)
	result.List = read(list, err)
	text, err := yaml.YAMLToJSON(q.Text)
	result.JSON = read(json.RawMessage(text), err)
	text, err = yaml.YAMLToJSONStrict(q.Text)
	result.Strict = read(json.RawMessage(text), err)
	return result
}

type emitQuestion struct {
	Value any `json:"value"`
}

type emitted struct {
	YAML   []byte `json:"yaml"`
	Pretty []byte `json:"pretty"`
	Error  string `json:"error"`
}

// emitYAML writes a value as `toYaml` and as `toYamlPretty` do.
func emitYAML(q emitQuestion) any {
	text, err := yaml.Marshal(q.Value)
	result := emitted{YAML: text, Error: words(err)}
	var pretty bytes.Buffer
	encoder := yamlv3.NewEncoder(&pretty)
	encoder.SetIndent(2)
	if encoder.Encode(q.Value) == nil {
		result.Pretty = pretty.Bytes()
	}
	return result
}
