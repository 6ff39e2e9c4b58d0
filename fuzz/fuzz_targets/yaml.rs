//! The YAML reader: never panics, every problem can be shown, what it read it can write and read again.
#![no_main]

use homelab::lang::{Source, yaml};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let source = Arc::new(Source { name: "fuzz.yaml".into(), text: text.to_owned() });
    match yaml::parse(&source) {
        Ok(value) => {
            let written = Arc::new(Source { name: "again.yaml".into(), text: yaml::to_yaml(&value) });
            assert!(yaml::parse(&written).is_ok(), "{}", written.text);
        }
        Err(problems) => assert!(!problems.render(true).is_empty()),
    }
});
