//! A reply as a table (RFC 4180): a line for each message of the field that the contract names, after one with the names of
//! the columns.
//!
//! A field is a column; a message is one column for each of its own fields, `startPlace.city`, and money two, its exact amount
//! and its currency. What repeats within a row is JSON in its cell. A text that a spreadsheet would take for a formula has an
//! apostrophe in front, which spreadsheets do not show, and so has a part of a text with which a cell would begin for one that
//! splits at semicolons: it does not heed a quote that stands behind a comma.

use crate::{
    error::Error,
    route::Route,
    schema::{Field, Kind, MessageId, Schema, Shape},
    write::{Options, to_json},
};
use serde_json::Value;

const MONEY: &str = "google.type.Money";

/// Most names in the path of a column; a message deeper than that is JSON in its cell.
const MAX_PATH: usize = 8;

/// What spreadsheets take for the start of a formula, or drop in front of one.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Where a cell ends for spreadsheets that do not split at commas.
const ENDS: [char; 4] = [';', '\t', '\r', '\n'];

/// Billionths of a unit.
const NANOS: i128 = 1_000_000_000;

/// One column.
struct Column<'s> {
    /// JSON names, from the row on.
    path: Vec<&'s str>,
    cell: Cell,
}

#[derive(Clone, Copy)]
enum Cell {
    /// A text that somebody may have typed.
    Text,
    /// A number, a name of an enum, a time.
    Plain,
    /// The decimal number of an amount of money.
    Amount,
    /// Its currency.
    Currency,
}

impl Route {
    /// Writes an encoded reply as a table; none when its contract names no rows.
    pub fn table(&self, reply: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(field) = self.rpc.rows.map(|id| self.schema.field(id)) else { return Ok(None) };
        let Some(row) = self.schema.plain(field) else { return Ok(None) };
        // By their JSON names, whatever the options of the router are.
        let json = to_json(&self.schema, Options::default(), self.rpc.output, reply);
        let json = json.map_err(|error| Error::Reply { rpc: self.rpc.full_name.clone(), source: error.into() })?;
        let all = self.tree(&json)?;
        let mut columns = Vec::new();
        self::columns(&self.schema, row, &[], &mut columns);
        let mut out = String::new();
        line(&mut out, columns.iter().map(Column::name));
        for row in all.get(&*field.json_name).and_then(Value::as_array).into_iter().flatten() {
            line(&mut out, columns.iter().map(|column| column.text(row)));
        }
        Ok(Some(out.into_bytes()))
    }

    /// The JSON of a reply, which may be deeper than a tree may be.
    pub(crate) fn tree(&self, json: &[u8]) -> Result<Value, Error> {
        let tree = serde_json::from_slice(json);
        tree.map_err(|error| Error::Reply { rpc: self.rpc.full_name.clone(), source: error.into() })
    }
}

fn columns<'s>(schema: &'s Schema, message: MessageId, path: &[&'s str], found: &mut Vec<Column<'s>>) {
    for field in &schema.message(message).fields {
        let path: Vec<&str> = path.iter().copied().chain([&*field.json_name]).collect();
        match nested(schema, field, path.len()) {
            Some(id) if &*schema.message(id).name == MONEY => {
                found.push(Column { path: path.clone(), cell: Cell::Amount });
                found.push(Column { path, cell: Cell::Currency });
            }
            Some(id) => columns(schema, id, &path, found),
            None => {
                let is_text = field.kind == Kind::String || field.shape != Shape::One;
                found.push(Column { path, cell: if is_text { Cell::Text } else { Cell::Plain } });
            }
        }
    }
}

/// The message of a field whose own fields are columns.
fn nested(schema: &Schema, field: &Field, depth: usize) -> Option<MessageId> {
    schema.plain(field).filter(|_| field.shape == Shape::One && depth < MAX_PATH)
}

impl Column<'_> {
    fn name(&self) -> String {
        let path = self.path.join(".");
        match self.cell {
            Cell::Text | Cell::Plain => path,
            Cell::Amount => format!("{path}.amount"),
            Cell::Currency => format!("{path}.currencyCode"),
        }
    }

    /// The cell of a row; empty for what is not set.
    fn text(&self, row: &Value) -> String {
        let value = self.path.iter().try_fold(row, |value, name| value.get(name));
        let Some(value) = value else { return String::new() };
        match self.cell {
            Cell::Plain => plain(value),
            Cell::Text => harmless(plain(value)),
            Cell::Amount => amount(value),
            Cell::Currency => harmless(value.get("currencyCode").map(plain).unwrap_or_default()),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text of which no spreadsheet takes anything for a formula.
fn harmless(text: String) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(ENDS) {
        let start = if out.is_empty() { part } else { part.trim_start_matches('"').trim_start_matches(ENDS) };
        if start.starts_with(FORMULA) {
            out.push('\'');
        }
        out.push_str(part);
    }
    out
}

/// The decimal number of an amount, with the decimals of its currency: `-12.50`.
fn amount(money: &Value) -> String {
    let units: i128 = money["units"].as_str().and_then(|units| units.parse().ok()).unwrap_or(0);
    let total = units * NANOS + i128::from(money["nanos"].as_i64().unwrap_or(0));
    let digits = money["currencyCode"].as_str().and_then(contracts::money::decimals).unwrap_or(0) as usize;
    let sign = if total < 0 { "-" } else { "" };
    let (units, nanos) = (total.unsigned_abs() / NANOS.unsigned_abs(), total.unsigned_abs() % NANOS.unsigned_abs());
    let nanos = format!("{nanos:09}");
    let most = nanos.trim_end_matches('0').len().max(digits).min(nanos.len());
    match nanos.get(..most).unwrap_or_default() {
        "" => format!("{sign}{units}"),
        decimals => format!("{sign}{units}.{decimals}"),
    }
}

/// Adds a line. A cell with a comma, a quote, or anything else that may end a cell stands in quotes.
fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            out.push(',');
        }
        if cell.contains([',', '"']) || cell.contains(ENDS) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push_str("\r\n");
}
