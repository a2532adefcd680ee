//! The lines of a file, whatever its format.

use super::record::{Columns, Reader, Record};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use csv::{ByteRecord, StringRecord};
use std::{
    io::{self, BufRead as _, BufReader, Read},
    path::Path,
};

/// Bytes that a line of NDJSON and a record of CSV may have; a product has a twentieth of that.
const MAX_LINE: u64 = 1 << 20;

/// What the reader of CSV reads ahead.
const AHEAD: u64 = 64 * 1024;

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
    Csv { records: csv::Reader<Unified<R>>, columns: Columns, count: usize },
    Ndjson { text: BufReader<R>, number: u64 },
}

impl<R: Read> Lines<R> {
    pub fn new(input: R, format: Format, delimiter: u8) -> anyhow::Result<Self> {
        let source = match format {
            Format::Ndjson => Source::Ndjson { text: BufReader::new(input), number: 0 },
            Format::Csv => {
                let input = Unified { input, left: MAX_LINE + AHEAD, is_at_end: false, last: 0 };
                // A record with too few cells is told as a line of the file; csv would have read on by then.
                let mut records = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
                let names = records.headers().context("read the first line, which names the columns")?;
                let (columns, count) = (Columns::new(names)?, names.len());
                Source::Csv { records, columns, count }
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
                Ok(Some(Line { number: *number, record: text.and_then(|text| self.reader.object(&text)) }))
            }
            Source::Csv { records, columns, count } => {
                let mut cells = ByteRecord::new();
                records.get_mut().left = MAX_LINE + AHEAD;
                let before = records.position().line();
                if !records
                    .read_byte_record(&mut cells)
                    .with_context(|| format!("read the file after line {before}"))?
                {
                    return Ok(None);
                }
                let breaks = cells.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
                // The end of the file ends whatever cell it is in, and then it is no end of a line.
                let is_open =
                    records.get_ref().is_at_end && cells.iter().next_back().is_some_and(|last| last.ends_with(b"\n"));
                let number = records.position().line().saturating_sub(breaks + u64::from(!is_open));
                let record = match StringRecord::from_byte_record(cells) {
                    Err(_) => Err("it is not UTF-8".to_owned()),
                    Ok(cells) if cells.len() != *count => {
                        Err(format!("it has {} cells, and the first line names {count} columns", cells.len()))
                    }
                    Ok(_) if is_open => Err("its last cell ends with the file: a quote is not closed".to_owned()),
                    Ok(cells) => columns.object(&cells).and_then(|object| self.reader.record(object)),
                };
                Ok(Some(Line { number, record }))
            }
        }
    }
}

/// The next line that is not blank, or why it is none.
fn object(text: &mut BufReader<impl Read>, number: &mut u64) -> anyhow::Result<Option<Result<Vec<u8>, String>>> {
    loop {
        let (line, is_whole) = up_to_break(text)?;
        *number += 1;
        if line.is_empty() {
            return Ok(None);
        }
        if !is_whole && line.len() as u64 > MAX_LINE {
            while !up_to_break(text)?.1 {}
            return Ok(Some(Err(format!("it is longer than {MAX_LINE} bytes; a line is a product"))));
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(Ok(line)));
        }
    }
}

/// What there is up to the end of the line, or a byte more than a line may have; and whether that is the end of it.
fn up_to_break(text: &mut BufReader<impl Read>) -> anyhow::Result<(Vec<u8>, bool)> {
    let mut line = Vec::new();
    text.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line).context("read the file")?;
    let is_whole = line.is_empty() || line.ends_with(b"\n") || text.fill_buf().context("read the file")?.is_empty();
    Ok((line, is_whole))
}

/// A file whose lines all end with a line feed, also the last one, and of which no more is read than a record may have.
struct Unified<R> {
    input: R,
    left: u64,
    is_at_end: bool,
    last: u8,
}

impl<R: Read> Read for Unified<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let why = format!("a record is longer than {MAX_LINE} bytes; is a quote not closed?");
            return Err(io::Error::other(why));
        }
        while !self.is_at_end {
            let count = self.input.read(into)?;
            self.is_at_end = count == 0;
            let mut kept = 0;
            for place in 0..count {
                if into[place] != b'\r' {
                    into[kept] = into[place];
                    kept += 1;
                }
            }
            if kept > 0 {
                self.last = into[kept - 1];
                self.left = self.left.saturating_sub(kept as u64);
                return Ok(kept);
            }
        }
        match into.first_mut() {
            Some(first) if self.last != b'\n' => {
                (*first, self.last) = (b'\n', b'\n');
                Ok(1)
            }
            _ => Ok(0),
        }
    }
}
