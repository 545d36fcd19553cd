package main

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/Masterminds/semver/v3"
)

// A Go value with its type, as {"int": 1} or {"list": [...]}.
type typed map[string]json.RawMessage

func (t typed) value() any {
	for kind, raw := range t {
		switch kind {
		case "bool":
			return decode[bool](raw)
		case "int":
			return decode[int](raw)
		case "int32":
			return decode[int32](raw)
		case "int64":
			return decode[int64](raw)
		case "uint8":
			return decode[uint8](raw)
		case "uint64":
			return decode[uint64](raw)
		case "float": // as its bits, so that NaN and infinities pass
			return math.Float64frombits(decode[uint64](raw))
		case "string":
			return string(decode[[]byte](raw))
		case "bytes":
			return decode[[]byte](raw)
		case "duration":
			return time.Duration(decode[int64](raw))
		case "strings":
			return decode[[]string](raw)
		case "list":
			items := decode[[]typed](raw)
			list := make([]any, 0, len(items))
			for _, item := range items {
				list = append(list, item.value())
			}
			return list
		case "map":
			values := map[string]any{}
			for key, item := range decode[map[string]typed](raw) {
				values[key] = item.value()
			}
			return values
		}
	}
	return nil
}

func decode[T any](raw json.RawMessage) T {
	var value T
	if err := json.Unmarshal(raw, &value); err != nil {
		panic(err)
	}
	return value
}

type printfQuestion struct {
	Format    []byte  `json:"format"`
	Arguments []typed `json:"arguments"`
}

type printed struct {
	Printf  []byte `json:"printf"`
	Print   []byte `json:"print"`
	Println []byte `json:"println"`
}

// printFormats is the template functions printf, print and println.
func printFormats(q printfQuestion) any {
	arguments := make([]any, 0, len(q.Arguments))
	for _, argument := range q.Arguments {
		arguments = append(arguments, argument.value())
	}
	return printed{
		Printf:  fmt.Appendf(nil, string(q.Format), arguments...),
		Print:   fmt.Append(nil, arguments...),
		Println: fmt.Appendln(nil, arguments...),
	}
}

type semverQuestion struct {
	Constraint string `json:"constraint"`
	Version    string `json:"version"`
	Other      string `json:"other"`
}

type checked struct {
	Version         string `json:"version"`
	VersionError    string `json:"versionError"`
	OtherError      string `json:"otherError"`
	StrictError     string `json:"strictError"`
	ConstraintError string `json:"constraintError"`
	Matches         bool   `json:"matches"`
	Order           int    `json:"order"`
}

// checkVersions reads two versions, compares them, and checks the first one against a constraint.
func checkVersions(q semverQuestion) any {
	version, err := semver.NewVersion(q.Version)
	result := checked{VersionError: words(err)}
	_, err = semver.StrictNewVersion(q.Version)
	result.StrictError = words(err)
	other, err := semver.NewVersion(q.Other)
	result.OtherError = words(err)
	constraint, err := semver.NewConstraint(q.Constraint)
	result.ConstraintError = words(err)
	if version != nil {
		result.Version = version.String()
	}
	if version != nil && other != nil {
		result.Order = version.Compare(other)
	}
	if version != nil && constraint != nil {
		result.Matches = constraint.Check(version)
	}
	return result
}

type regexpQuestion struct {
	Pattern     string `json:"pattern"`
	Text        []byte `json:"text"`
	Replacement []byte `json:"replacement"`
	Limit       int    `json:"limit"`
}

type matched struct {
	Error   string   `json:"error"`
	Match   bool     `json:"match"`
	Find    []byte   `json:"find"`
	All     [][]byte `json:"all"`
	Replace []byte   `json:"replace"`
	Literal []byte   `json:"literal"`
	Split   [][]byte `json:"split"`
}

// matchRegexp uses a regular expression in all the ways in which Sprig does.
func matchRegexp(q regexpQuestion) any {
	r, err := regexp.Compile(q.Pattern)
	if err != nil {
		return matched{Error: err.Error()}
	}
	text := string(q.Text)
	result := matched{
		Match:   r.MatchString(text),
		Find:    []byte(r.FindString(text)),
		Replace: []byte(r.ReplaceAllString(text, string(q.Replacement))),
		Literal: []byte(r.ReplaceAllLiteralString(text, string(q.Replacement))),
	}
	for _, part := range r.FindAllString(text, q.Limit) {
		result.All = append(result.All, []byte(part))
	}
	for _, part := range r.Split(text, q.Limit) {
		result.Split = append(result.Split, []byte(part))
	}
	return result
}

type timeQuestion struct {
	Layout  string `json:"layout"`
	Seconds int64  `json:"seconds"`
	Nanos   int64  `json:"nanos"`
	Zone    string `json:"zone"`
	Text    string `json:"text"`
}

type formatted struct {
	Formatted  string `json:"formatted"`
	String     string `json:"string"`
	Parsed     string `json:"parsed"`
	ParseError string `json:"parseError"`
}

// formatTime prints an instant with a layout, reads it back, and reads another text with it.
func formatTime(q timeQuestion) any {
	zone, err := time.LoadLocation(q.Zone)
	if err != nil {
		zone = time.UTC // as Sprig does
	}
	instant := time.Unix(q.Seconds, q.Nanos).In(zone)
	result := formatted{Formatted: instant.Format(q.Layout), String: instant.String()}
	text := q.Text
	if text == "" {
		text = result.Formatted
	}
	parsed, err := time.ParseInLocation(q.Layout, text, zone)
	result.ParseError = words(err)
	if err == nil {
		result.Parsed = strconv.FormatInt(parsed.Unix(), 10) + " " + parsed.String()
	}
	return result
}

type durationQuestion struct {
	Text     string `json:"text"`
	Multiple int64  `json:"multiple"`
}

type durations struct {
	Text      string `json:"text"`
	Nanos     int64  `json:"nanos"`
	Error     string `json:"error"`
	Rounded   int64  `json:"rounded"`
	Truncated int64  `json:"truncated"`
}

// parseDuration reads a duration, prints and rounds it.
func parseDuration(q durationQuestion) any {
	d, err := time.ParseDuration(q.Text)
	multiple := time.Duration(q.Multiple)
	return durations{
		Text: d.String(), Nanos: int64(d), Error: words(err),
		Rounded: int64(d.Round(multiple)), Truncated: int64(d.Truncate(multiple)),
	}
}
