//! Large files stream: the controller's memory does not grow with them, and a broken-off one leaves nothing.

use crate::line::Fate;
use crate::remote::Remote;
use std::io::Write;
use std::path::Path;

const MIB: u64 = 1 << 20;

/// How large: 96 MiB, or 1 GiB where `HOMELAB_TEST_SLOW` is set.
fn size() -> u64 {
    if std::env::var_os("HOMELAB_TEST_SLOW").is_some() { 1024 * MIB } else { 96 * MIB }
}

/// Bytes that neither repeat nor compress, no two MiB alike.
fn generate(path: &Path, size: u64) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = vec![0; MIB as usize];
    for _ in 0..size / MIB {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block).unwrap();
    }
}

fn same(a: &Path, b: &Path) -> bool {
    std::process::Command::new("cmp").arg("-s").args([a, b]).status().unwrap().success()
}

/// Bytes below `dir`.
fn weight(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .map(Result::unwrap)
        .map(|entry| {
            let meta = entry.path().symlink_metadata().unwrap();
            if meta.is_dir() { weight(&entry.path()) } else { meta.len() }
        })
        .sum()
}

#[test]
fn a_large_copy_takes_little_memory_and_leaves_nothing_when_broken_off() {
    let remote = Remote::new("", "- copy: {src: big, dest: /srv/big, mode: 0640}");
    let (source, target) = (remote.site.path("files/big"), remote.site.inside("pi", "/srv/big"));
    std::fs::create_dir_all(source.parent().unwrap()).unwrap();
    generate(&source, size());
    std::fs::rename(&source, remote.site.path("big")).unwrap();
    let source = remote.site.path("big");
    let state = remote.site.inside("pi", "/var/lib/homelab");

    let (ended, _) = remote.run(&["apply", "inventory.yaml", "--yes"], Fate::Killed(size() / 2));
    assert_eq!(ended.code, -1, "{}{}", ended.out, ended.err);
    remote.released();
    let left: Vec<_> = std::fs::read_dir(target.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "beside the destination: {left:?}");
    assert!(weight(&state) < MIB, "the broken-off run left {} bytes in the node's state", weight(&state));

    let since = std::time::Instant::now();
    let (ended, peak) = remote.run(&["apply", "inventory.yaml", "--yes"], Fate::Nothing);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    eprintln!("{} MiB copied in {:.1} s, the controller's peak {} MiB", size() / MIB, since.elapsed().as_secs_f32(), peak / 1024);
    assert!(same(&source, &target), "what arrived is not what was sent");
    assert!(peak > 0 && peak < 64 * 1024, "the controller had {peak} KiB");
    assert!(weight(&state) < MIB, "{} bytes are left in the node's state", weight(&state));

    let (ended, peak) = remote.run(&["plan", "inventory.yaml", "--detailed-exitcode"], Fate::Nothing);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(peak < 64 * 1024, "a plan took {peak} KiB");
}
