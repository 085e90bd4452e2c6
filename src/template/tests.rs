use super::*;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn needed(template: &str) -> Vec<String> {
    needs(template).expect(template).into_iter().collect()
}

fn wrong(template: &str) -> String {
    needs(template).expect_err(template).to_string()
}

#[test]
fn a_template_needs_what_it_uses_and_does_not_set_itself() {
    assert_eq!(needed("{{ draft }}\n---\n{{ input }}{{ draft | trim }}"), ["draft", "input"]);
    assert_eq!(needed("{% for line in input | lines %}{{ loop.index }} {{ line }}{% endfor %}"), ["input"]);
    assert_eq!(needed("{% set x = a %}{{ x }}{% if b %}{{ c }}{% endif %}{{ range(3) }}"), ["a", "b", "c"]);
    assert_eq!(needed("{# {{ no }} #}{% raw %}{{ no }}{% endraw %}"), [""; 0]);
}

#[test]
fn a_template_mentions_what_it_sets_from_itself_and_nothing_of_its_texts() {
    let mentioned = |template| mentions(template).into_iter().collect::<Vec<_>>();
    assert_eq!(mentioned("{% set draft = draft | trim %}{{ draft }}"), ["draft", "set", "trim"]);
    assert_eq!(mentioned("plain {{ 'no }} \\' no' ~ a_1 }} plain {# {{ no }} #}{{- \"é\" ~b-}} c"), ["a_1", "b"]);
    assert_eq!(mentioned("{% if {'a': x}['a'] %}{{ {} }} { c } {{ y"), ["if", "x", "y"]);
}

#[test]
fn what_makes_no_sense_is_found_without_values() {
    assert!(wrong("{{ draft").starts_with("syntax error: "), "{}", wrong("{{ draft"));
    assert!(wrong("a\n{% if %}\n").ends_with("(in its line 2)"));
    assert_eq!(wrong("{{ draft.text }}"), "`draft` is a text: it has no `text`");
    assert!(wrong("{{ draft | sumarize }}").contains("sumarize"));
    assert!(wrong("{% include 'other' %}").contains("include"), "{}", wrong("{% include 'other' %}"));
}

#[test]
fn a_value_is_never_rendered_or_escaped() {
    let given = values(&[("draft", "{{ input }} {% raw %} <b>&\"\n"), ("input", "secret")]);
    assert_eq!(render("[{{ draft }}]", &given).expect("good"), "[{{ input }} {% raw %} <b>&\"\n]");
}

#[test]
fn what_is_missing_is_an_error_and_no_empty_text() {
    assert!(render("{{ draft }}", &values(&[])).is_err());
    assert!(render("{% if draft %}{% endif %}", &values(&[])).is_err());
    assert!(render("{{ (input | lines)[7] }}", &values(&[("input", "one")])).is_err());
}

#[test]
fn what_would_take_all_memory_is_refused_at_once() {
    let began = std::time::Instant::now();
    let long = "word\n".repeat(1 << 18);
    let given = values(&[("input", &long)]);
    for template in [
        "{{ input | indent(2000000000) }}",
        "{{ input | indent(width=2000000000) }}",
        "{{ '%999999999s' | format('x') }}",
        "{{ '%*s' | format(999999999, 'x') }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 'a' * 99999999 }}",
        "{{ ['a'] * 99999999 }}",
        "{{ (['a'] * 99999999) | list }}",
        "{{ (['a'] * 99999999) | string }}",
        "{{ (['a' * 9999999] * 9999999) | join(',') }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ [1] | batch(999999999, 'x') | list }}",
        "{{ range(1000000000) }}",
        "{{ input | replace('', input) }}",
        "{% for i in range(99999) %}{{ input }}{% endfor %}",
        "{% set all %}{% for i in range(99999) %}{{ input }}{% endfor %}{% endset %}{{ all }}",
        "{% filter upper %}{% for i in range(99999) %}{{ input }}{% endfor %}{% endfilter %}",
        "{% set n = namespace(x=input) %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    ] {
        let error = render(template, &given).expect_err(template).to_string();
        let said = ["larger than 16 MiB", "too large", "too many", "unknown function"];
        assert!(said.iter().any(|said| error.contains(said)), "{template}: {error}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn what_is_nested_too_deep_to_be_read_is_refused() {
    for (start, part, end) in [
        ("{{ ", "not ", "1 }}"),
        ("{{ ", "-", "1 }}"),
        ("{{ a", ".b", " }}"),
        ("{{ a", "|upper", " }}"),
        ("{{ a", "[0]", " }}"),
        ("{{ 1", "+1", " }}"),
        ("{{ \"}}\"", " ~ 1", " }}"),
        ("{% if 0 %}", "{% elif 0 %}", "{% endif %}"),
    ] {
        let template = |times| format!("{start}{}{end}", part.repeat(times));
        assert!(wrong(&template(20_000)).contains("more than"), "{part}");
        assert!(Template::new(&template(20_000)).is_err(), "{part}");
        // As much as is not refused fits into the memory of a thread.
        let most = if part.starts_with("{%") { MOST_BRANCHES } else { LONGEST_TAG / part.trim().len() - 4 };
        drop(needs(&template(most)));
    }
    let long = "x".repeat(10_000);
    assert_eq!(render(&format!("{{{{ \"{long}\" }}}}"), &values(&[])).expect("a text"), long);
}

#[test]
fn what_fits_is_rendered_as_ever() {
    let given = values(&[("input", "a\nb")]);
    for (template, text) in [
        ("{{ input | indent(2, first=true) }}", "  a\n  b"),
        ("{{ '%5.1f%s' | format(2, input) }}", "  2.0a\nb"),
        ("{{ input | replace('a', 'xx') }}", "xx\nb"),
        ("{{ input | lines | join(', ') }}", "a, b"),
        ("{{ [1, 2, 3] | batch(2) | list }}", "[[1, 2], [3]]"),
        ("{% set all %}<{{ input }}>{% endset %}{{ all | string }}", "<a\nb>"),
    ] {
        assert_eq!(render(template, &given).expect(template), text);
    }
}

#[test]
fn filters_of_large_values_come_to_an_end() {
    let long = "word\n".repeat(1 << 16);
    for filters in ["(range(100000) | list) | length", "range(100000) | sort | first", "input | upper | length"] {
        let template = format!("{{% for i in range(100000) %}}{{{{ {filters} }}}}{{% endfor %}}");
        let error = render(&template, &values(&[("input", &long)])).expect_err(&template).to_string();
        assert!(error.contains("its filters take too long"), "{template}: {error}");
    }
    let often = "{% for line in input | lines %}{{ line | trim | upper }}{% endfor %}{{ input | lines | length }}";
    let template = Template::new(often).expect("good");
    let row = serde_json::json!({"input": long}).as_object().cloned().expect("an object");
    for _ in 0..3 {
        assert!(template.render(&row).expect("within the bounds").ends_with("WORD65536"));
    }
}

#[test]
fn the_null_of_a_row_is_no_text() {
    let row = serde_json::json!({"a": null, "b": 1, "c": false}).as_object().cloned().expect("an object");
    let text =
        |template: &str| Template::new(template).expect(template).render(&row).map_err(|error| error.to_string());
    assert!(
        text("{{ b }} {{ a }}").is_err_and(|error| error.contains("a value is null; `{{ x or '' }}` leaves it out"))
    );
    for (template, meant) in [
        ("{{ a or 'nothing' }}", "nothing"),
        ("{% if a %}{{ a }}{% else %}no{% endif %}", "no"),
        ("{% if a is none %}none{% endif %}", "none"),
        ("{{ b }} {{ c }}", "1 False"),
    ] {
        assert_eq!(text(template).as_deref(), Ok(meant), "{template}");
    }
}

#[test]
fn rendering_comes_to_an_end() {
    let nested = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}";
    assert!(render(nested, &values(&[])).expect_err("too much").to_string().contains("fuel"));
}
