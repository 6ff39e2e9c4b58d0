//! The quoting function, judged by the shells.

use homelab::node::quote::{quote, quote_bytes};
use proptest::prelude::*;
use std::io::Write;
use std::process::{Command, Stdio};

const SHELLS: [&[&str]; 3] = [&["dash"], &["bash"], &["busybox", "ash"]];

fn said(shell: &[&str], script: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new(shell[0]).args(&shell[1..]).arg("-s").env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script).unwrap();
    child.wait_with_output().unwrap().stdout
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn bytes_come_back(items in prop::collection::vec(prop::collection::vec(1u8..=255, 0..40), 1..20)) {
        let mut script = Vec::new();
        for item in &items {
            script.extend(b"printf '%s\\0' ");
            script.extend(quote_bytes(item));
            script.push(b'\n');
        }
        let want: Vec<u8> = items.iter().flat_map(|item| item.iter().copied().chain([0])).collect();
        for shell in SHELLS {
            prop_assert_eq!(said(shell, &script), want.clone(), "{:?}", shell);
        }
    }

    #[test]
    fn texts_come_back(items in prop::collection::vec("[^\\x00]{0,20}|[-~#'\"\\\\$`! *]{0,8}", 1..20)) {
        let mut script = String::new();
        for item in &items {
            script.push_str("printf '%s\\0' ");
            script.push_str(&quote(item));
            script.push('\n');
        }
        let want: String = items.iter().flat_map(|item| [item.as_str(), "\0"]).collect();
        for shell in SHELLS {
            prop_assert_eq!(said(shell, script.as_bytes()), want.as_bytes(), "{:?}", shell);
        }
    }
}
