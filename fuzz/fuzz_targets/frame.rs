//! What a node sends is untrusted: the decoder and the readers of its answers must not panic on anything.
#![no_main]

use homelab::node::frame::Decoder;
use homelab::node::probe::{Depth, Probe};
use homelab::node::program::{ran, read_look};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The first byte says where the stream is cut in two.
    let Some((cut, rest)) = data.split_first() else { return };
    let mut decoder = Decoder::new("n");
    let (a, b) = rest.split_at(usize::from(*cut).min(rest.len()));
    let mut frames = Vec::new();
    for part in [a, b] {
        match decoder.push(part) {
            Ok(more) => frames.extend(more),
            Err(_) => break,
        }
    }
    for frame in &frames {
        let _ = (frame.number(0), frame.field(1), frame.text(), frame.ends(1), ran(frame));
    }
    let path = |depth| Probe::Path { path: "/etc/motd".into(), depth };
    let probes = [
        path(Depth::Stat),
        path(Depth::Digest),
        path(Depth::Text { unless: None }),
        Probe::Tree { path: "/srv".into() },
        Probe::Package { name: "nginx".into(), candidate: true },
        Probe::Unit { name: "ssh.service".into() },
        Probe::User { name: "pi".into() },
        Probe::Group { name: "pi".into() },
        Probe::Crontab { user: "pi".into() },
        Probe::Sysctl { key: "net.ipv4.ip_forward".into() },
        Probe::Hostname,
    ];
    let _ = read_look(&frames, &probes);
});
