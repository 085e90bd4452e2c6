use super::*;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn needed(template: &str) -> Vec<String> {
    needs(template).expect(template).into_iter().collect()
}

/// The text of a template that has all the time it needs: machines that are busy are slow.
fn in_any_time(template: &str, given: &BTreeMap<String, String>) -> Result<String, String> {
    let left = Left::until(std::time::Instant::now() + std::time::Duration::from_secs(600));
    let weighed = operators::weigh(template).map_err(|error| error.to_string())?.into_owned();
    let environment = limited(&weighed, &left);
    let mut text = Bounded::default();
    let compiled = environment.template_from_str(&weighed).map_err(|error| error.to_string())?;
    compiled.render_captured_to(given, &mut text).map_err(|error| explain(&error, template).to_string())?;
    String::from_utf8(text.0).map_err(|error| error.to_string())
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
fn the_filters_that_the_docs_call_missing_are_missing() {
    let docs = include_str!("../../docs/config.md");
    let (_, after) = docs.split_once("These of Jinja are missing: ").expect("a list");
    let missing: Vec<&str> = after.split_once(". ").expect("its end").0.split('`').skip(1).step_by(2).collect();
    assert!(missing.contains(&"tojson") && missing.contains(&"xmlattr"), "{missing:?}");
    for filter in missing {
        let text = wrong(&format!("{{{{ draft | {filter} }}}}"));
        assert!(text.contains(&format!("filter {filter} is unknown")), "{text}");
    }
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
        "{{ ('a' * 11000000) | map('list') | first }}",
        "{{ ('a' * 11000000) | map('split') | last }}",
        "{{ ('a' * 11000000) | groupby('x') | list | length }}",
        "{{ ('a' * 11000000) | zip([1]) | list | length }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ [1] | batch(999999999, 'x') | list }}",
        "{{ range(1000000000) }}",
        "{{ input | replace('', input) }}",
        "{% for i in range(99999) %}{{ input }}{% endfor %}",
        "{% set all %}{% for i in range(99999) %}{{ input }}{% endfor %}{% endset %}{{ all }}",
        "{% filter upper %}{% for i in range(99999) %}{{ input }}{% endfor %}{% endfilter %}",
        "{{ input ~ ('a' * 99999999) }}",
        "{{ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input ~ input }}",
        "{{ (['a' * 9999999] * 9999999) | safe }}",
        "{{ (['a' * 9999999] * 9999999) | e }}",
        "{% for i in range(99999) %}{% set x = ('<' * 9999999) | escape %}{% endfor %}",
        "{% set x = debug() %}{% set x = debug() %}",
        "{% set x = input ~ input %}{% set x = x ~ x %}{% set x = x ~ x %}{% set x = x ~ x %}{% set x = x ~ x %}",
        "{% with x = input + input %}{% with x = x + x %}{% with x = x + x %}{% with x = x + x %}{% endwith %}{% endwith %}{% endwith %}{% endwith %}",
        "{% for x in [input] recursive %}{{ loop([x ~ x]) }}{% endfor %}",
        "{% for x in ((1, 2), ) recursive %}{{ loop((x + x, )) }}{% endfor %}",
        "{% for x in ([1, 2], ) recursive %}{{ loop((x + x, )) }}{% endfor %}",
        "{% for i in range(99999) %}{% set x = input ~ i %}{% endfor %}",
        "{% set n = namespace(x=input) %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    ] {
        let error = in_any_time(template, &given).expect_err(template);
        let said = ["larger than 16 MiB", "too large", "too many", "make more than 256 MiB", "unknown function"];
        assert!(said.iter().any(|said| error.contains(said)), "{template}: {error}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(120), "{:?}", began.elapsed());
}

/// What the library itself makes of a template, with no limit.
fn unweighed(template: &str, given: &BTreeMap<String, String>) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let rendered = environment.template_from_str(template).and_then(|compiled| compiled.render(given));
    rendered.map_err(|error| explain(&error, template).to_string())
}

/// The operators are written anew, so they must mean what they meant, in every place where an expression can stand.
#[test]
fn what_operators_make_is_weighed_and_stays_what_it_was() {
    let given = values(&[("a", "é"), ("b", "w}}")]);
    for template in [
        "{{ a ~ b ~ 1 }}|{{- (a ~ b) | upper ~ ('x' ~ a)|length -}} |",
        "{{ 1 + 2 * 3 ~ 4 * 5 }} {{ 2 * (3 + 4) ** 2 }} {{ -2 + 3 }} {{ 'ab' * 2 + a }} {{ 7 * -2 // 3 % 4 }}",
        "{{ a ~ b if a == a ~ '' else b ~ a }}{{ a ~ a in [a ~ a, b] }}{{ not a ~ a == b }}",
        "{{ [a ~ b, 1 + 1][0 + 1] }}{{ {'k' ~ 1: a ~ b}['k' ~ 1] }}{{ (a ~ b)[0 + 1:] }}{{ (1 + 1, ) }}",
        "{{ (a ~ b).x is defined }}{{ a ~ b is eq (a ~ b) }}{{ 1 < 1 + 1 < 1 + 2 }}{{ a ~ b is not eq a ~ b }}",
        "{% set x = a ~ b %}{% set y | replace(a ~ b, a) %}{{ x ~ a }}{% endset %}{{ y ~ '' }}",
        "{% with z = a + b, y = a ~ b %}{{ z ~ y }}{% endwith %}{% set p, q = 1 + 1, a + b %}{{ p ~ q }}",
        "{% for c in a ~ a if c ~ '' == a %}{{ c ~ loop.index }}{% else %}{{ a ~ 1 }}{% endfor %}",
        "{% for c in [] + [] %}{% else %}{{ a ~ 1 }}{% endfor %}{% for c in [[a]] recursive %}{{ loop([]) ~ c }}{% endfor %}",
        "{% if a ~ b == b ~ a %}1{% elif 1 + 1 == 2 %}{{ a ~ 2 }}{% else %}{{ a ~ 3 }}{% endif %}",
        "{% filter replace(a ~ '', b ~ b) %}{{ a ~ a }}{% endfilter %}{% autoescape 1 + 1 == 2 %}{{ b ~ '<' }}{% endautoescape %}",
        "{{ a | replace(to=a ~ b, from=a + '') }}{{ range(1 + 1) | map('string') | join(*['a' ~ b]) }}",
        "{{ a ~\n b }}\n{{ a\n~ b\n}}{{ (a\n) ~ (\nb) }}{% raw %}{{ a ~ b }}{% endraw %}{# a ~ b #}{{ 'a ~ b' ~ '' }}",
        "{{ a ~ b }}\n{{ a ~ 1 + b }}",
        "{{ a ~ b }}\n{{ a ~ c }}",
        "{{ a ~ b }}\n{{ a + 1 }}",
    ] {
        let weighed = operators::weigh(template).expect(template);
        assert!(weighed.contains(operators::WEIGHED), "{template}");
        assert_eq!(
            render(template, &given).map_err(|error| error.to_string()),
            unweighed(template, &given),
            "{template}"
        );
    }
    for template in [
        "{% set x = a, b %}{{ x }}{% set y = (a, b) %}{{ y }}{% set z=a , %}{{ z }}{% set v = (a), (b), %}{{ v }}{% set w = (a), %}{{ w }}",
        "{% set p, q = a, [b, b] %}{{ p }}{{ q }}{% set (p, q), r = (a, b), [a] %}{{ p }}{{ q }}{{ r }}",
        "{% for x in [a, b] if x in [a, [b][0]] %}{{ x }}{% endfor %}{% for x, y in [(a, b)] %}{{ x }}{{ y }}{% endfor %}",
        "{{ [a, b][1] }}{{ [a, b][0:1] }}{{ {'k': a}.k }}{{ {a: b}[a] }}{{ (a, b)[0] }}{{ {'k': [a]}.k[0][0] }}{{ [a]|length }}",
        "{{ a is in [a, b] }}{{ a is in [a, [b]][1] }}{{ a is in {'k': [a]}.k }}{{ a is in ([a]) }}{{ a is not in [b] }}{{ a is in [a, b][0:1] }}",
        "{{ a == b }}{{ a < b }}{{ a in a }}{{ a not in b }}{{ not a in b }}{{ 1 < 2 < b|length }}{{ (a)|upper == (b) }}{{ (a or b) == (b and a) }}",
        "{{ (a if b else c) == (c if not a else b) }}{{ a is eq b == b is eq a }}{{ -1 == a|length }}{{ (a)[0] == a[-1] }}{{ a[0]|upper ~ b|lower }}",
        "{{ a[b|length - 5] }}{{ dict(a=a, b=[b]).b }}{{ dict(dict(a=a), b=b) }}{{ dict(**{'k': a}) }}{{ range(*[1, a|length]) }}",
        "{% for x in [a, a, b] %}{{ loop.changed(x, [x]) }}{{ loop.cycle(a, [b]) }}{% endfor %}",
        "{{ [[a, b], [b]]|map('join', a)|list }}{{ [a, b]|select('in', [a])|list }}{{ [a, b]|reject('==', b)|sort }}",
        "{{ [a, b]|upper }}{{ {'k': a}|replace(a, [b]) }}{{ [a]|indent(2, true) }}{{ [a, b]|title ~ [a] }}{{ '%s %s'|format([a], b) }}",
        "{{ [{'k': a}, {'k': b}]|groupby('k') }}{{ [a]|zip([b])|list }}{{ [a]|chain([b])|list }}{{ [a]|batch(2, [b])|list }}{{ {'k': a}|items|list }}",
        "{{ [[a], [b]]|sum(start=[]) }}{{ [a, b]|min }}{{ [[a], [a]]|unique }}{{ [{'k': a}]|map(attribute='j', default=b)|list }}",
        "{{ [a\n, b] }}\n{{ [a, b]\n== c }}",
        "{{ [a] * 2 }}{{ [1, 2] * 3 }}{{ 2 * [a] * 2 }}{{ (2 + 3) * 4 * (1 + 1) ** 2 }}{{ -2 * -(-3) }}{{ ('a' ~ 'b') * 2 }}{{ ([1] + [2]) * 2 }}",
        "{{ (a if b else 3) * 2 }}{{ 2 * (c is defined) }}{{ [[1], 2]. 0[0] * 3 }}",
        "{{ a[0] }}{{ b[:] }}{{ b[::] }}{{ b[1:] }}{{ b[:-1] }}{{ b[::2] }}{{ (a)[:] }}{{ (a|upper)[0:1][:] }}{{ [[a, b], b].0.1 }}",
        "{{ a is eq a[:] }}{{ a is in [b, a][0][0] }}{{ a is in (b[:]) }}{{ [a, b][:][1:]|join }}{{ b[a|length : 2] }}",
        "{% for x in [a, b] %}{{ loop.cycle(*[x, 1]) }}{{ loop.cycle(a) }}{{ loop.cycle(x=a) }}{% endfor %}",
        "{{ c == 1 }}",
        "{{ 1 == c }}",
        "{{ c in a }}",
        "{{ a in c }}",
        "{{ c ~ a }}",
        "{{ [c] }}",
        "{{ c is eq a }}",
        "{{ a is in c }}",
        "{{ [a][c] }}",
        "{{ dict(k=c) }}",
        "{{ c|upper }}",
        "{{ [c]|join }}",
        "{{ dict(1) }}",
        "{{ a is eq }}",
        "{{ a is startingwith([a]) }}",
    ] {
        assert_eq!(
            render(template, &given).map_err(|error| error.to_string()),
            unweighed(template, &given),
            "{template}: {:?}",
            operators::weigh(template)
        );
    }
    let chain = format!("{{{{ a{} }}}}", " ~ b ~ (a)".repeat(150));
    assert_eq!(render(&chain, &given).map_err(|error| error.to_string()), unweighed(&chain, &given));
    let plain = "{{ a }} {{ 3 - 1 }}{% raw %}{{ a ~ b }}{% endraw %}{# a ~ b #}{{ 'a ~ b' }}";
    assert_eq!(operators::weigh(plain).expect("a template"), plain);
}

proptest::proptest! {
    #[test]
    fn every_expression_stays_what_it_was(expression in expression()) {
        let given = values(&[("a", "é"), ("b", "12")]);
        let template = format!("{{{{ {expression} }}}}");
        let made = render(&template, &given).map_err(|error| error.to_string());
        let is_product_of_tuple = made.as_ref().is_err_and(|error| error.contains("a tuple cannot be multiplied"));
        proptest::prop_assume!(!is_product_of_tuple);
        proptest::prop_assert_eq!(made, unweighed(&template, &given), "{}", template);
    }
}

/// Expressions of texts, numbers and lists with all kinds of operators, with and without parentheses.
fn expression() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let part = prop_oneof![Just("a"), Just("b"), Just("3"), Just("-2"), Just("'é'"), Just("[a, 1]"), Just("c")];
    part.prop_map(str::to_owned).prop_recursive(5, 40, 3, |inner| {
        let operator = prop_oneof![
            Just(" ~ "),
            Just("~"),
            Just(" + "),
            Just("*"),
            Just(" - "),
            Just(" ** "),
            Just(" in "),
            Just(" == "),
            Just(" < "),
            Just(" and "),
            Just(" or "),
            Just(" is eq "),
            Just(" is in "),
            Just(" not in "),
            Just(" > "),
            Just(" if a else "),
        ];
        let two = (inner.clone(), operator, inner.clone()).prop_map(|(left, operator, right)| left + operator + &right);
        let form = prop_oneof![
            Just("(@)"),
            Just("(@)|string"),
            Just("(@)[0]"),
            Just("(@)[0:1]"),
            Just("(not @)"),
            Just("-(@)"),
            Just("[@]"),
            Just("(@) is defined"),
            Just("{'k': @}.k"),
            Just("((@), 1)"),
            Just("[@, a][0]"),
            Just("(a, @)"),
            Just("(@) is in [@, a]"),
            Just("b is eq [@][0]"),
            Just("{(@): @}[@]"),
            Just("dict(k=@).k"),
            Just("(@ if b else [@])"),
            Just("[@, [@]]|upper"),
            Just("(@)|replace(@, b ~ '')"),
        ];
        prop_oneof![3 => two, 2 => (inner, form).prop_map(|(inner, form)| form.replace('@', &inner))]
    })
}

/// Lists that hold a list twice are small, and have 2^40 items when they are printed or compared.
#[test]
fn lists_that_share_their_items_are_as_large_as_they_are_printed() {
    let began = std::time::Instant::now();
    let given = values(&[("input", &"x".repeat(1 << 20))]);
    for (place, doubled) in [
        "{% set a = [a, a] %}",
        "{% set a = (a, a) %}",
        "{% set a = a, a %}",
        "{% set a = (a), (a), %}",
        "{% set a, b = [a, a], 1 %}",
        "{% set a = {'k': a, 'l': a} %}",
        "{% set a = {a: a} %}",
        "{% set a = dict(k=a, l=a) %}",
        "{% set a = dict(**{'k': a, 'l': a}) %}",
        "{% set a = a + a %}",
        "{% set a = [a] * 2 %}",
        "{% set a = [a] + [a] %}",
        "{% set a = [[a] * 2][0] %}",
        "{% set a = [1]|batch(3, a)|list %}",
        "{% set a = [1]|slice(3, a)|list %}",
        "{% set a = a|zip(a)|list %}",
        "{% set a = a|chain(a) %}",
        "{% set a = [a]|chain([a]) %}",
        "{% set a = [a]|zip([a]) %}",
        "{% set a = [{'k': a, 'l': a}]|groupby('k') %}",
        "{% set a = [1, 2]|map(attribute='k', default=a)|list %}",
        "{% set a = ([a, a] if input else 1) %}",
        "{% set a = input and [a, a] %}",
        "{% set a = [a, a]|first or [a, a] %}{% set a = [a, a] %}",
        "{% set a = [a, a][0:2] %}",
        "{% set a = [a] %}{% set a = a|sum(start=a) %}",
        "{% set a = [[a]]|map('batch', 2, a)|list %}",
    ]
    .into_iter()
    .enumerate()
    {
        // Counting items takes longer than counting the bytes of texts.
        let starts = ["{% set a = [input] %}", "{% set a = ['x'] %}"];
        for start in &starts[..if place < 3 { 2 } else { 1 }] {
            let template = format!("{start}{}{{{{ a == 1 }}}}", doubled.repeat(60));
            let error = render(&template, &given).expect_err(doubled).to_string();
            assert!(error.contains("larger than 16 MiB"), "{doubled}: {error}");
        }
    }
    for template in [
        "{% for a in [[1]] recursive %}{{ loop([[a, a]]) }}{% endfor %}",
        "{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}",
        "{% for a in [[1]] recursive %}{% with a = [a, a] %}{{ loop([a]) }}{% endwith %}{% endfor %}",
    ] {
        let error = render(template, &given).expect_err(template).to_string();
        assert!(error.contains("larger than 16 MiB") || error.contains("recursion"), "{template}: {error}");
    }
    let deep = format!("{{% set a = [input] %}}{}", "{% set a = [a] %}".repeat(20_000));
    let error = render(&deep, &given).expect_err("too deep").to_string();
    assert!(error.contains("larger than 16 MiB"), "{error}");
    assert!(began.elapsed() < std::time::Duration::from_secs(120), "{:?}", began.elapsed());
}

/// A list that is just small enough is not made a larger text, and not compared without an end.
#[test]
fn what_is_made_of_the_largest_lists_is_limited() {
    let began = std::time::Instant::now();
    // 15 MiB of characters that are printed in six bytes each.
    let given = values(&[("input", &"\u{1}".repeat(15 << 20))]);
    for used in [
        "a ~ a",
        "'x' ~ a",
        "[input] ~ ''",
        "(a or 1) ~ 1",
        "a|upper",
        "a|lower",
        "a|title",
        "a|capitalize",
        "a|trim",
        "a|indent",
        "a|replace('x', 'y')",
        "'x'|replace('x', a)",
        "'x'|replace(a, 'y')",
        "'x'|trim(a)",
        "[a]|map('upper')|list",
        "[a]|join",
        "[1, 2]|join(a)",
        "a|string",
        "a|escape",
        "a|pprint",
        "a * 60 ~ ''",
        "'' ~ a * 60",
        "(a + a) * 30 ~ '' ~ ''",
        "'%s'|format(a)",
        "'%(k)s%(k)s'|format({'k': input})",
        "'%s%s'|format(input, input)",
        "a is startingwith 'x'",
        "'x' is endingwith a",
        "'x' is in a|string",
        "[a]|select('startingwith', 'x')|list",
    ] {
        let template = format!("{{% set a = [input] %}}{{% set x = {used} %}}");
        let error = render(&template, &given).expect_err(used).to_string();
        assert!(error.contains("larger than 16 MiB"), "{used}: {error}");
    }
    let lists = "{% set a = (range(2000)|list) + [1] %}{% set b = (range(2000)|list) + [2] %}";
    for used in [
        "a == b",
        "a != b",
        "a < b",
        "a in [b]",
        "b in a",
        "'x' not in a",
        "1 < a < b",
        "{a: 1}[b]",
        "a is eq b",
        "a is in [b]",
        "[b, a]|sort|length",
        "[b, a]|min|length",
        "[b, a]|max|length",
        "[b, a]|unique|length",
        "[{'k': b}, {'k': a}]|groupby('k')|length",
        "[b, a]|select('eq', a)|length",
        "[b, a]|reject('in', [a])|list|length",
        "[{'k': a}]|selectattr('k', 'lt', b)|list|length",
        "{'k': a, 'l': b}|dictsort(by='value')|length",
        "loop.changed(a[0:2000])",
        "dict(k=a).k == b",
        "(a if i else b) == b",
    ] {
        let template = format!("{lists}{{% for i in range(100000) %}}{{% set x = {used} %}}{{% endfor %}}");
        let left = Left::new();
        left.take_work("", 0, limits::MOST_WORK - (4 << 20)).expect("as much is left");
        let weighed = operators::weigh(&template).expect(used);
        let environment = limited(&weighed, &left);
        let error = environment.render_str(&weighed, &given).expect_err(used).to_string();
        assert!(error.contains("take too long"), "{used}: {error}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(120), "{:?}", began.elapsed());
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
fn the_items_of_a_split_text_are_counted_before_they_are_made() {
    let environment = minijinja::Environment::new();
    for (text, filter, arguments) in [
        ("", "lines", "[]"),
        ("a\nb\r\nc\n", "lines", "[]"),
        ("", "split", "[]"),
        (" a  b\nc ", "split", "[]"),
        ("a,b,,c,", "split", "[',']"),
        ("abc", "split", "['']"),
        ("a,b,,c,", "split", "[',', 2]"),
        ("a b c d", "split", "[none, 1]"),
        ("a,b", "split", "[',', -1]"),
    ] {
        let arguments = environment.compile_expression(arguments).expect(arguments).eval(()).expect(arguments);
        let mut all = vec![minijinja::Value::from(text)];
        all.extend(arguments.try_iter().expect("a list"));
        let mut state = environment.empty_state();
        let made = state.apply_filter(filter, &all).expect(filter).len().expect("a list");
        let counted = limits::size_of_result(filter, &all);
        assert_eq!(counted, made * size_of::<minijinja::Value>(), "{text:?} {filter} {arguments}");
    }
}

#[test]
fn filters_of_large_values_come_to_an_end() {
    let long = "word\n".repeat(1 << 16);
    for filters in
        ["input is lower", "(range(100000) | list) | length", "range(100000) | sort | first", "input | upper | length"]
    {
        let template = format!("{{% for i in range(100000) %}}{{{{ {filters} }}}}{{% endfor %}}");
        let error = render(&template, &values(&[("input", &long)])).expect_err(&template).to_string();
        let said = ["take too long", "make more than 256 MiB"];
        assert!(said.iter().any(|said| error.contains(said)), "{template}: {error}");
    }
    let often = "{% for line in input | lines %}{{ line | trim | upper }}{% endfor %}{{ input | lines | length }}";
    let template = Template::new(often).expect("good");
    let row = serde_json::json!({"input": long}).as_object().cloned().expect("an object");
    for _ in 0..3 {
        assert!(template.render(&row).expect("within the bounds").ends_with("WORD65536"));
    }
}

#[test]
fn a_cycle_of_nothing_is_an_error_with_its_line() {
    for arguments in ["", "*[]", "*''|list", " ", "**{}"] {
        for tag in [format!("{{{{ loop.cycle({arguments}) }}}}"), format!("{{% do loop.cycle({arguments}) %}}")] {
            let template = format!("a\n{{% for x in [1] %}}{tag}{{% endfor %}}");
            let error = render(&template, &values(&[])).expect_err(&template).to_string();
            assert!(error.contains("`cycle` needs something to choose from (in its line 2)"), "{template}: {error}");
        }
    }
}

#[test]
fn what_is_late_ends_wherever_a_template_goes_through_a_text() {
    let given = values(&[("a", "abc")]);
    for used in ["a[1:]", "a[:]", "a[::-1]", "a[2]", "a[-1]", "a == 'b'", "a in 'abcd'", "'b' in a", "a|upper"] {
        for (left, ends) in [(Left::new(), false), (Left::until(std::time::Instant::now()), true)] {
            let weighed = operators::weigh(&format!("{{% set x = {used} %}}")).expect(used).into_owned();
            let rendered = limited(&weighed, &left).render_str(&weighed, &given);
            assert_eq!(rendered.is_err_and(|error| error.to_string().contains("take too long")), ends, "{used}");
        }
    }
}

#[test]
fn variables_together_are_limited() {
    let tags = |tag: &str| (0..60).map(|n| tag.replace('@', &n.to_string())).collect::<String>();
    for template in [
        tags("{% set b@ = 'x' * 16000000 %}"),
        format!("{{% set a = range(100000)|list %}}{}", tags("{% set b@ = a|zip(a, a, a, a)|list %}")),
        format!("{{% set a = ('x' * 100 ~ '\n') * 150000 %}}{}", tags("{% set b@ = a|lines %}")),
        tags("{% set b@ = ('x' * 100000)|batch(1)|list %}"),
        tags("{% set b@ = ('a' ~ 'b') * (2 ** 22) %}"),
        tags("{% set b@ = 8000000 * ('x' ~ 'y') %}"),
    ] {
        let error = in_any_time(&template, &values(&[])).expect_err(&template);
        assert!(error.contains("make more than 256 MiB together"), "{template}: {error}");
    }
}

#[test]
fn a_tuple_is_not_multiplied() {
    for used in
        ["(1, 2) * (2 ** 25)", "((1, 2)) * 99999999", "99999999 * (a, a)", "t * 3", "(t + t) * 3", "3 * (t + t)"]
    {
        let template = format!("{{% set t = (a, 1) %}}{{{{ ({used})|length }}}}");
        let error = render(&template, &values(&[("a", "x")])).expect_err(&template).to_string();
        assert!(error.contains("a tuple cannot be multiplied here"), "{template}: {error}");
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

#[test]
fn what_the_engine_panics_over_is_an_error_of_the_template() {
    let values = values(&[("a", "x")]);
    for template in [
        "{{ [1|chain([2]), 3|chain([4])]|sort }}",
        "{{ range(3)|map('chain', [1])|unique|list }}",
        "{{ [1]|chain(2)|list }}",
    ] {
        let error = render(template, &values).expect_err(template).to_string();
        assert!(error.contains("not iterable"), "{template}: {error}");
    }
    assert_eq!(render("{{ a|chain('y', {'k': 1})|join(',') }}", &values).as_deref(), Ok("x,y,k"));
    for template in
        ["{{ 6 is divisibleby(0) }}", "{{ a is divisibleby(a|length - 1) }}", "{{ [6]|select('divisibleby', 0)|list }}"]
    {
        let error = render(template, &values).map_err(|error| error.to_string());
        assert!(error.as_ref().is_ok_and(|text| text == "False") || error.is_err(), "{template}: {error:?}");
    }
    let fault = guarded(|| -> Result<(), minijinja::Error> { panic!("{}", is_guarded()) });
    assert!(fault.is_err_and(|error| error.to_string().contains("templates cannot do this")));
    assert!(!is_guarded());
}

#[test]
fn what_filters_make_of_their_values_counts_also_where_it_is_no_larger() {
    let kept = |value: &str, used: &str, times: usize| {
        let sets: String = (0..times).map(|n| format!("{{% set s{n} = {used} %}}")).collect();
        render(&format!("{{% set v = {value} %}}{sets}{{{{ s1|length }}}}"), &values(&[]))
            .map_err(|error| error.to_string())
    };
    for (value, used) in [
        ("'ab ' * 3000000", "v|trim"),
        ("'ab ' * 3000000", "v|reverse"),
        ("range(100000)|list", "v|sort"),
        ("range(100000)|list", "v|select"),
        ("range(100000)|list", "v|rejectattr('x')"),
    ] {
        let error = kept(value, used, 110).expect_err(used);
        assert!(
            error.contains("make more than 256 MiB together") || error.contains("take too long"),
            "{used}: {error}"
        );
        assert!(kept(value, used, 3).is_ok(), "{used}");
    }
    assert!(kept("['ab ' * 3000000]", "v|last", 110).is_ok(), "it is the same text");
    let error = kept("[{'a': 1}] * 100000", "v|sort(attribute='a,' * 3000)", 1).expect_err("a key for each attribute");
    assert!(error.contains("larger than 16 MiB"), "{error}");
    assert!(kept("[{'a': 1}] * 1000", "v|sort(attribute='a,b')", 2).is_ok());
}
