//! Tables as kubectl prints them: columns as wide as their widest cell, three spaces between them.
//!
//! Knows text only. Control characters of cells are left out: names of field managers are anybody's choice.

use std::fmt::Write as _;

/// A colour of a cell, for terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Good,
    Warning,
    Bad,
    Faint,
}

impl Colour {
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Warning => Some("33"),
            Self::Bad => Some("31"),
            Self::Faint => Some("2"),
        }
    }

    /// The text in this colour, or without any.
    pub(super) fn paint(self, text: &str, coloured: bool) -> String {
        match self.code().filter(|_| coloured) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }
}

/// A cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    colour: Colour,
}

impl Cell {
    pub(super) fn coloured(text: impl Into<String>, colour: Colour) -> Self {
        let text: String = text.into();
        Self {
            text: text.chars().filter(|character| !character.is_control()).collect(),
            colour,
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::coloured(text, Colour::Plain)
    }
}

/// A table with a line of headings.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(headings: [&str; N]) -> Self {
        Self {
            rows: vec![headings.map(Cell::from)],
        }
    }

    pub(super) fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    /// The table as text, in colour or without.
    pub(super) fn render(&self, coloured: bool) -> String {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (position, (cell, width)) in row.iter().zip(widths).enumerate() {
                let padding = if position + 1 == N { 0 } else { width - cell.width() + 3 };
                // Writing to a string does not fail.
                let _ = write!(line, "{}{:padding$}", cell.colour.paint(&cell.text, coloured), "");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["A", "LONGER"]);
        table.row(["ä\u{1b}[31m".into(), Cell::coloured("x", Colour::Bad)]);
        assert_eq!(table.render(false), "A       LONGER\nä[31m   x\n");
        assert_eq!(table.render(true), "A       LONGER\nä[31m   \u{1b}[31mx\u{1b}[0m\n");
    }
}
