//! Usage as one web page with a bar a group, which loads nothing and runs nothing.

use std::fmt::Write;

use super::escape::html;
use super::format::UNKNOWN;
use super::leaks::leaks;
use super::page;
use super::usage::{figures, heading, share};
use crate::ledger::{Dimension, Usage};

const BARS: &str = ".bar { height: .8em; min-width: 1px; background: currentColor; opacity: .55; border-radius: 2px }\n\
                    td.chart { width: 12em }\n";

/// The page. Everything that comes from elsewhere is text in it.
pub fn page(usage: &Usage, by: &[Dimension]) -> String {
    let mut page = String::from("<header>\n<h1>Usage</h1>\n</header>\n<div class=\"scroll\">\n<table>\n<thead>\n<tr>");
    let (headings, rows) = figures(usage);
    for dimension in by {
        _ = write!(page, "<th scope=\"col\">{}</th>", html(&heading(dimension)));
    }
    page.push_str("<th scope=\"col\">share of cost</th>");
    for heading in &headings {
        _ = write!(page, "<th scope=\"col\" class=\"number\">{heading}</th>");
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    for (n, row) in rows.iter().enumerate() {
        page.push_str("<tr>");
        match usage.groups.get(n) {
            Some(group) => {
                for key in &group.key {
                    _ = write!(page, "<th scope=\"row\">{}</th>", html(key.as_deref().unwrap_or(UNKNOWN)));
                }
                let width = share(group, usage).unwrap_or(0.0) * 100.0;
                _ = write!(page, "<td class=\"chart\"><div class=\"bar\" style=\"width: {width:.1}%\"></div></td>");
            }
            None => {
                _ = write!(page, "<th scope=\"row\" colspan=\"{}\">total</th><td></td>", by.len().max(1));
            }
        }
        for cell in row {
            _ = write!(page, "<td class=\"number\">{}</td>", html(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
    for leak in leaks(usage) {
        _ = writeln!(page, "<p>{}</p>", html(&leak));
    }
    page::page("Usage of language models", BARS, &page)
}
