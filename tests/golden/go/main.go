// Makes the tables that src/go is tested against, with Go's own standard library:
//
//	go run . regexp > regexp.jsonl
//	go run . time > time.jsonl
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"time"
)

type regexpRow struct {
	Pattern string   `json:"pattern"`
	Text    string   `json:"text"`
	Error   string   `json:"error,omitempty"`
	All     []string `json:"all,omitempty"`
	Replace string   `json:"replace,omitempty"`
	Split   []string `json:"split,omitempty"`
	Split2  []string `json:"split2,omitempty"`
}

var patterns = []string{
	``, `a`, `a*`, `a+?`, `(a)(b)?`, `a|b`, `a|`, `|a`, `(|a)*`, `(?:)`, `^a`, `a$`, `(?m)^a$`, `(?s)a.b`, `a.b`, `(?i)k`, `(?i)[^k]`, `(?U)a+`, `(?U)a+?`,
	`\d+`, `\D+`, `\w+`, `\W+`, `\s+`, `\S+`, `\bfoo\b`, `\Boo`, `[[:alpha:]]+`, `[[:^alpha:]]+`, `[[:word:]-]+`, `[[:bogus:]]`,
	`\pL+`, `\p{Greek}+`, `\P{Greek}+`, `\p{^Greek}+`, `\p{Lu}`, `(?i)\p{Lu}`, `[\p{Lu}\d]+`, `\p{Bogus}`, `\p{`, `\p`, `[^\pL]+`, `\pX`,
	`\Qa.b\E+`, `\Qa.b`, `[[]`, `[a-z[]+`, `[]a]+`, `[^]a]+`, `[]`, `[a`, `[a-`, `[z-a]`, `[a&&b]+`, `[a--b]+`, `[a-b-c]`, `[a~~b]+`, `[-a]+`, `[a-]+`, `[\]]`, `[\d-z]+`, `[a\-z]+`,
	`a{`, `a{,2}`, `a{2}`, `a{2,}`, `a{2,3}`, `a{2,1}`, `a{1001}`, `a{1000}`, `(a{100}){10}`, `(a{100}){11}`, `(a{2}){0}`, `((a{100}){0}){11}`, `a{01}`, `a{2}?`, `a{99999999999}`, `{`, `{2}`, `x{2}{3}`, `x**`, `x*+`, `x+?*`, `x{2}*`, `*`, `+a`, `?`, `(*)`, `|*`, `a|*`, `^*`, `$+`, `a(?i)*`, `(?i)*`, `\b+`,
	`\101`, `\1`, `\08`, `\x41`, `\x{41}`, `\x{110000}`, `\x`, `\x4`, `\xg1`, `\x{}`, `\x{4`, `\_`, `\-`, `\<a\>`, `\é`, `\q`, `\z`, `\A`, `\Z`, `\C`, `\`, `\a\f\t\n\r\v`,
	`(`, `)`, `(a`, `a)`, `(?`, `(?P`, `(?P<`, `(?P<n`, `(?P<n>`, `(?P<n>a)`, `(?<n>a)`, `(?P<>a)`, `(?P<n-m>a)`, `(?P=n)`, `(?=a)`, `(?!a)`, `(?<=a)`, `(?#c)`, `(?x)a b`, `(?-i)a`, `(?i-i)A`, `(?--i)a`, `(?-)a`, `(?i:a)A`, `(?^i)`, `(?is-m:A.B)`, `(?a)`,
	`(?P<n>a)(?P<n>b)?`, `#`, `a b`, ` `, `é`, `[é-ü]+`, `.`, `[^a]`, `[^\n]`, `~`, `&`, `a{2`, `a{2,`, `a}`, `]`, `[\x{D800}-\x{DFFF}]`, `\x{D800}`, `[^\x00-\x{10FFFF}]`, `[\pN]`, `\p{nd}+`, `\p{Letter}+`, `\p{Any}`, `(((((a)))))`,
	`^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?$`, `[^a-zA-Z0-9-]+`, `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`, `https?://([^/:]+)(:\d+)?`, `(?s).*`, `z+`, `\n`, `[\W]`, `[^\w]`, `(?i)[\w]+`, `[[:punct:]]+`, `(?m)$`, `x*`,
}

var texts = []string{"", "aaa", "foo bar-Foo_1.2", "ab\nB a", "Ωmega 42 Kk\u212A é", "1.2.3-rc.1", "http://h:80/x", "a.b[]{}()^$|\\&-~#", "xaxx", "AAAaaa bbb"}

func regexps() []any {
	var rows []any
	for _, pattern := range patterns {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			rows = append(rows, regexpRow{Pattern: pattern, Error: err.Error()})
			continue
		}
		for _, text := range texts {
			rows = append(rows, regexpRow{
				Pattern: pattern, Text: text,
				All:     compiled.FindAllString(text, -1),
				Replace: compiled.ReplaceAllString(text, "<$0|${1}|$1x|$n|${n|$$|$|${}>"),
				Split:   compiled.Split(text, -1),
				Split2:  compiled.Split(text, 2),
			})
		}
	}
	return rows
}

type timeRow struct {
	Kind   string `json:"kind"`
	A      string `json:"a"`
	B      string `json:"b"`
	Result string `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
}

var layouts = []string{
	"2006-01-02", "2006-01-02 15:04:05", time.ANSIC, time.UnixDate, time.RubyDate, time.RFC822, time.RFC822Z, time.RFC850, time.RFC1123, time.RFC1123Z, time.RFC3339, time.RFC3339Nano, time.Kitchen, time.Stamp, time.StampMilli, time.StampMicro, time.StampNano,
	"06 1 2 3 4 5 pm PM", "Jan January Mon Monday Janet Month", "_2 __2 002 _2006", "01 02 03 04 05 06 07", "15.000 ,999 .00 .9 .0001", "Z07 Z0700 Z07:00 Z070000 Z07:00:00", "-07 -0700 -07:00 -070000 -07:00:00", "MST", "", "é 2006 ü", "20060102150405", "2006.01.02", ".000Z07", "5.999999999", "5.99x", "2006-002", "Z", "-", "_", "J", "%Y-%m-%d", "yyyy-MM-dd",
}

var zones = []string{"UTC", "America/New_York", "Asia/Kolkata", "Europe/Berlin", "America/Sao_Paulo", "Asia/Pyongyang", "", "europe/berlin", "Bogus/Zone", "Asia/Tokyo", "Etc/GMT+3"}

var instants = []int64{0, 1514678400, 1709210096, 1720000000, -62135596800, 951782400, -1, 4102444799, -5000000000}

var durations = []string{"", "0", "1h", "1h2m3s", "-1.5h", "+5s", "300ms", "1us", "1µs", "1μs", "1ns", "1.5ns", "0.1s", ".5s", "1.s", ".s", "s", "1", "90", "1x", "1h1", "1h 2m", "2562047h47m16.854775807s", "-2562047h47m16.854775808s", "2562047h47m16.854775808s", "9999999999h", "1d", "é", "1\"s", "3.3333333333333333333s", "1m0.000000001s", "100us", "1000000h", "-0.5ms", "0.9999999999999999999999ns"}

type parseCase struct{ layout, value string }

var parses = []parseCase{
	{"2006-01-02", "2017-12-31"}, {"2006-01-02", "bad"}, {"2006-01-02", "2017-13-01"}, {"2006-01-02", "2017-02-30"}, {"2006-01-02", "2016-02-29"}, {"2006-01-02", "2017-12-31 "}, {"2006-01-02", "2017-12"}, {"2006-01-02", ""}, {"2006-01-02", "17-12-31"}, {"2006-01-02", "2017/12/31"}, {"2006-01-02", "2017-1-2"},
	{time.RFC3339, "2017-12-31T10:11:12Z"}, {time.RFC3339, "2017-12-31T10:11:12.345+02:00"}, {time.RFC3339, "2017-12-31T10:11:12+0200"}, {time.RFC3339, "2017-12-31T25:11:12Z"}, {time.RFC3339, "2017-12-31T10:61:12Z"}, {time.RFC3339, "2017-12-31T10:11:60Z"}, {time.RFC3339, "2017-12-31 10:11:12Z"}, {time.RFC3339, "2017-12-31T10:11:12"}, {time.RFC3339, "2017-12-31T10:11:12+25:00"},
	{time.RFC1123, "Mon, 02 Jan 2006 15:04:05 MST"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 GMT"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 GMT+3"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 UTC"}, {time.RFC1123, "mon, 02 JAN 2006 15:04:05 CEST"}, {time.RFC1123, "Xxx, 02 Jan 2006 15:04:05 MST"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 xx"}, {time.RFC1123Z, "Mon, 02 Jan 2006 15:04:05 -0700"},
	{time.Kitchen, "3:04PM"}, {time.Kitchen, "12:00AM"}, {time.Kitchen, "12:00PM"}, {time.Kitchen, "13:00PM"}, {time.Kitchen, "3:04XM"}, {time.ANSIC, "Mon Jan  2 15:04:05 2006"}, {time.ANSIC, "Mon Jan 2 15:04:05 2006"}, {"2006 002", "2016 060"}, {"2006 002", "2017 366"}, {"2006 __2", "2017   5"}, {"06", "69"}, {"06", "68"}, {"06", "x9"}, {"15:04:05.000", "10:11:12.345"}, {"15:04:05.000", "10:11:12.34"}, {"15:04:05.999", "10:11:12"}, {"15:04:05", "10:11:12.5"}, {"15:04:05", "10:11:12,123456789123"}, {"2006-01-02 MST", "2020-01-01 EST"}, {"2006-01-02 MST", "2020-07-01 EST"}, {"2006-01-02 MST", "2020-07-01 XST"}, {"MST", "ABCDEF"}, {"MST", "+03"}, {"Z07:00", "-05:30"}, {"Z0700", "Z"}, {"-07", "+1"}, {"2006 é", "2006 é"}, {"2006 é", "2006 e"}, {"Monday January 2 2006", "sunday december 31 2017"}, {"", ""}, {"", "x"}, {"\"", "x"}, {"3", "0"}, {"1", "0"}, {"1", "13"}, {"2", "32"}, {"2 1", "31 4"}, {"_2", " 5"}, {"  2", " 5"},
}

func times() []any {
	var rows []any
	for _, zone := range zones {
		location, err := time.LoadLocation(zone)
		if err != nil {
			rows = append(rows, timeRow{Kind: "zone", A: zone, Error: "unknown"})
			continue
		}
		for _, instant := range instants {
			at := time.Unix(instant, 123456789).In(location)
			rows = append(rows, timeRow{Kind: "string", A: fmt.Sprint(instant), B: zone, Result: at.String()})
			if zone == "America/New_York" || zone == "UTC" || zone == "America/Sao_Paulo" {
				for _, layout := range layouts {
					rows = append(rows, timeRow{Kind: "format " + layout, A: fmt.Sprint(instant), B: zone, Result: at.Format(layout)})
				}
			}
		}
	}
	for _, text := range durations {
		duration, err := time.ParseDuration(text)
		row := timeRow{Kind: "duration", A: text}
		if err != nil {
			row.Error = err.Error()
		} else {
			row.Result = fmt.Sprintf("%d %s %v %v %v %s %s", int64(duration), duration, duration.Seconds(), duration.Minutes(), duration.Hours(), duration.Round(time.Minute), duration.Truncate(time.Second))
		}
		rows = append(rows, row)
	}
	for _, zone := range []string{"UTC", "America/New_York"} {
		location, _ := time.LoadLocation(zone)
		for _, one := range parses {
			at, err := time.ParseInLocation(one.layout, one.value, location)
			row := timeRow{Kind: "parse " + zone, A: one.layout, B: one.value}
			if err != nil {
				row.Error = err.Error()
			} else {
				row.Result = at.String()
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func main() {
	var rows []any
	switch os.Args[1] {
	case "regexp":
		rows = regexps()
	case "time":
		rows = times()
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			panic(err)
		}
	}
}
