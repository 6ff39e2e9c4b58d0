//! What is left on a node when the line drops.

use crate::line::Fate;
use crate::remote::Remote;
use nix::sys::stat::Mode;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// deploy-rs#390: an orphaned process held the lock after the line had dropped.
#[test]
fn deploy_rs_390_nothing_holds_the_lock_after_the_line_dropped() {
    let remote = Remote::new("", "- copy: {dest: /srv/first, content: x}\n- name: Wait\n  command: {shell: true, cmd: \"cat /srv/gate >/srv/through\", creates: /srv/through}\n- copy: {dest: /srv/last, content: x}");
    remote.site.expect(0, &["check", "inventory.yaml"]);
    let gate = remote.site.inside("pi", "/srv/gate");
    nix::unistd::mkfifo(&gate, Mode::from_bits_truncate(0o666)).unwrap();
    remote.line.expect(Fate::Nothing);
    let child = remote.site.command(&["apply", "inventory.yaml", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    remote.line.controller(child.id());
    let since = Instant::now();
    let open = loop {
        if let Ok(open) = OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&gate) {
            break open;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "the command does not begin");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(remote.site.inside("pi", "/var/lib/homelab/lock/owner").exists(), "it has the lock while it waits");
    remote.line.cut();
    drop(open);
    let output = child.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(1 | 4)), "{output:?}");
    remote.released();
    assert!(!remote.site.inside("pi", "/srv/last").exists(), "it went on without anybody");
    let since = Instant::now();
    let (ended, _) = remote.run(&["apply", "inventory.yaml", "--yes"], Fate::Nothing);
    assert_eq!(ended.code, 0, "the next one is let in at once\n{}{}", ended.out, ended.err);
    assert!(since.elapsed() < Duration::from_secs(20) && !ended.err.contains("another run has this node"), "{:?}\n{}", since.elapsed(), ended.err);
    assert!(remote.site.inside("pi", "/srv/last").exists());
}
