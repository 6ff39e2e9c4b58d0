//! A large file is read once, not at every look; and a change of it is found all the same.

use crate::site::Site;
use std::os::unix::fs::FileExt;

/// A copy of 2 MiB, and after it in the same batch so much else that the clock which stamps files has gone on.
fn site() -> Site {
    let others: String = (0..40).map(|i| format!("- file: {{path: /srv/d{i}, state: directory, mode: 07{}0}}\n", 5 * (i % 2))).collect();
    let site = Site::new(&format!("- name: An image\n  copy: {{src: image, dest: /srv/image}}\n{others}"));
    std::fs::write(site.path("image"), vec![7; 2 << 20]).unwrap();
    site.apply();
    site
}

#[test]
fn a_large_copy_is_not_hashed_again_unless_asked_to() {
    let site = site();
    let sums = site.inside("pi", "/var/lib/homelab/sums");
    let recorded = std::fs::read_to_string(&sums).unwrap();
    let (stamp, digest) = recorded.trim_end().rsplit_once(' ').unwrap();
    assert!(stamp.starts_with("/srv/image// ") && !stamp.contains('\n'), "{recorded}");
    assert_eq!(digest, homelab::node::op::sha256(&vec![7; 2 << 20]));
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    // Whoever believes this has not read the file.
    std::fs::write(&sums, format!("{stamp} {}\n", "0".repeat(64))).unwrap();
    for command in [["plan", "inventory.yaml", "--detailed-exitcode"].as_slice(), &["drift", "inventory.yaml"]] {
        assert!(site.expect(2, command).out.contains("An image"));
        site.expect(0, &[command, &["--paranoid"]].concat());
    }
    let nothing = site.expect(0, &["apply", "inventory.yaml", "--yes", "--paranoid"]);
    assert!(nothing.out.contains("nothing to do"), "{}", nothing.out);
    // What an apply put, it has read back: the wrong digest is gone with it.
    assert!(site.apply().out.contains("1 changed"));
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn a_byte_changed_in_a_large_file_is_drift() {
    let site = site();
    let image = std::fs::File::options().write(true).open(site.inside("pi", "/srv/image")).unwrap();
    let time = image.metadata().unwrap().modified().unwrap();
    image.write_all_at(b"x", 1 << 20).unwrap();
    image.set_modified(time).unwrap();
    let drift = site.expect(2, &["drift", "inventory.yaml"]);
    assert!(drift.out.contains("An image"), "{}", drift.out);
    site.apply();
    site.expect(0, &["drift", "inventory.yaml"]);
}
