//! Inventories and playbooks as a whole: never panic, always end, every problem can be shown. The input is an
//! inventory and a playbook with a line `---` between them.
#![no_main]

use homelab::lang::Files;
use homelab::playbook::{Known, Options, compile, load, ownership};
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let (home, site) = text.split_once("\n---\n").unwrap_or(("hosts: {pi-1: {}}\n", text));
    let role = "params: {n: {type: int, default: 1}}\ntasks:\n- command: echo {{ n }}\n";
    let all = [("home.yaml", home), ("site.yaml", site), ("roles/thing/role.yaml", role), ("a.j2", "{{ host.name }}")];
    let files = Files::bundled(all.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect());
    let config = match load(Arc::new(files), Path::new("home.yaml"), &[PathBuf::from("site.yaml")], &Options::default()) {
        Ok(config) => config,
        Err(problems) => {
            let _ = problems.render(false);
            return;
        }
    };
    for host in config.inventory.hosts.keys().take(3) {
        let plays: Vec<_> = (0..config.plays.len()).map(|play| compile(&config, play, host, &Known::default())).collect();
        for play in &plays {
            let _ = play.problems.render(false);
        }
        let _ = ownership::check(&[(host, plays.iter().collect())]).render(false);
    }
});
