//! Usage as a Markdown table and a list.

use super::{figures, heading, leaks};
use crate::ledger::{Dimension, Usage};
use crate::report::escape;
use crate::report::format::UNKNOWN;

/// A table and a list.
pub fn markdown(usage: &Usage, by: &[Dimension]) -> String {
    let (headings, rows) = figures(usage);
    let names: Vec<String> = by.iter().map(heading).collect();
    let mut page = format!("| {} | {} |\n", names.join(" | "), headings.join(" | "));
    page.push_str(&format!("|{}{}\n", "---|".repeat(by.len()), "---:|".repeat(headings.len())));
    for (n, row) in rows.iter().enumerate() {
        let keys: Vec<String> = match usage.groups.get(n) {
            Some(group) => {
                let key = |key: &Option<String>| escape::markdown_line(key.as_deref().unwrap_or(UNKNOWN));
                group.key.iter().map(key).collect()
            }
            None => (0..by.len()).map(|n| if n == 0 { "**total**".to_owned() } else { String::new() }).collect(),
        };
        page.push_str(&format!("| {} | {} |\n", keys.join(" | "), row.join(" | ")));
    }
    for (n, leak) in leaks(usage).iter().enumerate() {
        page.push_str(&format!("{}- {}\n", if n == 0 { "\n" } else { "" }, escape::markdown_line(leak)));
    }
    page
}
