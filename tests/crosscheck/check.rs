//! Makes cases up, asks both sides, and makes what differs small.

use std::fmt::{Debug, Write as _};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime};

use fairlead_controlplane::Oracle;
use proptest::strategy::{BoxedStrategy, Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// The seed when none is given. With it, a run is the same everywhere.
const SEED: u64 = 20_261_122;

/// How many questions are sent before the first answer is read: the oracle works while we do.
const BATCH: usize = 32;

/// How often a case is changed to make it smaller.
const SHRINKS: usize = 1500;

/// Unoptimised code needs larger frames than `Limits::STACK_BYTES` is made for.
const STACK_BYTES: usize = 256 << 20;

/// One thing that both sides do.
pub(crate) trait Subject {
    /// What it is done with.
    type Case: Debug + Clone + 'static;

    /// For messages, and so that subjects see different random numbers.
    const NAME: &'static str;

    /// What the oracle is asked.
    fn question(case: &Self::Case) -> Value;

    /// What we make of it, in the form of the oracle's answer.
    fn ours(case: &Self::Case) -> Value;

    /// The oracle's answer in the form of ours.
    fn theirs(answer: Value) -> Value {
        answer
    }

    /// Whether the answers are the same. Differences that COMPATIBILITY.md allows are the same.
    fn same(case: &Self::Case, ours: &Value, theirs: &Value) -> bool {
        let _ = case;
        equal(ours, theirs)
    }
}

/// As JSON compares: 1 and 1.0 are one number; two integers are compared exactly.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// The number in an environment variable.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")))
}

fn seed() -> u64 {
    if std::env::var("FAIRLEAD_SEED").is_ok_and(|seed| seed == "random") {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        return u64::from(now.subsec_nanos()) ^ (now.as_secs() << 20);
    }
    number("FAIRLEAD_SEED").unwrap_or(SEED)
}

/// A generator of random numbers that depends on the seed and the subject only.
fn runner(seed: u64, name: &str) -> TestRunner {
    let mut bytes = [0; 32];
    for (index, part) in bytes.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new(); // its keys are fixed
        (seed, name, index).hash(&mut hasher);
        part.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Checks cases that are made up.
pub(crate) fn check<S: Subject>(count: usize, cases: impl FnOnce() -> BoxedStrategy<S::Case> + Send + 'static) {
    on_large_stack(move || {
        let seed = seed();
        let count = number("FAIRLEAD_CASES").map_or(count, |count| usize::try_from(count).unwrap());
        let mut runner = runner(seed, S::NAME);
        let cases = cases();
        let mut checker = Checker::<S>::new(format!("FAIRLEAD_SEED={seed}"));
        let mut left = count;
        while left > 0 && checker.goes_on() {
            let trees = (0..left.min(BATCH))
                .map(|_| cases.new_tree(&mut runner).unwrap())
                .collect();
            left -= left.min(BATCH);
            checker.check(trees);
        }
        checker.end();
    });
}

/// Checks cases of a table.
pub(crate) fn check_table<S: Subject>(cases: Vec<S::Case>)
where
    S::Case: Send,
{
    on_large_stack(move || {
        let mut checker = Checker::<S>::new("a table".to_owned());
        let mut runner = runner(0, S::NAME);
        for batch in cases.chunks(BATCH) {
            let trees = batch.iter().map(|case| proptest::strategy::Just(case.clone()));
            checker.check(trees.map(|case| case.new_tree(&mut runner).unwrap()).collect());
        }
        checker.end();
    });
}

fn on_large_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap();
    if let Err(cause) = thread.join() {
        std::panic::resume_unwind(cause);
    }
}

struct Checker<S: Subject> {
    oracle: Oracle,
    origin: String,
    started: Instant,
    checked: usize,
    crashes: usize,
    undetermined: usize,
    differences: Vec<String>,
    allowed: usize,
    subject: std::marker::PhantomData<S>,
}

impl<S: Subject> Checker<S> {
    fn new(origin: String) -> Self {
        Self {
            oracle: Oracle::start().unwrap(),
            origin,
            started: Instant::now(),
            checked: 0,
            crashes: 0,
            undetermined: 0,
            differences: Vec::new(),
            allowed: number("FAIRLEAD_DIFFERENCES").map_or(5, |count| usize::try_from(count).unwrap()),
            subject: std::marker::PhantomData,
        }
    }

    fn goes_on(&self) -> bool {
        self.differences.len() < self.allowed
    }

    fn check<T: ValueTree<Value = S::Case>>(&mut self, mut trees: Vec<T>) {
        let cases: Vec<S::Case> = trees.iter().map(ValueTree::current).collect();
        let questions: Vec<Value> = cases.iter().map(S::question).collect();
        let theirs = self.oracle.ask(&questions).ok();
        if theirs.is_none() {
            self.oracle = Oracle::start().unwrap();
        }
        for (index, tree) in trees.iter_mut().enumerate() {
            self.checked += 1;
            let theirs = match &theirs {
                Some(answers) => Some(S::theirs(answers[index].clone())),
                None => self.ask(&questions[index]), // which one of them crashed it?
            };
            let Some(theirs) = theirs else {
                self.crashes += 1;
                eprintln!("{}: Helm crashes: {:?}", S::NAME, cases[index]);
                continue;
            };
            let ours = ours::<S>(&cases[index]);
            let differs = !S::same(&cases[index], &ours, &theirs) && self.goes_on();
            if differs && self.is_determined(&questions[index], &theirs) && self::ours::<S>(&cases[index]) == ours {
                let difference = self.shrink(tree, (cases[index].clone(), ours, theirs));
                eprintln!("{}: {difference}", S::NAME);
                self.differences.push(difference);
            }
        }
    }

    /// The oracle's answer; none when the question crashes it.
    fn ask(&mut self, question: &Value) -> Option<Value> {
        if let Ok(mut answers) = self.oracle.ask(std::slice::from_ref(question)) {
            return answers.pop().map(S::theirs);
        }
        self.oracle = Oracle::start().unwrap();
        None
    }

    /// Whether Go gives the same answer each time. The order of Go's maps is random, and now and then it shows.
    fn is_determined(&mut self, question: &Value, answer: &Value) -> bool {
        let again = (0..12).all(|_| self.ask(question).is_some_and(|other| other == *answer));
        self.undetermined += usize::from(!again);
        again
    }

    /// The smallest case that still differs, with both answers.
    fn shrink<T: ValueTree<Value = S::Case>>(&mut self, tree: &mut T, found: (S::Case, Value, Value)) -> String {
        let mut smallest = found;
        let mut more = tree.simplify();
        for _ in 0..SHRINKS {
            if !more {
                break;
            }
            let case = tree.current();
            let ours = ours::<S>(&case);
            let differs = self
                .ask(&S::question(&case))
                .filter(|theirs| !S::same(&case, &ours, theirs));
            more = match differs {
                Some(theirs) => {
                    smallest = (case, ours, theirs);
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        let (case, ours, theirs) = smallest;
        let mut text = format!("{case:#?}\n");
        for key in keys(&ours, &theirs) {
            let (ours, theirs) = (&ours[&key], &theirs[&key]);
            if !equal(ours, theirs) {
                let _ = writeln!(
                    text,
                    "  {key}\n    ours   {}\n    theirs {}",
                    shown(ours),
                    shown(theirs)
                );
            }
        }
        text
    }

    fn end(self) {
        let Self {
            origin,
            started,
            checked,
            crashes,
            undetermined,
            differences,
            ..
        } = self;
        let seconds = started.elapsed().as_secs_f64();
        eprintln!(
            "{}: {checked} cases ({origin}) in {seconds:.1} s, {crashes} crash Helm, {undetermined} differ in Go from time to time",
            S::NAME
        );
        let count = differences.len();
        assert!(
            count == 0,
            "{count} of {checked} differ ({origin}):\n{}",
            differences.join("\n")
        );
    }
}

fn keys(ours: &Value, theirs: &Value) -> std::collections::BTreeSet<String> {
    [ours, theirs]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|map| map.keys().cloned())
        .collect()
}

/// A string with Rust's escapes, anything else as JSON.
fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |text| format!("{text:?}"))
}

fn ours<S: Subject>(case: &S::Case) -> Value {
    catch_unwind(AssertUnwindSafe(|| S::ours(case))).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        json!({ "we panic": text.unwrap_or_default() })
    })
}

/// How Go writes bytes in JSON.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The bytes of what Go wrote.
pub(crate) fn unbase64(text: &str) -> Vec<u8> {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
