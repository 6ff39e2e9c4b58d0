//! Templates: never panic, always end, every problem can be shown, and none shows the secret.
#![no_main]

use homelab::lang::template::{Error, names_read};
use homelab::lang::{Engine, Files, Scope, Source, Value, yaml};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    // Whoever writes the secret into the template has shown it already.
    if text.contains("hunter2-secret") {
        return;
    }
    let vars = "a: 1\nb: [x, '{{ a }}', '{{ b }}']\nc: {d: 192.168.7.1/24, e: '{{ c.d }}'}\n";
    let source = Arc::new(Source { name: "vars.yaml".into(), text: vars.into() });
    let Ok(vars) = yaml::parse(&source) else { return };
    let engine = Engine::new(Arc::new(Files::bundled(BTreeMap::new())), vec![]);
    let scope = Scope::default()
        .vars(vars.as_map().cloned().unwrap_or_default())
        .vars([("s".to_owned(), Value::from("hunter2-secret").tainted(true))])
        .late(BTreeMap::from([("l".to_owned(), "later".to_owned())]));
    let _ = names_read(text);
    match engine.render_text(text, None, &scope) {
        Ok(rendered) => assert!(rendered.secret || !rendered.text.contains("hunter2-secret")),
        Err(Error::Wrong(problems)) => assert!(!problems.render(false).contains("hunter2-secret")),
        Err(Error::Late { .. }) => {}
    }
    let _ = engine.eval(text, None, &scope);
});
