//! Charts that want to use up the machine. Each ends in an error that names the template, the limit, and how to raise it.
//!
//! The limits here are a twentieth of the defaults and none depends on the clock, so that unoptimised tests are quick and
//! the same everywhere.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use fairlead::chart::{ArchiveLimits, Capabilities, Chart, File, JsonMap};
use fairlead::render::{Operation, Program, Release, RenderError, Request, Secrets, render};
use fairlead::template::{Host, LimitError, Limits, Mode};

/// Unoptimised code needs larger frames than [`Limits::STACK_BYTES`] is made for.
const STACK_BYTES: usize = 64 << 20;

/// A clock that moves when it is looked at, and randomness that is good enough to make keys of.
struct Clock {
    time: Duration,
    step: Duration,
    /// Then it is a real clock.
    started: Option<Instant>,
    state: u64,
}

impl Host for Clock {
    fn now(&mut self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.state.to_be_bytes()[0];
        }
    }

    fn elapsed(&mut self) -> Duration {
        self.time += self.step;
        self.started.map_or(self.time, |started| started.elapsed())
    }
}

fn limits() -> Limits {
    let Limits {
        bytes, memory, steps, ..
    } = Limits::default();
    Limits {
        bytes: bytes / 20,
        memory: memory / 20,
        steps: steps / 20,
        keys: 5,
        ..Limits::default()
    }
}

/// Renders a template in a chart of its own. The clock moves by this step when it is looked at; without one it is real.
fn run(template: &str, limits: Limits, step: impl Into<Option<Duration>>) -> Result<(), RenderError> {
    let step = step.into();
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("templates/hostile.yaml", template),
    ];
    let files = files.map(|(path, text)| File::new(path, text.as_bytes().to_vec()));
    let chart = Chart::from_directory(files.into(), &ArchiveLimits::default()).unwrap();
    let program = Program::new(Arc::new(chart));
    let release = Release {
        name: "rel".to_owned(),
        namespace: "ns".to_owned(),
        revision: 1,
        operation: Operation::Install,
    };
    let work = || {
        let request = Request {
            program: &program,
            values: &JsonMap::new(),
            release: &release,
            capabilities: &Capabilities::default(),
            limits,
            mode: Mode::default(),
            skip_schema_validation: false,
            subchart_notes: false,
            keep_values: false,
        };
        let mut clock = Clock {
            time: Duration::ZERO,
            step: step.unwrap_or_default(),
            started: step.is_none().then(Instant::now),
            state: 1,
        };
        render(&request, &mut clock).map(|_| ())
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// A list that holds itself as it was before twice, sixty times over.
const BOMB: &str = r#"{{ $x := list "x" }}{{ range 60 }}{{ $x = list $x $x }}{{ end }}"#;

/// Templates by the limit that stops them.
const HOSTILE: &[(&str, &[&str])] = &[
    (
        "steps",
        &[
            // Loops, and calls that multiply.
            "{{ range 1000000000000 }}{{ end }}",
            "{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}",
            r#"{{ define "a" }}x{{ end }}{{ define "b" }}{{ range 1000 }}{{ include "a" . }}{{ end }}{{ end }}{{ range 1000 }}{{ include "b" . }}{{ end }}"#,
            // Quadratic functions.
            "{{ uniq (until 20000) }}",
            "{{ $l := until 20000 }}{{ range 1000 }}{{ without $l 1 2 3 }}{{ end }}",
            // A little work on a large text, again and again.
            r#"{{ $t := repeat 1000000 "a" }}{{ range 100000 }}{{ $_ := contains $t $t }}{{ end }}"#,
            r#"{{ $t := repeat 1000000 "a" }}{{ range 100000 }}{{ $_ := sha256sum $t }}{{ end }}"#,
            r#"{{ $t := repeat 1000000 "a" }}{{ range 100000 }}{{ $_ := hasKey (dict $t 1) "b" }}{{ end }}"#,
            r#"{{ $x := "0123456789" }}{{ range 400 }}{{ $x = b64enc $x }}{{ end }}"#,
            r#"{{ $d := dict }}{{ range 1000 }}{{ range $i := until 1000 }}{{ $_ := set $d (uuidv4) (dict "a" 1) }}{{ end }}{{ end }}"#,
            r#"{{ $d := dict }}{{ range $i := until 40000 }}{{ $_ := set $d (toString $i) (repeat 1000000 "x") }}{{ end }}"#,
            // Aliases make much of a short text.
            r#"{{ $y := "a: &a [x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x]\nb: [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" }}{{ range 3000 }}{{ $_ := fromYaml $y }}{{ end }}"#,
            // Entries are copied before the first one is looked at.
            r"{{ $d := dict }}{{ range $i := until 5000 }}{{ $_ := set $d (toString $i) 1 }}{{ end }}{{ range 100000 }}{{ range $k, $v := $d }}{{ break }}{{ end }}{{ end }}",
            r#"{{ $d := dict }}{{ range $i := until 5000 }}{{ $_ := set $d (toString $i) 1 }}{{ end }}{{ range 100000 }}{{ $_ := has "x" (keys $d) }}{{ end }}"#,
            // Expressions that have many states for each byte.
            r#"{{ $t := repeat 200000 "ab" }}{{ range 100 }}{{ $_ := regexMatch "(a|b)*a(a|b){900}c" $t }}{{ end }}"#,
            r#"{{ range $i := until 10000 }}{{ $_ := regexMatch (printf "(a%d){1000}" $i) "b" }}{{ end }}"#,
        ],
    ),
    (
        "bytes",
        &[
            // One call that makes too much.
            "{{ until 100000000 }}",
            "{{ untilStep 0 1000000000000 1 }}",
            "{{ seq 1 1000000000 }}",
            r#"{{ repeat 1000000000 "x" }}"#,
            "{{ randAlphaNum 1000000000 }}",
            r#"{{ repeat 100000 "\n" | indent 100000 }}"#,
            r#"{{ repeat 10 "\n" | nindent 1000000000 }}"#,
            r#"{{ $a := repeat 100000 "a" }}{{ $a | replace "a" $a }}"#,
            r#"{{ $a := repeat 100000 "a" }}{{ regexReplaceAll "a" $a "$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0" }}"#,
            r#"{{ printf (repeat 100 "%999999d") 1 }}"#,
            r#"{{ printf (repeat 100 "%*d") 999999 1 }}"#,
            r#"{{ printf "%1000v" (until 10000) }}"#,
            r#"{{ join (repeat 100000 "a") (until 10000) }}"#,
            r#"{{ wrapWith 1 (repeat 100000 "x") (repeat 10000 "a ") }}"#,
            r#"{{ splitList "" (repeat 1000000 "a") }}"#,
            r#"{{ regexFindAll "a" (repeat 1000000 "a") -1 }}"#,
            r#"{{ regexSplit "b" (repeat 1000000 "b") -1 }}"#,
            r#"{{ fromJsonArray (printf "[%s1]" (repeat 500000 "1,")) }}"#,
            r#"{{ fromYamlArray (printf "[%s1]" (repeat 500000 "1,")) }}"#,
            r#"{{ tpl (repeat 500000 "{{1}}") . }}"#,
            // Doubling.
            r#"{{ $x := "0123456789" }}{{ range 40 }}{{ $x = printf "%s%s" $x $x }}{{ end }}"#,
            r#"{{ $x := "0123456789" }}{{ range 40 }}{{ $x = cat $x $x }}{{ end }}"#,
            // Output.
            "{{ range 900000 }}0123456789{{ end }}",
        ],
    ),
    (
        "memory",
        &[
            r"{{ $x := list 1 2 3 4 }}{{ range 40 }}{{ $x = concat $x $x }}{{ end }}",
            "{{ $l := list }}{{ range 100000 }}{{ $l = append $l 1 }}{{ end }}",
            "{{ $l := list }}{{ range 100000 }}{{ $l = prepend $l 1 }}{{ end }}",
            r#"{{ range $i := until 40000 }}{{ tpl (printf "{{/* %d %s */}}" $i (repeat 1000 "x")) $ }}{{ end }}"#,
            r#"{{ define "big" }}{{ repeat 100000 "x" }}{{ end }}{{ range 1000 }}{{ $_ := include "big" . }}{{ end }}"#,
        ],
    ),
    (
        "depth",
        &[
            r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#,
            r#"{{ $_ := set .Values "x" "{{ tpl .Values.x . }}" }}{{ tpl .Values.x . }}"#,
            r#"{{ define "a" }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ template "c" . }}{{ end }}{{ define "c" }}{{ if true }}{{ with . }}{{ if true }}{{ with . }}{{ include "a" . }}{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}{{ include "a" . }}"#,
        ],
    ),
    (
        "regex",
        &[
            r#"{{ regexMatch "\\pL{1000}" "x" }}"#,
            r#"{{ regexReplaceAll "(\\pL\\pN\\pS){300}" "x" "y" }}"#,
        ],
    ),
    (
        "keys",
        &[
            r#"{{ range 100 }}{{ $_ := genPrivateKey "ed25519" }}{{ end }}"#,
            r#"{{ range 2 }}{{ $_ := genPrivateKey "ecdsa" }}{{ end }}"#,
            r"{{ range 100 }}{{ $_ := bcrypt (toString .) }}{{ end }}",
            r#"{{ range 100 }}{{ $_ := htpasswd "a" "b" }}{{ end }}"#,
        ],
    ),
];

#[test]
fn every_hostile_chart_ends_in_a_limit() {
    let mut wrong = Vec::new();
    for (name, templates) in HOSTILE {
        for template in *templates {
            match run(template, limits(), Duration::ZERO) {
                Err(RenderError::Limit {
                    template: file, limit, ..
                }) if file == "web/templates/hostile.yaml" && limit.name() == *name => {}
                other => wrong.push(format!("{name}: {template}\n    {other:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// With the defaults each ends within a second on an ordinary machine; keys take longer, see
/// [`Limits::keys`]. `cargo test --release --test hostile -- --ignored --nocapture` shows each one's time.
#[test]
#[ignore = "measures time, which only an optimised build on a quiet machine can be held to"]
fn the_defaults_stop_them_within_a_second() {
    let mut slowest = Duration::ZERO;
    for (name, templates) in HOSTILE.iter().filter(|(name, _)| *name != "keys") {
        for template in *templates {
            let started = Instant::now();
            let result = run(template, Limits::default(), None);
            let took = started.elapsed();
            let limit = result.err().map_or_else(String::new, |error| error.to_string());
            println!("{took:>10.1?} {name} {template}\n           {limit}");
            slowest = slowest.max(took);
        }
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

/// What walks a tree stops at one that is larger than any memory, whichever limit it meets first.
#[test]
fn trees_that_share_their_parts_do_not_expand() {
    let walks = [
        "{{ $x }}",
        "{{ toYaml $x }}",
        "{{ toJson $x }}",
        "{{ toPrettyJson $x }}",
        "{{ toToml (dict \"a\" $x) }}",
        "{{ deepCopy $x }}",
        "{{ printf \"%v\" $x }}",
        "{{ print $x }}",
        "{{ quote $x }}",
        "{{ cat $x }}",
        "{{ toString $x }}",
        "{{ join \",\" $x }}",
        "{{ sortAlpha $x }}",
        "{{ html $x }}",
        "{{ dict $x 1 }}",
        "{{ uniq $x }}",
        "{{ has 1 $x }}",
        "{{ without $x 1 }}",
        "{{ merge (dict) (dict \"a\" $x) }}",
        "{{ $y := list \"x\" }}{{ range 60 }}{{ $y = list $y $y }}{{ end }}{{ deepEqual $x $y }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" $d }}{{ toYaml $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" $d }}{{ $d }}",
    ];
    for walk in walks {
        let error = run(&format!("{BOMB}{walk}"), limits(), Duration::ZERO);
        let limit = match &error {
            Err(RenderError::Limit { limit, .. }) => limit.name(),
            other => panic!("{walk}: {other:?}"),
        };
        assert!(["bytes", "steps"].contains(&limit), "{walk}: {error:?}");
    }
}

#[test]
fn a_limit_says_where_it_was_met_and_how_to_raise_it() {
    let text = "{{- $name := \"x\" }}\n{{ define \"deep\" }}\n  {{ repeat 1000000000 . }}\n{{ end }}\na: {{ include \"deep\" $name }}\n";
    let error = run(text, limits(), Duration::ZERO).unwrap_err();
    let report = error.report(&Secrets::default()).unwrap();
    insta::assert_snapshot!(format!("{error}\n\n{report}"), @r#"
    web/templates/hostile.yaml: a text is longer than 3355443 bytes; raise this with --limit bytes=NUMBER

      --> web/templates/hostile.yaml:3:5, in template "deep"
      1 | {{- $name := "x" }}
      2 | {{ define "deep" }}
      3 |   {{ repeat 1000000000 . }}
        |      ^^^^^^^^^^^^^^^^^^^ error calling repeat: a text is longer than 3355443 bytes; raise this with --limit bytes=NUMBER
      4 | {{ end }}
      5 | a: {{ include "deep" $name }}
      called from web/templates/hostile.yaml:5:6: include "deep" $name
    "#);
}

#[test]
fn time_is_what_the_host_says() {
    let template = "{{ range 300000 }}{{ end }}";
    let slow = run(template, Limits::default(), Duration::from_secs(20));
    let limit = LimitError::Time(Limits::default().time);
    assert!(
        matches!(slow, Err(RenderError::Limit { limit: found, .. }) if found == limit),
        "{slow:?}"
    );
    // A host without a clock sets no limit of time.
    assert!(run(template, Limits::default(), Duration::ZERO).is_ok());
    // Making keys takes what it takes.
    let keys = r#"{{ range 3 }}{{ $_ := genPrivateKey "ed25519" }}{{ end }}"#;
    assert!(run(keys, Limits::default(), Duration::from_secs(20)).is_ok());
}

#[test]
fn limits_are_set_by_name() {
    let mut limits = Limits::default();
    for assignment in [
        "depth=100",
        "bytes=1000",
        "memory=5",
        "steps=7",
        "regex=8",
        "keys=9",
        "time=1500ms",
    ] {
        limits.set(assignment).unwrap();
    }
    let expected = Limits {
        depth: 100,
        bytes: 1_000,
        memory: 5,
        steps: 7,
        includes: 1_000,
        regex: 8,
        keys: 9,
        time: Duration::from_millis(1_500),
    };
    assert_eq!(limits, expected);
    for wrong in [
        "",
        "steps",
        "steps=x",
        "steps=-1",
        "depth=100000",
        "time=5",
        "time=-5s",
        "includes=5",
    ] {
        let error = limits.set(wrong).unwrap_err().to_string();
        assert!(error.starts_with(&format!("invalid limit {wrong:?}: ")), "{error}");
    }
    assert_eq!(limits, expected);
}
