//! Template expressions: calls of all functions, with arguments of fitting and of other types, in pipelines.

use std::collections::BTreeMap; // ordered: the cases must not depend on chance

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::Value;

use crate::charts::{ChartFiles, answer, readable};
use crate::check::{self, Subject};

/// An expression, as the notes of a chart.
pub(crate) struct Expressions;

/// What `.Values` is. Numbers of YAML are floats.
pub(crate) const VALUES: &str = r#"
m: {a: {b: 1, c: [1, 2]}, x: hello, z: 0, f: false, n: null, e: ""}
l: [3, 1, 2]
s: "text & <b> 'q' \"d\""
i: 7
big: 1e20
frac: 2.5
t: true
maps: [{k: v, n: 1}, {k: w}]
words: [beta, alpha, "", gamma]
mixed: [1, a, null, true, [x], {y: z}, 1.5, ""]
tpl: "{{ .Values.m.x }}-{{ .Release.Name }}"
yaml: "a: 1\nb: [x, y]\n"
deep: {a: {b: {c: {d: leaf}}}}
"#;

impl Subject for Expressions {
    type Case = String;

    const NAME: &'static str = "expressions";

    fn question(case: &String) -> Value {
        ChartFiles::with_notes(case, VALUES).question("template")
    }

    fn ours(case: &String) -> Value {
        answer(ChartFiles::with_notes(case, VALUES).render())
    }

    fn theirs(answer: Value) -> Value {
        readable(answer)
    }

    fn same(_: &String, ours: &Value, theirs: &Value) -> bool {
        is_excluded(ours, theirs) || ours == theirs
    }
}

/// Differences that are documented, and what is not determined.
pub(crate) fn is_excluded(ours: &Value, theirs: &Value) -> bool {
    let has = |answer: &Value, text: &str| {
        let part = |key: &str| answer[key].as_str().is_some_and(|part| part.contains(text));
        part("error") || part("notes") || part("manifest")
    };
    // Go's addresses.
    has(ours, "0xc000000000")
        // Values that contain themselves: an error, or dots, where Helm exhausts the stack or does not end.
        || has(ours, "cycle")
        // The words for what is wrong in TOML.
        || has(ours, "toml: line") && has(theirs, "toml: line")
        // What a time.Time is made of.
        || has(ours, "UTC +000000")
        || has(ours, "%!D(STRING=") || has(theirs, "time.Date(") || has(theirs, "TIME.DATE(")
        // Bytes that are no text, in the errors of dates.
        || has(ours, "\\xef\\xbf\\xbd")
        // Go's slices may have room behind their end, which `slice` reaches.
        || has(ours, "slice index out of bounds") && theirs["error"] == ""
        || is_quoted_time(&ours["notes"], &theirs["notes"])
}

/// A time in `toYamlPretty` has no quotes in Helm.
fn is_quoted_time(ours: &Value, theirs: &Value) -> bool {
    let (Some(ours), Some(theirs)) = (ours.as_str(), theirs.as_str()) else {
        return false;
    };
    let is_end = |bytes: &[u8]| bytes[0].is_ascii_digit() && matches!(&bytes[1..], b"Z\"" | b"Z\\" | b"0\"" | b"0\\");
    let without_quotes = |text: &str| text.replace(['"', '\\'], "");
    ours.as_bytes().windows(3).any(is_end) && without_quotes(ours) == without_quotes(theirs)
}

#[test]
fn expressions_give_what_helm_gives() {
    check::check::<Expressions>(1_000, || action(2).boxed());
}

/// An action with an expression.
fn action(depth: usize) -> impl Strategy<Value = String> {
    let expressions = Expressions::all(depth);
    prop_oneof![
        6 => expressions.clone().prop_map(|expression| format!("{{{{ {expression} }}}}")),
        1 => expressions.clone().prop_map(|expression| format!("{{{{ $x := {expression} }}}}{{{{ $x }}}}")),
        1 => expressions.prop_map(|expression| format!("{{{{ if {expression} }}}}yes{{{{ else }}}}no{{{{ end }}}}")),
    ]
}

/// What a function takes and gives. Each line: the result, a colon, then for each function its name and arguments.
///
/// s string, w short string, i int, n small int, f float, b bool, l list, d map, a anything, r regular expression, p
/// replacement, v version, c constraint, u duration, t time, o time layout, z zone, y YAML, j JSON, m TOML, k key, h path, x URL,
/// W format; a star after the last: any number of them.
const SIGNATURES: &str = "
s: abbrev n s; abbrevboth n n s; trunc n s; trim s; upper s; lower s; title s; untitle s; substr n n s; repeat n w;
s: trimAll w s; trimall w s; trimSuffix w s; trimPrefix w s; nospace s; initials s; swapcase s; snakecase s; camelcase s; kebabcase s;
s: wrap n s; wrapWith n w s; indent n s; nindent n s; replace w w s; plural s s i; quote a*; squote a*; cat a*; join w l; join w a;
s: toString a; toJson a; toRawJson a; toPrettyJson a; toYaml a; toYamlPretty a; toToml d; mustToJson a; mustToYaml a; mustToToml d;
s: mustToRawJson a; mustToPrettyJson a; print a*; println a*; printf W a*; html a*; js a*; urlquery a*; b64enc s; b64dec s; b32enc s; b32dec s;
s: sha1sum s; sha256sum s; sha512sum s; adler32sum s; base h; dir h; ext h; clean h; osBase h; osDir h; osExt h; osClean h; kindOf a; typeOf a;
s: regexFind r s; regexReplaceAll r s p; regexReplaceAllLiteral r s p; regexQuoteMeta s; mustRegexFind r s; mustRegexReplaceAll r s p;
s: mustRegexReplaceAllLiteral r s p; date o t; dateInZone o t z; date_in_zone o t z; htmlDate t; htmlDateInZone t z; duration a; durationRound a;
s: durationRound u; unixEpoch t; urlJoin d; tpl s d; default s s; ternary s s b; hello; getHostByName s; seq n*; required s a; toString t;
s: include \"nope\" a; fail s; lookup s s s s; coalesce s s s; semver v; duration i; typeIs s a; title w; lower w;
i: int a; int64 a; atoi s; toDecimal a; add a*; sub a a; mul a a*; div a a; mod a a; add1 a; max a a*; min a a*; biggest a a*; floor a; ceil a;
i: len a; add i i; sub i i; mul i i; div i i; mod i i; max i i; min i i; len s; len l; len d; plural i i n;
f: float64 a; addf a*; subf a a; mulf a a*; divf a a; add1f a; maxf a a*; minf a a*; round a n; floor f; ceil f; round f n; addf f f; mulf f f;
f: divf f f; subf f f; durationSeconds u; durationMinutes u; durationHours u; durationDays u; durationWeeks u; durationSeconds a;
i: durationMilliseconds u; durationMicroseconds u; durationNanoseconds u; durationNanoseconds a;
o: mustToDuration u; mustToDuration a; durationRoundTo u u; durationTruncateTo u u; durationRoundTo a a;
b: empty a; has a l; hasKey d k; contains w s; hasPrefix w s; hasSuffix w s; regexMatch r s; mustRegexMatch r s; semverCompare c v; isAbs h;
b: osIsAbs h; typeIs \"string\" a; typeIsLike \"string\" a; kindIs \"map\" a; kindIs \"slice\" a; deepEqual a a; all a*; any a*; eq a a*; ne a a;
b: lt a a; le a a; gt a a; ge a a; not a; and a a*; or a a*; eq s s; eq i i; lt i i; gt s s; le f f; ge f f; ne s s; deepEqual l l; mustHas a l;
l: list a*; tuple a*; until n; untilStep n n n; rest l; initial l; append l a; prepend l a; concat l l; concat l*; uniq l; without l a*; compact l;
l: reverse l; slice l n*; slice l n n; chunk n l; sortAlpha l; splitList w s; regexFindAll r s n; regexSplit r s n; toStrings l; mustRest l; mustInitial l;
l: mustAppend l a; mustPrepend l a; mustUniq l; mustWithout l a; mustCompact l; mustReverse l; mustSlice l n n; mustChunk n l; push l a; mustPush l a;
l: fromJsonArray j; fromYamlArray y; pluck k d d; sortAlpha (keys d); keys d | sortAlpha; mustRegexFindAll r s n; mustRegexSplit r s n; default l l;
l: toStrings a; sortAlpha a; rest a; reverse a; uniq a; compact a; concat a a;
d: dict k a k a; dict k a; dict a*; set d k a; unset d k; pick d k*; omit d k*; merge d d*; mergeOverwrite d d*; mustMerge d d; mustMergeOverwrite d d;
d: deepCopy d; mustDeepCopy d; fromYaml y; fromJson j; fromToml m; split w s; splitn w n s; urlParse x; fromJson y; mustFromJson j; default d d; merge d d d;
a: get d k; dig k k a d; dig k a d; dig k k k s d; first l; last l; mustFirst l; mustLast l; index l n; index d k; index d k k; index a n; coalesce a*;
a: default a a; ternary a a b; ternary a a a; get d k; deepCopy a; required s a; first a; last a; values d | sortAlpha; fromJson j; empty a;
t: toDate o s; mustToDate o s; dateModify u t; date_modify u t; mustDateModify u t; must_date_modify u t; toDate \"2006-01-02\" s;
a: semver v; (semver v).Major; (semver v).Prerelease; index l i; slice s n n; len a; .Capabilities.APIVersions.Has s; .Values.m.a.b; (d).a; (d).a.b;
a: (l).a; (a).a; (s).a; .Values.AsMap.m; .Files.Get s; .Files.Glob s; .Files.Lines s; $.Release.Name; .Chart; .Release; .Template.Name; .Subcharts; call a a;
";

impl Expressions {
    /// Expressions of any type, calls nested as deep as said.
    pub(crate) fn all(depth: usize) -> BoxedStrategy<String> {
        let mut types: BTreeMap<char, BoxedStrategy<String>> = literals();
        for _ in 0..depth {
            types = calls(&types);
        }
        let any = types[&'a'].clone();
        let typed = "silbdft".chars().map(|kind| types[&kind].clone());
        let expression = Union::new(typed.chain([any])).boxed();
        let filters = select(FILTERS);
        prop_oneof![
            3 => expression.clone(),
            2 => (expression.clone(), filters.clone()).prop_map(|(expression, filter)| format!("{expression} | {filter}")),
            1 => (expression, filters.clone(), filters).prop_map(|(expression, a, b)| format!("{expression} | {a} | {b}")),
        ]
        .boxed()
    }
}

/// What an expression is piped into.
const FILTERS: &[&str] = &[
    "quote",
    "toYaml",
    "toJson",
    "kindOf",
    "typeOf",
    "toString",
    "printf \"%v\"",
    "printf \"%T\"",
    "printf \"%q\"",
    "printf \"%#v\"",
    "default \"d\"",
    "len",
    "not",
    "first",
    "indent 2",
    "nindent 4",
    "trim",
    "upper",
    "int",
    "float64",
    "add 1",
    "squote",
    "toYamlPretty",
    "list",
    "dict \"k\"",
    "empty",
    "b64enc",
    "fromYaml",
    "fromJson",
    "title",
    "toStrings",
    "join \",\"",
    "has \"a\"",
    "printf \"%d\"",
    "printf \"%s\"",
    "printf \"%+v\"",
    "toRawJson",
    "toPrettyJson",
    "deepCopy",
    "eq 1",
    "trunc 5",
    "int64",
    "html",
    "print",
    "print 1 \"a\"",
];

fn strings(literals: &'static [&'static str]) -> BoxedStrategy<String> {
    select(literals).prop_map(str::to_owned).boxed()
}

#[expect(clippy::too_many_lines, reason = "a table of what stands in expressions")]
fn literals() -> BTreeMap<char, BoxedStrategy<String>> {
    let quoted = "[ -~éß世\u{1F600}]{0,12}".prop_map(|text| fairlead_quote(&text));
    let text = prop_oneof![
        4 => strings(&[
            r#""a""#, r#""""#, r#""hello world""#, r#""a,b,c""#, r#""5""#, r#""true""#, r#""Héllo Wörld""#, r#""  x  ""#, r#""a\nb\n""#, r#""<a> & 'b'""#,
            r#""FooBar_baz-qux""#, r#""1.5""#, r#""0x1F""#, r#""null""#, r#""2020-01-02""#, r#""a: b""#, "`raw \\ \"x\"`", ".Values.m.x", ".Values.s", ".Values.m.e",
            r#""- x""#, r#""a\tb""#, r#""10""#, r#""-3""#, r#""1e3""#, r#""{{ .Release.Name }}""#, ".Values.tpl", "\"#c\"", r#""yes""#, r#""日本語""#, r#""\xff\xfe""#,
        ]),
        2 => quoted,
    ];
    let int = prop_oneof![
        strings(&[
            "0",
            "1",
            "2",
            "3",
            "-1",
            "7",
            "10",
            "100",
            "'a'",
            "0x1f",
            "1_000",
            "9223372036854775807",
            "-9223372036854775808",
            "4294967296",
            "0b101",
            "0o17"
        ]),
        (-1000i64..1000).prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    let float = prop_oneof![
        strings(&[
            "0.0",
            "1.0",
            "1.5",
            "-2.5",
            "1e3",
            "1e21",
            "0.1",
            "1e-7",
            "123.456",
            "1e100",
            ".Values.i",
            ".Values.frac",
            ".Values.big",
            ".5",
            "-0.0",
            "1234567.0"
        ]),
        (-1_000_000i32..1_000_000, 0..6)
            .prop_map(|(number, digits)| format!("{:?}", f64::from(number) / 10f64.powi(digits))),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
    ];
    let bool = strings(&["true", "false", ".Values.t", ".Values.m.f"]);
    let list = strings(&[
        "(list)",
        "(list 1 2 3)",
        r#"(list "a" "b")"#,
        ".Values.l",
        ".Values.mixed",
        ".Values.words",
        ".Values.maps",
        r#"(list 1 "a" nil 2.5 true)"#,
        "(until 3)",
        "(list nil)",
        r#"(splitList "," "x,y,z")"#,
        ".Values.m.a.c",
        "(list (list 1) (list))",
        r#"(list "b" "a" "b" "")"#,
        r#"(regexSplit "," "p,q" -1)"#,
    ]);
    let map = strings(&[
        "(dict)",
        r#"(dict "a" 1)"#,
        ".Values.m",
        ".Values.m.a",
        r#"(dict "a" (dict "b" 1) "k" nil)"#,
        r#"(dict "b" "x" "a" 2.5 "c" (list 1))"#,
        ".Values.deep",
        ".Values",
        r#"(dict "a" "" "b" 0 "c" false)"#,
        ".Values.AsMap",
        r#"(fromYaml "a: {b: 2}\nc: 3")"#,
        ".Release",
        "(index .Values.maps 0)",
        r#"(dict "1" 1 "10" 2 "9" 3 "a b" "y" "on" "z")"#,
        ".Values.m.a",
    ]);
    let time = strings(&[
        "0",
        "1500000000",
        "-1",
        "(int64 86400)",
        r#"(toDate "2006-01-02" "2017-12-31")"#,
        r#"(toDate "2006-01-02T15:04:05Z07:00" "2021-06-07T08:09:10+02:00")"#,
        "(int64 253402200000)",
    ]);
    let anything = prop_oneof![
        4 => text.clone(), 3 => int.clone(), 2 => float.clone(), 1 => bool.clone(), 3 => list.clone(), 3 => map.clone(),
        1 => strings(&["nil", ".Values.m.n", ".Values.nope", ".Values.nope.x", ".Values.m.z", "(mustToDuration 90)", r#"(semver "1.2.3-a+b")"#, "1i", r#"(b64dec "/w==")"#, ".Capabilities.KubeVersion", ".Capabilities", ".Chart", "(int64 5)", "'x'", r#"(toDate "2006-01-02" "2017-12-31")"#, r#"(urlParse "http://a/b?c")"#, r#"(split "," "a,b")"#, ".Files", ".Chart.Name"]),
    ];
    let regex = strings(&[
        r#""a""#,
        r#""[a-z]+""#,
        r#""(o)(.)""#,
        r#""^h""#,
        r#"".*""#,
        r#""""#,
        r#""\\s+""#,
        r#""(?i)HELLO""#,
        r#""[^a-c]""#,
        r#""(""#,
        r#""a{2,}""#,
        r#""(?P<n>l+)""#,
        r#""\\b""#,
        r#""x|l""#,
        r#""\\pL""#,
        r#""[""#,
        r#""a**""#,
        r#""(?=a)""#,
        r#""\\d{2,3}""#,
        r#"".""#,
        r#""é""#,
        r#""^$""#,
        r#""(?m)^b$""#,
        r#""(?s).+""#,
        r#""[[:alpha:]]+?""#,
        r#""\\Qa.b\\E""#,
    ]);
    BTreeMap::from([
        ('s', text.boxed()),
        (
            'w',
            strings(&[
                r#""""#, r#""a""#, r#"",""#, r#""-""#, r#"" ""#, r#""lo""#, r#""ab""#, r#""é""#, r#""\n""#, r#""xyz""#,
                "1", r#""$""#,
            ]),
        ),
        ('i', int.boxed()),
        (
            'n',
            strings(&[
                "0",
                "1",
                "2",
                "3",
                "-1",
                "5",
                "-3",
                "8",
                "10",
                "40",
                "2.5",
                r#""4""#,
                ".Values.i",
                "(int64 2)",
                "nil",
                r#""x""#,
                "-10",
            ]),
        ),
        ('f', float.boxed()),
        ('b', bool),
        ('l', list),
        ('d', map),
        ('a', anything.boxed()),
        ('t', time),
        (
            'o',
            strings(&[
                r#""2006-01-02""#,
                r#""2006-01-02T15:04:05Z07:00""#,
                r#""15:04:05.000""#,
                r#""Jan _2 2006""#,
                r#""Monday, 02-Jan-06 15:04:05 MST""#,
                r#""3:04PM""#,
                r#""""#,
                r#""x""#,
                r#""20060102150405""#,
                r#""002 06 1 2 3 4 5 pm""#,
                r#""-0700 Z0700 -07 .999""#,
            ]),
        ),
        (
            'u',
            strings(&[
                r#""1h""#,
                r#""90s""#,
                r#""-1.5h""#,
                r#""36h12m5.5s""#,
                r#""100ms""#,
                r#""1h2m3s4ms5us6ns""#,
                r#""0""#,
                r#""bad""#,
                r#""90""#,
                r#""""#,
                r#""1.5""#,
                "90",
                "1.5",
                r#""5000h""#,
                r#""+3m""#,
                r#""1d""#,
                r#""9223372036s""#,
                "nil",
                "(mustToDuration 60)",
            ]),
        ),
        ('r', regex),
        (
            'p',
            strings(&[
                r#""""#,
                r#""X""#,
                r#""$1""#,
                r#""${1}W""#,
                r#""$0$0""#,
                r#""$1W""#,
                r#""$n""#,
                r#""${n}""#,
                r#""$$""#,
                r#""$""#,
            ]),
        ),
        (
            'v',
            strings(&[
                r#""1.2.3""#,
                r#""v1.5""#,
                r#""2.0.0-rc.1""#,
                r#""1""#,
                r#""bad""#,
                r#""1.2.3+meta""#,
                r#""0.0.0""#,
                r#""1.2.3-alpha.1+b""#,
                "1.2",
                r#""""#,
                ".Capabilities.KubeVersion.Version",
            ]),
        ),
        (
            'c',
            strings(&[
                r#"">=1.2.0""#,
                r#""^1.2""#,
                r#""~1.2.x""#,
                r#"">1.0 <2 || >3""#,
                r#""bad""#,
                r#""*""#,
                r#"">=1.0.0-0""#,
                r#""1.2.3""#,
                r#""!=1.5""#,
                r#""1 - 2""#,
                r#""<2, >=1""#,
                r#""""#,
                r#""=1.2.x""#,
            ]),
        ),
        (
            'z',
            strings(&[
                r#""UTC""#,
                r#""Europe/Berlin""#,
                r#""America/New_York""#,
                r#""Bogus""#,
                r#""""#,
                r#""Local""#,
                r#""Asia/Kolkata""#,
            ]),
        ),
        (
            'y',
            strings(&[
                r#""a: 1\nb: [x]""#,
                r#""- a\n- 1""#,
                r#""""#,
                r#""a: {b: c}""#,
                r#""x""#,
                r#""a: b: c""#,
                ".Values.yaml",
                r#""on: yes\nn: 012""#,
                "(toYaml .Values.m)",
                r#""[1, 2.5, null]""#,
                r#""{a: 1e3}""#,
                r#""~""#,
            ]),
        ),
        (
            'j',
            strings(&[
                r#""{\"a\":1}""#,
                r#""[1,2,\"x\"]""#,
                r#""""#,
                r#""null""#,
                r#""{""#,
                r#""1.5""#,
                r#""\"s\"""#,
                "(toJson .Values.m)",
                r#""{\"a\":{\"b\":[true]}}""#,
                r#""[1,]""#,
                r#""{\"a\":1}x""#,
                r#""tru""#,
                r#""{\"b\":9007199254740993}""#,
            ]),
        ),
        (
            'm',
            strings(&[
                r#""a = 1""#,
                r#""[t]\nx = \"y\"""#,
                r#""a = 1979-05-27T07:32:00Z""#,
                r#""bad""#,
                r#""""#,
                r#""a = [1, 2]\nb = 1.5""#,
                "(toToml .Values.m)",
                r#""a = 1\na = 2""#,
                r#""[[x]]\ny=true""#,
            ]),
        ),
        (
            'k',
            strings(&[
                r#""a""#,
                r#""b""#,
                r#""x""#,
                r#""k""#,
                r#""nope""#,
                r#""c""#,
                r#""e""#,
                r#""n""#,
                "1",
                "nil",
                r#""d""#,
            ]),
        ),
        (
            'h',
            strings(&[
                r#""/a/b.txt""#,
                r#""a/../b""#,
                r#""""#,
                r#"".""#,
                r#""/""#,
                r#""a//b/""#,
                r#"".hidden.tar.gz""#,
                r#""../x""#,
            ]),
        ),
        (
            'x',
            strings(&[
                r#""https://u:p@host:80/p?q=1#f""#,
                r#""""#,
                r#""a b""#,
                r#""mailto:x@y""#,
                r#""//h/p""#,
                r#""http://[::1]:8080/""#,
                r#""%zz""#,
                r#""http://h:port/""#,
                r#""/p%20q?a=b&c""#,
                r#"":x""#,
            ]),
        ),
        (
            'W',
            strings(&[
                r#""%d""#,
                r#""%s""#,
                r#""%v""#,
                r#""%q""#,
                r#""%5.2f|%-8s|%+d""#,
                r#""%x""#,
                r#""%T""#,
                r#""%#v""#,
                r#""%05d %t""#,
                r#""%%""#,
                r#""%""#,
                r#""%!""#,
                r#""%*d""#,
                r#""%[2]v %[1]v""#,
                r#""%c %U""#,
                r#""%e %g""#,
                r#""%+v""#,
                r#""%s-%s""#,
                r#""%6.3v""#,
                r#""no verb""#,
                r#""%o %b %X""#,
                r#""%z""#,
                r#""%08.3f""#,
                r#""%x %X""#,
            ]),
        ),
    ])
}

/// A Go string literal with Go's own escapes.
fn fairlead_quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted + "\""
}

/// The next level: calls with arguments of the level below, and the level below itself.
fn calls(below: &BTreeMap<char, BoxedStrategy<String>>) -> BTreeMap<char, BoxedStrategy<String>> {
    let mut options: BTreeMap<char, Vec<BoxedStrategy<String>>> = BTreeMap::new();
    for line in SIGNATURES.lines().filter(|line| !line.is_empty()) {
        let (result, functions) = line.split_once(": ").unwrap();
        let kind = result.chars().next().unwrap();
        for function in functions
            .split(';')
            .map(str::trim)
            .filter(|function| !function.is_empty())
        {
            options.entry(kind).or_default().push(call(function, below));
        }
    }
    let mut types = below.clone();
    let mut all = Vec::new();
    for (kind, calls) in options {
        let calls = Union::new(calls).prop_map(|call| format!("({call})")).boxed();
        all.push(calls.clone());
        let literals = below.get(&kind).unwrap_or(&below[&'a']).clone();
        types.insert(kind, prop_oneof![1 => literals, 2 => calls].boxed());
    }
    let any = prop_oneof![1 => below[&'a'].clone(), 2 => Union::new(all)].boxed();
    types.insert('a', any);
    types
}

/// A call by its signature: single letters are arguments.
fn call(signature: &str, below: &BTreeMap<char, BoxedStrategy<String>>) -> BoxedStrategy<String> {
    let parts: Vec<BoxedStrategy<String>> = signature.split(' ').map(|part| argument(part, below)).collect();
    parts
        .prop_map(|parts| {
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            parts.join(" ")
        })
        .boxed()
}

fn argument(part: &str, below: &BTreeMap<char, BoxedStrategy<String>>) -> BoxedStrategy<String> {
    let letters = part.trim_matches(|character| matches!(character, '(' | ')' | '*'));
    let mut characters = letters.chars();
    let (Some(kind), None) = (characters.next(), characters.next()) else {
        // `(d).a`, `(semver`, `v).Major`
        if let Some((inner, field)) = part.split_once(").")
            && let Some(strategy) = below.get(&inner.trim_start_matches('(').chars().next().unwrap())
            && inner.trim_start_matches('(').len() == 1
        {
            let open = if part.starts_with('(') { "(" } else { "" };
            let field = field.to_owned();
            return strategy
                .clone()
                .prop_map(move |value| format!("{open}{value}).{field}"))
                .boxed();
        }
        return Just(part.to_owned()).boxed();
    };
    let Some(strategy) = below.get(&kind) else {
        return Just(part.to_owned()).boxed();
    };
    if kind == 't' {
        return strategy.clone(); // whatever is no time is now
    }
    // Now and then something of another type.
    let strategy = prop_oneof![15 => strategy.clone(), 1 => below[&'a'].clone()].boxed();
    if part.ends_with('*') {
        let several = prop::collection::vec(strategy, 0..4);
        return several.prop_map(|values| values.join(" ")).boxed();
    }
    let part = part.to_owned();
    strategy.prop_map(move |value| part.replacen(kind, &value, 1)).boxed()
}
