// Writes cases.jsonl: what Go's fmt prints, for the tests of go/fmt. Run with `go run generate.go > cases.jsonl`.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
)

type typed map[string]any

func convert(v any) typed {
	switch v := v.(type) {
	case nil:
		return typed{"nil": nil}
	case bool:
		return typed{"bool": v}
	case int:
		return typed{"int": v}
	case int32:
		return typed{"int32": v}
	case int64:
		return typed{"int64": fmt.Sprint(v)}
	case uint8:
		return typed{"uint8": v}
	case uint64:
		return typed{"uint64": fmt.Sprint(v)}
	case float64:
		return typed{"float64": fmt.Sprint(v)}
	case complex128:
		return typed{"complex": []string{fmt.Sprint(real(v)), fmt.Sprint(imag(v))}}
	case string:
		return typed{"string": []byte(v)}
	case []byte:
		if v == nil {
			return typed{"nilbytes": nil}
		}
		return typed{"bytes": v}
	case []any:
		if v == nil {
			return typed{"nillist": nil}
		}
		list := []typed{}
		for _, e := range v {
			list = append(list, convert(e))
		}
		return typed{"list": list}
	case []string:
		list := []typed{}
		for _, e := range v {
			list = append(list, convert(e))
		}
		return typed{"strings": list}
	case []int:
		list := []typed{}
		for _, e := range v {
			list = append(list, convert(e))
		}
		return typed{"ints": list}
	case map[string]any:
		if v == nil {
			return typed{"nilmap": nil}
		}
		m := map[string]typed{}
		for k, e := range v {
			m[k] = convert(e)
		}
		return typed{"map": m}
	case map[string]string:
		m := map[string]typed{}
		for k, e := range v {
			m[k] = convert(e)
		}
		return typed{"stringmap": m}
	}
	panic("type")
}

var encoder = json.NewEncoder(os.Stdout)

func f(format string, args ...any) {
	list := []typed{}
	for _, a := range args {
		list = append(list, convert(a))
	}
	encoder.Encode([]any{[]byte(format), list, []byte(fmt.Sprintf(format, args...))})
}

func main() {
	values := []any{
		nil, true, false, 0, 1, -1, 42, math.MaxInt64, math.MinInt64, int32('x'), int64(-7), uint8(200), uint64(math.MaxUint64),
		0.0, math.Copysign(0, -1), 1.0, -1.5, 1e6, 1e20, 1e21, 1e-7, 3.14159, 100000.0, 123456789.0, 0.1, 5e-324, math.MaxFloat64,
		math.Inf(1), math.Inf(-1), math.NaN(), 1i, complex(1, -2.5),
		"", "a", "hello world", "h\u00e9llo", "\xff\x00\n\"`", "\U0001F600",
		[]byte("hi"), []byte{}, []byte(nil),
		[]any{}, []any(nil), []any{1, "a", nil, 1.5, true, []any{"x"}}, []string{"a", "b c"}, []int{1, 2, -3},
		map[string]any{}, map[string]any(nil), map[string]any{"b": 1, "a": map[string]any{"x": nil, "l": []any{1.0, "q"}}, "c": "s"},
		map[string]string{"k": "v"},
	}
	verbs := "vTtdbcoOqxXUeEfFgGsz"
	for n, v := range values {
		for _, verb := range verbs {
			f("%"+string(verb), v)
		}
		for i, flags := range []string{"+", "-8", "8", "08", " ", "#", "+8.2", "-08", "#08", ".0", ".1", ".3", "10.4", "+-12", " 08", "# ", "+#", "00"} {
			for j, verb := range "vdqsxXfgeco" {
				if (i+j+n)%5 == 0 { // a fifth of all combinations, each flag and verb many times
					f("%"+flags+string(verb), v)
				}
			}
		}
		f("%+v|%#v|%+q|%#q|%#x|% x|%# x|%#U", v, v, v, v, v, v, v, v)
	}
	f("plain")
	f("%")
	f("%%")
	f("%5%|")
	f("%!")
	f("%d %d", 1)
	f("%d", 1, 2)
	f("%d", 1, nil, "x", []any{1})
	f("%[2]d %[1]d", 1, 2)
	f("%[2]d", 1, 2)
	f("%[3]d", 1, 2)
	f("%[0]d", 1)
	f("%[x]d", 1)
	f("%[]d", 1)
	f("%[1", 1)
	f("%[1]", 1)
	f("%[1]d %d", 1, 2)
	f("%[2]*[1]d", 12, 2)
	f("%*d", 5, 42)
	f("%-*d|", 5, 42)
	f("%*d|", -5, 42)
	f("%0*d|", -5, 42)
	f("%.*f", 2, 3.14159)
	f("%.*f", -2, 3.14159)
	f("%*d", "x", 42)
	f("%.*d", "x", 42)
	f("%*d", 10000000, 42)
	f("%[3]*.[2]*[1]f", 12.0, 2, 6)
	f("%6.2f|%-8s|%8s|%+d|%x|%X|%o|%q|%c|%U", 12.0, "ab", "cd", 5, 255, 255, 8, 'x', 'y', 0x1F600)
	f("%[1]*d", 4, 5)
	f("%.f|%5.f|%.d", 1.5, 2.5, 0)
	f("%[2]2d", 1, 2)
	f("%[1].2d", 1)
	f("%99999999d", 1)
	f("%\xff", 1)
	f("%é", 1)
	f("%w", "x")
	f("%-010d|%+010d|%+-10d|% 5d", 1, 1, 1, 1)
	f("%s %s", map[string]any{"a": []any{1, "x"}}, []any{map[string]any{"k": 2.5}})
	f("%d", []any{"a", 1, nil, 2.5})
	f("%5v|%-5v|%05v", []any{1, "a", nil}, []any{1, "a"}, []any{1, "a", 1.5})
	f("%.2v|%.2s", "héllo", []any{"héllo", "wörld"})
	f("%6.3v|%6.3v", 3.14159, map[string]any{"pi": 3.14159})
	f("%t", 1)
	f("%.3x|%X|% X|%#X", "hello", "hello", "hello", "hello")
	f("%x|%X", []string{"a", "bc"}, []byte("hi"))
	f("%.10g|%.3g|%#g|%#.3g|%#v|%#v", 123456.789, 123456.789, 1.0, 1.0, 1.0, 1e6)
	f("%.20f|%.30e|%.25g", 0.1, 0.1, 0.1)
	f("%.2000f", 1.5)
	f("%3c|%-3c|%03c", 'x', 'x', 'x')
	f("%c", -1)
	f("%q %q %+q", 'x', 0x1F600, 0x1F600)
	f("%08.3f|%+08.3f|%-8.3f|% 8.3f|%8.3f", 3.14159, 3.14159, 3.14159, 3.14159, -3.14159)
}
