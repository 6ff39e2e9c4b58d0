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
