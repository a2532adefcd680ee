//! What was found, for people and for programs.

use super::suspects::Row;
use crate::events::table::Table;
use serde_json::json;

/// An aligned table, and below it each violation.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&["INVARIANT", " CHECKED", " VIOLATIONS"]);
    for row in rows {
        table.row(vec![row.invariant.name(), row.checked.to_string(), row.violations.len().to_string()]);
    }
    let mut text = table.text();
    for row in rows {
        for violation in &row.violations {
            text += &format!(
                "\n{}: {}\n  expected  {}\n  found     {}\n",
                row.invariant.name(),
                violation.subject,
                violation.expected,
                violation.found
            );
        }
        for note in &row.notes {
            text += &format!("\n{}: note: {note}\n", row.invariant.name());
        }
    }
    text
}

pub fn json(rows: &[Row]) -> anyhow::Result<String> {
    let invariants = rows.iter().map(|row| {
        json!({
            "invariant": row.invariant.name(),
            "checked": row.checked,
            "violations": row.violations,
            "notes": row.notes,
        })
    });
    let count: usize = rows.iter().map(|row| row.violations.len()).sum();
    let report = json!({ "invariants": invariants.collect::<Vec<_>>(), "violations": count });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
