//! Patterns and host ranges: never panic, never make more hosts than allowed, every problem can be shown.
#![no_main]

use homelab::inventory::{Inventory, Reading, load, pattern, range};
use homelab::lang::secret::Identities;
use homelab::lang::{Diagnostics, Files, Source, Span};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

static INVENTORY: LazyLock<Inventory> = LazyLock::new(|| {
    let text = "groups:\n  pis: {hosts: ['pi-[01:12]']}\n  wet: {hosts: [pi-02, cellar]}\n  home: {children: [pis, wet]}\n";
    let files = Files::bundled(BTreeMap::from([(PathBuf::from("home.yaml"), text.to_owned())]));
    let reading = Reading { files: &files, identities: &Identities::none() };
    load(&reading, Path::new("home.yaml"), &mut Diagnostics::new()).unwrap_or_default()
});

fuzz_target!(|text: &str| {
    if let Ok(names) = range::expand(text) {
        assert!(!names.is_empty() && names.len() <= range::MOST);
    }
    let source = Arc::new(Source { name: "--limit".into(), text: text.to_owned() });
    match pattern::select(&INVENTORY, text, Some(&Span::new(&source, 0..text.len()))) {
        Ok(hosts) => assert!(hosts.iter().all(|host| INVENTORY.hosts.contains_key(host))),
        Err(problems) => assert!(!problems.render(false).is_empty()),
    }
});
