//! The lines of a file, whatever its format.

use super::record::{Columns, Reader, Record};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use std::{
    io::{BufRead as _, BufReader, Read},
    path::Path,
};

/// Bytes that a line of NDJSON may have; a product has a twentieth of that.
const MAX_LINE: u64 = 1 << 20;

/// How products are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values, RFC 4180, UTF-8.
    Csv,
    /// A JSON object on each line.
    Ndjson,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, Args)]
pub struct Form {
    /// Format of the file; told from the end of its name when not set
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// What divides the cells of a CSV file: one ASCII character, such as ;
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    pub delimiter: u8,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Ok(*one),
        _ => Err("it is not one ASCII character such as , or ;".to_owned()),
    }
}

impl Form {
    pub fn of(self, file: Option<&Path>) -> anyhow::Result<Format> {
        let ending = file.and_then(Path::extension).map(|ending| ending.to_string_lossy().to_lowercase());
        match (self.format, ending.as_deref()) {
            (Some(format), _) => Ok(format),
            (None, Some("csv")) => Ok(Format::Csv),
            (None, Some("ndjson" | "jsonl")) => Ok(Format::Ndjson),
            _ => bail!("the format is told neither by --format nor by a name that ends in .csv or .ndjson"),
        }
    }
}

/// A line, and the product that it tells of, or why it tells of none.
pub struct Line {
    pub number: u64,
    pub record: Result<Record, String>,
}

/// Reads the lines one after the other.
pub struct Lines<R> {
    source: Source<R>,
    reader: Reader,
}

enum Source<R> {
    Csv { cells: csv::StringRecordsIntoIter<R>, columns: Columns },
    Ndjson { text: BufReader<R>, number: u64 },
}

impl<R: Read> Lines<R> {
    pub fn new(input: R, format: Format, delimiter: u8) -> anyhow::Result<Self> {
        let source = match format {
            Format::Ndjson => Source::Ndjson { text: BufReader::new(input), number: 0 },
            Format::Csv => {
                let mut cells = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(input);
                let columns = Columns::new(cells.headers().context("read the first line, which names the columns")?)?;
                Source::Csv { cells: cells.into_records(), columns }
            }
        };
        Ok(Self { source, reader: Reader::new()? })
    }

    /// At most `count` more lines; none at the end of the file.
    pub fn some(&mut self, count: usize) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::new();
        while lines.len() < count {
            match self.line()? {
                Some(line) => lines.push(line),
                None => break,
            }
        }
        Ok(lines)
    }

    fn line(&mut self) -> anyhow::Result<Option<Line>> {
        match &mut self.source {
            Source::Ndjson { text, number } => {
                let Some(text) = object(text, number)? else { return Ok(None) };
                Ok(Some(Line { number: *number, record: self.reader.object(&text) }))
            }
            Source::Csv { cells, columns } => {
                let line = cells.reader().position().line();
                let Some(cells) = cells.next() else { return Ok(None) };
                let record = match cells {
                    Ok(cells) => columns.object(&cells).and_then(|object| self.reader.record(object)),
                    Err(error) if error.is_io_error() => return Err(error).context("read the file"),
                    Err(error) => Err(told(&error)),
                };
                Ok(Some(Line { number: line, record }))
            }
        }
    }
}

/// The next line that is not blank.
fn object(text: &mut BufReader<impl Read>, number: &mut u64) -> anyhow::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        text.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line).context("read the file")?;
        *number += 1;
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() as u64 > MAX_LINE {
            bail!("line {number} is longer than {MAX_LINE} bytes; a line is a product");
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
}

fn told(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} cells, and the first line names {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}
