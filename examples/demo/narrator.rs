//! What people read: acts, commands, their output, and the expectations that held. Colours only on a terminal.

use std::cell::Cell;
use std::fmt::Debug;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::error::DemoError;

/// Tells the story on standard output, and remembers how long each act took.
pub(crate) struct Narrator {
    colours: bool,
    /// Whether the last line was empty: two in a row say nothing more than one.
    after_empty: Cell<bool>,
    started: Instant,
    acts: Vec<Act>,
}

struct Act {
    title: &'static str,
    began: Instant,
}

#[derive(Clone, Copy)]
enum Style {
    Title,
    Command,
    Output,
    Held,
    Missed,
}

impl Style {
    /// Parameters of the terminal's escape sequence.
    fn parameters(self) -> &'static str {
        match self {
            Self::Title => "1",
            Self::Command => "1;36",
            Self::Output => "2",
            Self::Held => "32",
            Self::Missed => "31",
        }
    }
}

impl Narrator {
    pub(crate) fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colours: std::io::stdout().is_terminal() && !refused,
            after_empty: Cell::new(true),
            started: Instant::now(),
            acts: Vec::new(),
        }
    }

    /// Begins an act.
    pub(crate) fn act(&mut self, title: &'static str) {
        self.acts.push(Act {
            title,
            began: Instant::now(),
        });
        let number = self.acts.len();
        self.line("");
        self.styled(Style::Title, &format!("{number}. {title}"));
    }

    /// Says something, as a paragraph that starts with an empty line.
    pub(crate) fn say(&self, text: &str) {
        self.line("");
        text.lines().for_each(|line| self.line(line));
        self.line("");
    }

    /// Shows a command as one would type it.
    pub(crate) fn command(&self, line: &str) {
        for (position, line) in line.lines().enumerate() {
            let prompt = if position == 0 { "$ " } else { "" };
            self.styled(Style::Command, &format!("{prompt}{line}"));
        }
    }

    /// Shows what a command printed.
    pub(crate) fn output(&self, text: &str) {
        text.lines().for_each(|line| self.styled(Style::Output, line));
    }

    /// Says that an expectation holds, or fails.
    pub(crate) fn expect<T: PartialEq + Debug>(&self, what: &str, found: T, expected: T) -> Result<(), DemoError> {
        if found != expected {
            self.styled(Style::Missed, &format!("✗ {what}"));
            return Err(DemoError::unmet(what, &expected, &found));
        }
        self.styled(Style::Held, &format!("✓ {what}"));
        Ok(())
    }

    /// How long each act took, and all of them.
    pub(crate) fn times(&self) {
        let ends = self.acts.iter().skip(1).map(|act| act.began).chain([Instant::now()]);
        for (Act { title, began }, end) in self.acts.iter().zip(ends) {
            self.time(title, end.duration_since(*began));
        }
        self.time("Altogether", self.started.elapsed());
    }

    fn time(&self, what: &str, time: Duration) {
        self.line(&format!("{:6.1} s  {what}", time.as_secs_f64()));
    }

    fn styled(&self, style: Style, text: &str) {
        if self.colours && !text.is_empty() {
            self.line(&format!("\x1b[{}m{text}\x1b[0m", style.parameters()));
        } else {
            self.line(text);
        }
    }

    /// One line. Whoever closed our output does not want to read on; the story goes on, since it is also a check.
    fn line(&self, text: &str) {
        if !(self.after_empty.replace(text.is_empty()) && text.is_empty()) {
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }
}
