//! Tests of the YAML reader: values with their places, and every diagnostic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "t.yaml".into(), text: text.into() })
}

fn spans(value: &Value, out: &mut Vec<String>) {
    out.push(format!("{:?}", value.origin.as_ref().unwrap().text()));
    match &value.data {
        Data::Seq(items) => items.iter().for_each(|v| spans(v, out)),
        Data::Map(map) => {
            for (key, v) in map {
                out.push(format!("key {:?}", value.key_origin(key).unwrap().text()));
                spans(v, out);
            }
        }
        _ => {}
    }
}

#[test]
fn every_value_and_key_has_its_place() {
    let text = "# hé\na: 'x'\nb:\n  - 0644\n  - {c: \"d\\n\", e: [1, 2] }\nf: |\n  one\n   two\n\ng: >-\n  x\n  y\nh:\n";
    let value = parse(&source(text)).unwrap();
    let mut out = Vec::new();
    spans(&value, &mut out);
    insta::assert_snapshot!(out.join(" · "), @"");
}

/// A failing document, as the user would see it.
fn failure(text: &str) -> String {
    match parse(&source(text)) {
        Err(problems) => problems.render(false),
        Ok(value) => format!("{value:?}"),
    }
}

#[test]
fn plain_scalars_have_the_types_of_yaml_1_2() {
    let data = |text: &str| parse(&source(text)).unwrap().data;
    for text in ["yes", "no", "on", "off", "1.2.3", "0x", "1e", "2026-01-02", "12:30", "+-1", "99999999999999999999", "--1", "1_000", "e3", "."] {
        assert_eq!(data(text), Data::Str(text.into()), "{text}");
    }
    for (text, number) in [("0644", 644), ("0o644", 0o644), ("0x1F", 31), ("-7", -7), ("+7", 7)] {
        assert_eq!(data(text), Data::Int(number), "{text}");
    }
    for (text, number) in [("1.5", 1.5), ("-.5", -0.5), ("1e3", 1000.0), ("1.10", 1.1)] {
        assert_eq!(data(text), Data::Float(number), "{text}");
    }
    for text in ["", "~", "null", "# only a comment", "---"] {
        assert_eq!(data(text), Data::Null, "{text}");
    }
    assert_eq!(data("True"), Data::Bool(true));
    assert_eq!(data("'true'"), Data::Str("true".into()));
    assert_eq!(data("!!str 12"), Data::Str("12".into()));
    assert_eq!(parse(&source("a: 1.10")).unwrap().get("a").unwrap().written(), Some("1.10"));
}

#[test]
fn keys_are_texts_and_merges_are_followed() {
    let value = parse(&source("base: &b {x: 1, y: 2}\n80: a\ntrue: b\nmore: {<<: *b, y: 3}\nsame: *b\n")).unwrap();
    assert_eq!(value.as_map().unwrap().keys().collect::<Vec<_>>(), ["base", "80", "true", "more", "same"]);
    let more = value.get("more").unwrap();
    assert_eq!((more.get("x"), more.get("y")), (Some(&Value::from(1)), Some(&Value::from(3))));
    assert_eq!(more.key_origin("x").unwrap().to_string(), "t.yaml:1:11");
    assert_eq!(value.get("same"), value.get("base"));
}

#[test]
fn all_duplicate_keys_are_told() {
    insta::assert_snapshot!(failure("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n"), @"");
}

#[test]
fn syntax_errors_have_a_place_and_a_hint() {
    insta::assert_snapshot!(failure("a:\n\t- b\n"), @"");
    insta::assert_snapshot!(failure("name: {{ x }}\n"), @"");
    insta::assert_snapshot!(failure("name: {{ x }}/bin\n"), @"");
    insta::assert_snapshot!(failure("- {{ x | default(\"a\") }}\n"), @"");
    insta::assert_snapshot!(failure("a: 1\nb:2\n"), @"");
    insta::assert_snapshot!(failure("a: b: c\n"), @"");
    insta::assert_snapshot!(failure("a: 'x\n"), @"");
    insta::assert_snapshot!(failure("a: [1, 2\nb: 3\n"), @"");
    insta::assert_snapshot!(failure("a: 1\n b: 2\n"), @"");
    insta::assert_snapshot!(failure("a: *gone\n"), @"");
    insta::assert_snapshot!(failure("a: 1\n---\nb: 2\n"), @"");
    insta::assert_snapshot!(failure("a: !vault x\n"), @"");
    insta::assert_snapshot!(failure("? [a, b]\n: 1\n"), @"");
    insta::assert_snapshot!(failure(": 1\n"), @"");
    insta::assert_snapshot!(failure("a: \"\\q\"\n"), @"");
    insta::assert_snapshot!(failure("a: @x\n"), @"");
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for n in 1..40 {
        bomb.push_str(&format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
    }
    assert!(failure(&bomb).starts_with("error: the aliases of this file make more than 100000 values"));
    let mut tower = String::from("a0: &a0 [x]\n");
    for n in 1..200 {
        tower.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
    }
    assert!(failure(&tower).starts_with("error: lists and maps are nested more than 100 deep"));
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", "")] {
        let text = format!("{}x{}", open.repeat(5000), close.repeat(5000));
        assert!(failure(&text).contains("nested"), "{open}");
    }
    assert!(failure("a: &a [*a]\n").starts_with("error: "));
}

#[test]
fn what_is_written_reads_the_same() {
    let text = "a: [1, '2', 1.5, ~, true, 'true', 'no', '0644', '', ' x', \"l1\\nl2\\n\", 'a: b', '# c', '{{ x }}', '*a', '1e3']\nb: {}\nc: []\n'80': x\n'null': y\n";
    let value = parse(&source(text)).unwrap();
    let written = to_yaml(&value);
    assert_eq!(parse(&source(&written)).unwrap(), value, "{written}");
}

proptest::proptest! {
    #[test]
    fn any_text_survives_writing(text in "\\PC*|[ -~\\n\\t]*") {
        let value = Value::from(vec![Value::from(text)]);
        let written = to_yaml(&value);
        proptest::prop_assert_eq!(parse(&source(&written)).unwrap(), value, "{}", written);
    }

    #[test]
    fn nothing_panics_and_every_place_is_within(text in "[-a:{}\\[\\]&*!|>'\"%#@ü \\n\\t,?~0.]{0,60}") {
        if let Err(problems) = parse(&source(&text)) {
            proptest::prop_assert!(!problems.render(false).is_empty());
            proptest::prop_assert!(problems.0.iter().all(|p| p.hint.is_some()));
        }
    }
}
