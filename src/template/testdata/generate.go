// Writes cases.jsonl: what Go's text/template makes of each text, for the tests of the template engine. Run with
// `go run generate.go > cases.jsonl`. The data is the one of `tests.rs`.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

var data = map[string]any{
	"m":     map[string]any{"a": map[string]any{"b": 1.0, "c": []any{1.0, 2.0}}, "x": "hello", "z": 0.0, "f": false, "n": nil, "e": ""},
	"l":     []any{3.0, 1.0, 2.0},
	"s":     "str",
	"i":     int64(5),
	"t":     true,
	"empty": map[string]any{},
	"none":  []any{},
	"mixed": []any{map[string]any{"k": "v"}, nil, []any{}, "text", 1.5},
	"null":  nil,
	"html":  "<a href='x'>\"&\"</a>",
}

var texts = []string{
	// text, trimming, comments
	"", "plain", "a{{/* c */}}b", "a {{- /* c */ -}} b", "a {{- 1 -}} b", "a\n{{- 1}}\n b", "{{1 -}}\n\n  b", "a{{- -1 -}}b",
	"{{- \"x\" -}}", "{{ 3 -}} ", "{{/* a */}}", "{{- /* a */ -}}\n x", "a\n\n{{- /* c\nd */}}\nb{{.nope.x}}",
	"{{\"{{\"}}", "{{`a\nb`}}", "{{ - }}", "{{-}}", "}}", "{", "{ {", "{{\n1\n}}", "{{1\n-}}\nx{{.nope.y}}",
	// constants
	"{{1}}", "{{1_000}}", "{{0x10}}", "{{0b11}}", "{{0o17}}", "{{017}}", "{{08}}", "{{'a'}}", "{{'\\n'}}", "{{'é'}}", "{{'ab'}}", "{{1i}}", "{{1+2i}}", "{{1.5-2i}}", "{{0i}}",
	"{{nil}}", "{{true}}", "{{.5}}", "{{1e3}}", "{{1E3}}", "{{-1}}", "{{+1}}", "{{1.0}}", "{{-0.0}}", "{{-0}}", "{{1e-7}}", "{{0x1p4}}", "{{0x1.8p1}}", "{{1e400}}", "{{9223372036854775807}}",
	"{{9223372036854775808}}", "{{18446744073709551615}}", "{{18446744073709551616}}", "{{-9223372036854775808}}", "{{1__0}}", "{{0x}}", "{{1a}}", "{{1.2.3}}", "{{\"\\u00e9\\x41\\101\"}}", "{{\"\\q\"}}", "{{\"a}}", "{{\"a\nb\"}}", "{{`a}}", "{{'a}}", "{{100000000.0}}", "{{0xep1}}", "{{0xE}}", "{{.}}{{.5.}}",
	// fields
	"{{.s}}", "{{.m.x}}", "{{.m.a.b}}", "{{.m.a}}", "{{.nope}}", "{{.nope.x}}", "{{.m.nope.x.y}}", "{{(.nope).x}}", "{{(.nope).x.y}}", "{{.m.x.y}}", "{{.m.n.x}}", "{{.m.n}}", "{{.m.z.y}}", "{{.l.x}}", "{{.i.x}}", "{{.t.x}}", "{{(.s).x}}", "{{(.m.a).b}}", "{{$.m.x}}", "{{$}}", "{{$.nope.x}}",
	"{{.m.x 1}}", "{{1 | .m.x}}", "{{.s | .m}}", "{{.m.a.b.c}}", "{{(print \"a\").x}}", "{{print.x}}", "{{\"a\".x}}", "{{nil.x}}", "{{1.x}}", "{{true.x}}", "{{. .x}}", "{{.m .x}}", "{{(.l).x}}", "{{(index .m \"a\").b}}", "{{(index .m \"n\").b}}", "{{(index .m \"nope\").b.c}}", "{{(1).x}}", "{{.m.}}", "{{..m}}", "{{.é}}", "{{$.m.a.c}}", "{{.null}}", "{{.null.x}}",
	// variables
	"{{$x := 1}}{{$x}}", "{{$x := 1}}{{$x = 2}}{{$x}}", "{{$x}}", "{{$x = 1}}", "{{$x = 1}}{{$x}}", "{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}",
	"{{if $x := 1}}{{$x}}{{end}}{{$x}}", "{{$x := .m}}{{$x.a.b}}", "{{$x := .m}}{{$x.nope.y}}", "{{$x := .m.n}}{{$x.y}}", "{{$x := $x}}", "{{$x := 1}}{{$x := print $x 2}}{{$x}}", "{{$x, $y := .l}}", "{{$x := 1 | print}}{{$x}}", "{{$x 1}}", "{{$x := 1}}{{$x 1}}", "{{$x := 1}}{{1 | $x}}", "{{($x := 5)}}{{$x}}", "{{and false ($x := 5)}}{{$x}}", "{{$ := 1}}{{$}}", "{{with $x := .m}}{{$x.x}}{{.x}}{{end}}", "{{$a:=1}}{{$a}}", "{{$a :=}}", "{{$a := 1 2}}", "{{$x.y := 1}}", "{{with $x := .nope}}{{else}}[{{$x}}]{{end}}",
	"{{$x := 1}}{{if false}}{{$x := 2}}{{else}}{{$x}}{{end}}{{$x}}", "{{$x := 1}}{{range .nope}}{{$x := 2}}{{else}}{{$x}}{{end}}", "{{$x := 1}}{{with 0}}{{$x := 2}}{{$x = 3}}{{else}}{{$x = 4}}{{end}}{{$x}}", "{{$x := 1}}{{if false}}{{$x := 2}}{{else if true}}{{$x}}{{end}}", "{{with 1}}{{$x := 2}}{{end}}{{if false}}{{$z := 3}}{{else}}{{$z}}{{end}}", "{{if $x := 0}}{{$y := 1}}{{else}}{{$x}}{{$z := 2}}{{$z}}{{end}}", "{{range $i, $x := .nope}}{{$y := 1}}{{else}}{{$x}}{{end}}",
	// pipelines
	"{{.s | print}}", "{{.s | print \"a\" | print 1 2}}", "{{1 | 2}}", "{{.s | \"a\"}}", "{{print | print}}", "{{|}}", "{{1 |}}", "{{| 1}}", "{{print (print 1) (print 2)}}", "{{print (1 | print) | print}}", "{{()}}", "{{(1}}", "{{1)}}", "{{(1 2)}}", "{{((1))}}", "{{print (.m).x}}", "{{print(.m).x}}", "{{1 2}}", "{{.s 1}}", "{{\"a\" 1}}", "{{nil | print}}", "{{print nil}}", "{{.null | print}}", "{{print .null}}", "{{print .nope}}", "{{\"x\"|printf \"%s\"}}", "{{printf \"%d\" 3 | printf \"%s-%s\" \"a\"}}", "{{true | not}}", "{{ 3 | eq 3 }}",
	// if
	"{{if .t}}a{{end}}", "{{if .m.f}}a{{else}}b{{end}}", "{{if .nope}}a{{else if .t}}b{{else}}c{{end}}", "{{if .nope}}a{{else if .nope}}b{{else}}c{{end}}", "{{if .none}}a{{else}}b{{end}}", "{{if .empty}}a{{else}}b{{end}}", "{{if 0}}a{{else}}b{{end}}", "{{if 0.0}}a{{else}}b{{end}}", "{{if \"\"}}a{{else}}b{{end}}", "{{if 'a'}}a{{end}}", "{{if 0i}}a{{else}}b{{end}}", "{{if nil}}a{{end}}", "{{if}}a{{end}}", "{{if .t}}a", "{{if .t}}a{{else}}b{{else}}c{{end}}", "{{end}}", "{{else}}", "{{if .t}}{{else if}}{{end}}", "{{if .t}}a{{else with .s}}b{{end}}", "{{if eq .s \"str\"}}yes{{end}}", "{{if and .t (not .m.f)}}yes{{end}}", "{{if .t}}a{{end}}{{end}}", "{{if (.m.nope).x}}a{{else}}b{{end}}", "{{else if .t}}", "{{if .t}}{{.nope.x}}{{end}}",
	// with
	"{{with .m}}{{.x}}{{end}}", "{{with .nope}}a{{else}}{{.s}}{{end}}", "{{with .nope}}a{{else with .m}}{{.x}}{{else}}c{{end}}", "{{with .m.a}}{{.b}}{{$.s}}{{end}}", "{{with .m.n}}{{.}}{{else}}none{{end}}", "{{with .s}}{{.x}}{{end}}", "{{with 5}}{{.}}{{end}}", "{{with $y := .s}}{{$y}}{{.}}{{end}}", "{{with}}{{end}}", "{{with .m}}{{.nope.x}}{{end}}", "{{with .nope}}{{else if .t}}{{end}}",
	// range
	"{{range .l}}[{{.}}]{{end}}", "{{range $i, $e := .l}}{{$i}}={{$e}} {{end}}", "{{range $e := .l}}{{$e}}{{end}}", "{{range .m}}[{{.}}]{{end}}", "{{range $k, $v := .m}}{{$k}}={{$v}} {{end}}", "{{range .none}}a{{else}}none{{end}}", "{{range .nope}}a{{else}}none{{end}}", "{{range .empty}}a{{else}}none{{end}}", "{{range .null}}a{{else}}none{{end}}", "{{range 3}}{{.}}{{end}}", "{{range 0}}a{{else}}none{{end}}", "{{range -1}}a{{else}}none{{end}}", "{{range $i := 3}}{{$i}}{{end}}", "{{range $i, $e := 3}}{{$i}}{{end}}", "{{range .i}}{{printf \"%T\" .}}{{end}}", "{{range .s}}{{.}}{{end}}", "{{range .t}}{{.}}{{end}}", "{{range .m.a.b}}{{.}}{{end}}", "{{range 1.5}}{{.}}{{end}}", "{{range .mixed}}{{.}};{{end}}", "{{range .mixed}}{{.k}};{{end}}", "{{range $x := .mixed}}{{$x.k}};{{end}}", "{{range .l}}{{.x}}{{end}}",
	"{{range .l}}{{if eq . 1.0}}{{break}}{{end}}{{.}}{{end}}", "{{range .l}}{{if eq . 1.0}}{{continue}}{{end}}{{.}}{{end}}", "{{break}}", "{{continue}}", "{{range .l}}{{break 1}}{{end}}", "{{range .l}}{{range $.l}}{{break}}{{end}}{{.}}{{end}}", "{{range .l}}{{with 1}}{{break}}{{end}}{{end}}done", "{{range .l}}a{{else}}{{break}}{{end}}", "{{range $i, $e := .l}}{{else}}{{end}}", "{{range $i, $e, $f := .l}}{{end}}", "{{range $i, := .l}}{{end}}", "{{range $i,$e = .l}}{{end}}", "{{$i := 0}}{{$e := 0}}{{range $i, $e = .l}}{{end}}{{$i}}{{$e}}", "{{$e := 0}}{{range $e = .l}}{{end}}{{$e}}", "{{range $i, .l}}{{end}}", "{{range}}{{end}}", "{{$x := 1}}{{range .l}}{{$x = print $x .}}{{end}}{{$x}}", "{{range .l}}{{$x := .}}{{$x}}{{end}}{{$x}}", "{{range $k, $v := .m.a}}{{$k}}:{{$v}},{{end}}{{range .l}}{{$.s}}{{end}}", "{{range $i, $e := .none}}{{else}}{{len $e}}{{end}}", "{{range $x := .l}}{{define \"q\"}}{{end}}{{end}}", "{{range .l}}{{template \"b\" .}}{{break}}{{end}}{{define \"b\"}}[{{.}}]{{end}}",
	// templates
	"{{define \"a\"}}A{{.}}{{end}}{{template \"a\"}}", "{{define \"a\"}}A{{.}}{{end}}{{template \"a\" .s}}", "{{define `a`}}A{{.x}}{{end}}{{template \"a\" .m}}", "{{template \"nope\"}}", "{{template \"nope\" .s}}", "{{template nope}}", "{{template}}", "{{define}}{{end}}", "{{define \"a\"}}", "{{define \"a\"}}{{else}}{{end}}", "{{define \"a\"}}1{{end}}{{define \"a\"}}2{{end}}{{template \"a\"}}", "{{define \"a\"}}{{end}}{{define \"a\"}}2{{end}}{{template \"a\"}}", "{{define \"a\"}}1{{end}}{{define \"a\"}} {{/* c */}} {{end}}{{template \"a\"}}", "{{block \"b\" .m}}{{.x}}{{end}}", "{{block \"b\"}}x{{end}}", "{{block \"b\" .}}{{break}}{{end}}", "{{range .l}}{{block \"b\" .}}{{break}}{{end}}{{end}}", "{{block \"b\" .s}}[{{.}}]{{end}}{{template \"b\" 1}}", "{{define \"a\"}}{{template \"b\" .}}{{end}}{{define \"b\"}}{{.nope.x}}{{end}}{{template \"a\" .m}}", "{{define \"a\"}}{{$x}}{{end}}", "{{$x := 1}}{{define \"a\"}}{{$x}}{{end}}", "{{define \"a\"}}{{$.x}}{{end}}{{template \"a\" .m}}", "{{if .t}}{{define \"a\"}}{{end}}{{end}}", "{{define \"a\" .}}{{end}}", "{{template \"a\" 1 2}}{{define \"a\"}}{{end}}", "{{define \"a\"}}{{if .}}{{template \"a\" false}}x{{end}}{{end}}{{template \"a\" true}}", "{{template \"a\" $x := 5}}{{define \"a\"}}{{.}}{{end}}", "{{define \"a b\"}}{{.x.y.z}}{{end}}\n  {{template \"a b\" .s}}",
	// builtins: logic and comparison
	"{{and 1 0 2}}", "{{or 0 \"\" \"x\"}}", "{{and}}", "{{or}}", "{{and 1}}", "{{1 | and 2}}", "{{0 | or 0}}", "{{and .nope .nope.x}}", "{{or .t .nope.x}}", "{{and .t .nope.x}}", "{{or .nope .null}}", "{{(or .nope .null).x}}", "{{not .t}}", "{{not}}", "{{not 1 2}}", "{{not .nope}}",
	"{{eq 1 1}}", "{{eq 1 2}}", "{{eq 1 1.0}}", "{{eq \"a\" \"b\" \"a\"}}", "{{eq .l .l}}", "{{eq .m .m}}", "{{eq nil nil}}", "{{eq .nope nil}}", "{{eq .m nil}}", "{{eq nil 1}}", "{{eq .l \"x\"}}", "{{eq .l .m}}", "{{eq .nope \"x\"}}", "{{eq .s .nope}}", "{{eq 1}}", "{{eq}}", "{{eq true true}}", "{{eq 1i 1i}}", "{{eq .i 5}}", "{{eq 'a' 97}}", "{{ne 1 2}}", "{{ne 1 1.0}}", "{{ne .l .l}}", "{{ne 1 2 3}}", "{{lt 1 2}}", "{{lt 1 2.0}}", "{{lt 1.0 2.0}}", "{{lt \"a\" \"b\"}}", "{{lt true false}}", "{{lt .nope 1}}", "{{lt 1 .nope}}", "{{lt .l 1}}", "{{le 2 2}}", "{{gt \"b\" \"a\"}}", "{{gt 1 1}}", "{{ge 1 1}}", "{{ge 1 2}}", "{{le 1i 1i}}", "{{.i | lt 3}}", "{{eq .m.a.b 1.0}}", "{{eq .m.a.b 1}}", "{{ge .l .l}}", "{{eq .none nil}}", "{{eq .mixed .none}}",
	// builtins: len, index (`slice` is replaced by Sprig's)
	"{{len \"héllo\"}}", "{{len .l}}", "{{len .m}}", "{{len nil}}", "{{len .null}}", "{{.null | len}}", "{{len .nope}}", "{{len 3}}", "{{len .t}}", "{{len}}", "{{len .l .l}}", "{{len (index .l 0)}}", "{{index .l 1}}", "{{index .m \"x\"}}", "{{index .m \"nope\"}}", "{{index .l 3}}", "{{index .l 4}}", "{{index .l -1}}", "{{index .m \"a\" \"c\" 1}}", "{{index .m 1}}", "{{index .l \"x\"}}", "{{index .l 1.0}}", "{{index .l nil}}", "{{index .m nil}}", "{{index .s 0}}", "{{index .s 9}}", "{{index nil 1}}", "{{index .nope 1}}", "{{index .m \"n\" \"x\"}}", "{{index .t 1}}", "{{index .l}}", "{{index}}", "{{index .mixed 0 \"k\"}}",
	// builtins: printing and escaping
	"{{print}}", "{{print 1 2 \"a\" \"b\" 3}}", "{{print nil nil}}", "{{println 1 2}}", "{{println}}", "{{printf \"%d %s %v\" 1 \"a\" .l}}", "{{printf \"%d\" 1.0}}", "{{printf}}", "{{printf 1}}", "{{printf .i}}", "{{printf .nope}}", "{{printf .l}}", "{{printf nil}}", "{{printf (print \"%s\") .s}}", "{{1 | printf}}", "{{.nope | printf}}", "{{printf true}}", "{{printf 'a'}}", "{{printf \"%v %v\" .m .mixed}}", "{{html .html}}", "{{html nil}}", "{{html 1 \"<\" 2}}", "{{html .l}}", "{{html}}", "{{js .html}}", "{{js \"a\\n\\u2028é=\"}}", "{{js 1 2}}", "{{urlquery \"a b&c/é~-_.\"}}", "{{urlquery 1 2}}", "{{call nil}}", "{{call .s 1}}", "{{call .nope}}", "{{call}}", "{{.s | call}}", "{{call print}}",
	// undefined functions, lexical errors
	"{{nope}}", "{{nope 1}}", "{{.s | nope}}", "{{@}}", "{{#}}", "{{a@b}}", "{{.a@}}", "{{$x@}}", "{{é}}", "{{\u00a0}}", "{{\x01}}", "{{~}}", "{{1,2}}", "{{a,b}}", "{{:}}", "{{:=}}", "{{=}}", "{{$x:1}}", "{{", "a\n{{", "{{1", "{{/*", "{{/* a */", "{{/* a */ }}", "{{- /* a */ }}", "{{ /* a */ }}", "{{if\n\n.t", "{{if .t}}\n{{\"\n", "\n\n{{.nope\n.x}}", "{{.s}}\n{{nope}}", "{{printf \"%s\"\n(index .l\n9)}}", "{{(((}}", "{{if .t}}{{range .l}}{{end}}", "{{\n.t\n|\nnope}}", "{{!}}", "{{.s!}}", "{{block}}{{end}}", "{{block \"a\"}}", "{{with .t}}{{else}}{{else}}{{end}}", "{{define \"x\"}}{{.s}}", "{{end 1}}", "{{if .t}}{{end 1}}", "{{if .t}}{{else 1}}{{end}}", "{{\"0123456789abcdef\" | 3}}", "{{template \"a\" .}} {{define \"a\"}}{{define \"b\"}}{{end}}{{end}}", "{{.s .s .s .s | 012345678901234567890}}", "{{1 (2) | (3) 4}}", "{{(.m) 1}}", "{{(print) 1}}", "{{.t}}{{range $i := .l}}{{$i}}{{end}}{{$i}}", "{{if .t}}{{$v := 1}}{{end}}{{$v}}",
	// errors inside larger nodes
	"{{if eq 1 1.0}}a{{end}}", "{{range index .l 9}}a{{end}}", "{{with len nil}}a{{end}}", "{{template \"x\" (index .l 9)}}{{define \"x\"}}{{end}}", "{{$x := index .l 9}}", "x\ny {{ print (printf .l) }}", "{{print (eq 1 1.0) }}", "{{print .m.x.y}}", "{{printf \"%s\" .nope.x}}", "{{printf \"%s\" (.m.x.y)}}", "{{range .l}}{{lt . 1}}{{end}}", "{{print (and .t (index .l 9))}}", "{{with .m}}{{with .a}}{{.b.c}}{{end}}{{end}}", "{{.l | index 5}}", "{{not (index .l 9) | print}}", "{{printf .l | print}}",
	// found by tests/crosscheck: variables of a body in its else, the line of an else in a block
	"x{{range .none}}{{$y := 1}}{{else}}{{$y = 2}}{{end}}", "{{if false}}{{$y := 1}}{{else}}{{$y}}{{end}}", "{{$y := 5}}{{if false}}{{$y := 1}}{{else}}{{$y}}{{end}}", "{{$y := 5}}{{with .empty}}{{$y := 1}}{{else with .t}}{{$y}}{{$y = 6}}{{end}}{{$y}}", "{{if $y := 0}}{{else}}{{$y}}{{end}}", "{{block \"b\" .\n}}{{-\nelse}}x{{end}}", "{{define \"b\"\n}}{{-\nelse}}x{{end}}", "{{if true}}\n{{block \"b\" 1}}\n\n{{else}}{{end}}{{end}}",
}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	for _, text := range texts {
		var out strings.Builder
		t, err := template.New("file.yaml").Option("missingkey=zero").Parse(text)
		if err == nil {
			err = t.Execute(&out, data)
		}
		message := ""
		if err != nil {
			message = err.Error()
		}
		encoder.Encode([]string{text, out.String(), message})
	}
}
