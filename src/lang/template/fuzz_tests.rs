//! Random templates: never a panic, never a secret in an error, every problem with a hint.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::lang::source::Source;
use crate::lang::yaml;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{{", "}}", "{%", "%}", "{#", "#}", " ", "\n", "a", "b", "c", "c.d", "c.e", "s", "l", "range(3)", "[0]", "[", "]", "(", ")",
        "|", "if", "endif", "for", "in", "endfor", "set", "=", "==", "+", "*", "-", "~", "9999999999", "-1", "0.5", "'x'", "\"", "'",
        "network", "host(3)", "to_yaml", "from_yaml", "to_json", "from_json", "b64decode", "int", "join", "items", "is", "defined",
        "default('ü')", "include", "macro m()", "endmacro", "raw", "endraw", "indent(2)", "hash", "regex_replace('(', s)", ",", ".", ":", "{", "}", "ü",
    ]);
    prop::collection::vec(word, 0..14).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn random_templates_end_well(text in prop_oneof![words(), words().prop_map(|w| format!("{{{{ {w} }}}}")), words().prop_map(|w| format!("{{{{ s | {w} }}}}"))]) {
        let source = Arc::new(Source { name: "v.yaml".into(), text: "a: 1\nb: [x, '{{ a }}', '{{ b }}']\nc: {d: 10.0.0.1/8, e: '{{ c.d }}'}".into() });
        let vars = yaml::parse(&source).unwrap().as_map().cloned().unwrap();
        let scope = Scope::default()
            .vars(vars)
            .vars([("s".to_owned(), Value::from("hunter2-secret").tainted(true))])
            .late(BTreeMap::from([("l".to_owned(), "later".to_owned())]));
        let engine = Engine::new(Arc::new(Files::bundled(BTreeMap::new())), vec![]);
        match engine.render_text(&text, None, &scope) {
            Ok(rendered) => prop_assert!(rendered.secret || !rendered.text.contains("hunter2")),
            Err(Error::Wrong(problems)) => {
                prop_assert!(!problems.render(false).contains("hunter2"));
                prop_assert!(problems.0.iter().all(|problem| problem.hint.is_some()));
            }
            Err(Error::Late { .. }) => {}
        }
        let _ = engine.eval(&text, None, &scope);
        let _ = names_read(&text);
    }
}
