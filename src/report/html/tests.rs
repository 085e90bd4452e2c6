use super::*;
use crate::report::samples::{HOSTILE, failed, record, three, truncated};

/// Every tag of a page, as it is written. Text in it cannot hold `<`, so a tag is all between `<` and `>`.
fn tags(page: &str) -> Vec<&str> {
    let body = page.split_once("</style>").map_or(page, |(_, body)| body);
    body.split('<').skip(1).map(|piece| piece.split('>').next().unwrap_or_default()).collect()
}

const OURS: &[&str] = &[
    "main",
    "header",
    "h1",
    "h2",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "td",
    "pre",
    "b",
    "details",
    "summary",
    "article",
    "footer",
    "body",
    "p",
    "h3",
    "h5",
    "code",
    "hr",
    "section class=\"answers\"",
    "section class=\"answers pairs\"",
    "div class=\"prose\"",
    "details class=\"raw\"",
    "div class=\"scroll\"",
    "div class=\"text\"",
    "div class=\"text prompt\"",
    "div class=\"text quiet\"",
    "span class=\"quiet\"",
    "span class=\"badge ok\"",
    "span class=\"badge warn\"",
    "span class=\"badge bad\"",
    "p class=\"mark\"",
    "th scope=\"col\"",
    "th scope=\"col\" class=\"number\"",
    "th scope=\"row\"",
    "td class=\"number\"",
    "td class=\"number best\"",
    "td class=\"note\"",
];

#[test]
fn whatever_is_said_is_inert_text() {
    let attack = format!(
        "</script></style></pre><script>alert(1)</script><img src=x onerror=alert(1)>\
         \"><a href='javascript:alert(1)'>x</a><!-- {HOSTILE}\n```<svg/onload=x>\n<b>"
    );
    let mut records = vec![record(&attack, &attack), failed(&attack), truncated(&attack)];
    records[0].reasoning.clone_from(&attack);
    records[0].answered_by = Some(attack.clone());
    records[0].tool_calls = vec![ToolCall { id: attack.clone(), name: attack.clone(), arguments: attack.clone() }];
    if let Some(error) = &mut records[1].error {
        error.message.clone_from(&attack);
    }
    let long = attack.repeat(10);
    let page = comparison(&Comparison::new(&attack, &long, &records)).expect("a page").to_string();
    for tag in tags(&page) {
        let ours = match tag.strip_prefix('/') {
            Some(name) => {
                ["html", "head"].contains(&name) || OURS.iter().any(|our| our.split(' ').next() == Some(name))
            }
            None => OURS.contains(&tag),
        };
        assert!(ours, "<{tag}>");
    }
    let head = page.split_once("<style>").map_or("", |(head, _)| head);
    assert_eq!(head.matches('<').count(), 9, "{head}");
    assert!(head.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn every_tag_is_closed() {
    let mut records = three();
    records[0].text = "prose\n```rs\nlet x = 1 < 2;\n```\nmore\n~~~\nopen".into();
    records.push(failed("down"));
    let page = comparison(&Comparison::new("run", "prompt", &records)).expect("a page").to_string();
    let mut open = vec!["body"];
    for tag in tags(&page).into_iter().skip(2) {
        let name = tag.split(' ').next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some("html") => {}
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if name == "body" => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    assert!(page.contains("<pre><span class=\"quiet\">rs</span>\nlet x = 1 &lt; 2;\n</pre>"), "{page}");
}

#[test]
fn the_figures_are_those_of_the_table() {
    let records = three();
    let page = comparison(&Comparison::new("run", "prompt", &records)).expect("a page").to_string();
    assert!(page.contains("<td class=\"number best\">198 ms</td>"), "{page}");
    assert!(page.contains("<td class=\"note\">retried once (429)</td>"));
    let total = "<th scope=\"row\">total</th><td class=\"number\"></td><td class=\"number\">2.2 s</td>\
                 <td class=\"number\"></td><td class=\"number\">42</td><td class=\"number\">25</td>\
                 <td class=\"number\">~$0.000205</td><td></td>";
    assert!(page.contains(total), "{page}");
}

#[test]
fn nothing_is_loaded() {
    let page = comparison(&Comparison::new("run", "prompt", &three())).expect("a page").to_string();
    for word in ["http://", "https://", "url(", "@import", "src=\"", "href=\""] {
        assert!(!page.contains(word), "{word}");
    }
}

/// A page in which this text stands wherever text of others can.
fn hostile_page(attack: &str) -> String {
    let mut records = vec![record(attack, attack), failed(attack), truncated(attack)];
    records[0].reasoning = attack.to_owned();
    records[0].text = format!("{attack}\n```{attack}\n{attack}\n```\n{attack}");
    comparison(&Comparison::new(attack, attack, &records)).expect("a page").to_string()
}

// T17
#[test]
fn nobody_can_close_a_tag_or_begin_an_attribute() {
    let plain = hostile_page("harmless");
    for attack in [
        "</script><script>alert(1)</script>",
        "</style></title></pre></article>",
        "\" onmouseover=\"alert(1)\" x=\"",
        "' style='background: url(//x.example)'",
        "javascript:alert(1)",
        "[x](javascript:alert(1)) ![x](https://x.example/x.png)",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<img src=x onerror=alert(1)>",
        "<!-- ",
        "]]>",
        "<![CDATA[",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "\u{0}<\u{0}script>",
        "{{ 7 * 7 }}{% autoescape false %}{{ prompt.text | safe }}",
    ] {
        let page = hostile_page(attack);
        assert_eq!(tags(&page), tags(&plain), "{attack}");
        assert_eq!(page.matches("<").count(), plain.matches("<").count(), "{attack}");
    }
}

#[test]
fn code_that_begins_with_an_empty_line_keeps_it() {
    let records = [record("m", "```\n\nx\n```")];
    let page = comparison(&Comparison::new("run", "prompt", &records)).expect("a page").to_string();
    // A browser drops one line break after the tag.
    assert!(page.contains("<pre>\n\nx\n</pre>"), "{page}");
}
