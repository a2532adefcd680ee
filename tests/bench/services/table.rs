//! Tables of Markdown, and the percentiles in them.

use std::time::Duration;

/// Prints the head of a table.
pub fn head(title: &str, columns: &[&str]) {
    println!("\n{title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

/// Prints a row.
pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Milliseconds within which this part of the latencies is.
pub fn percentile(latencies: &mut [Duration], part: f64) -> f64 {
    latencies.sort_unstable();
    let index = (latencies.len() as f64 * part) as usize;
    let latency = latencies.get(index.min(latencies.len().saturating_sub(1)));
    latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}

/// The median and the 99th percentile in milliseconds.
pub fn latencies(mut latencies: Vec<Duration>) -> [String; 2] {
    [0.5, 0.99].map(|part| format!("{:.1}", percentile(&mut latencies, part)))
}
