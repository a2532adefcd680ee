//! Aligned columns.

use std::io::Write as _;

pub struct Table {
    /// Title of each column; one that starts with a space is aligned to the right.
    titles: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(titles: &'static [&'static str]) -> Self {
        Self { titles, rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As text, each line with its end.
    pub fn text(&self) -> String {
        let titles: Vec<String> = self.titles.iter().map(|title| title.trim_start().to_owned()).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).chain(titles.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).zip(self.titles).map(|((cell, width), title)| {
                if title.starts_with(' ') { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        std::iter::once(&titles).chain(&self.rows).map(line).collect()
    }
}

/// Writes to standard output. A reader that has gone, such as `head`, is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
