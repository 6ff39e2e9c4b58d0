use crate::sshd::{Sshd, ask, pool, program, text};
use bytes::Bytes;
use homelab::lang::Kind;
use homelab::transport::Part;
use std::time::Duration;

/// Kilobytes of memory this process has had at most.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap()
}

#[tokio::test]
async fn calls_follow_each_other_over_one_channel() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let mut session = pool.open_program(&target, &program("while read -r l; do echo \"got $l\"; echo done; done; exit 7", "hello\n")).await.unwrap();
    assert_eq!(ask(&mut session, "").await.unwrap(), "got hello\ndone\n");
    assert_eq!(ask(&mut session, "again\n").await.unwrap(), "got again\ndone\n");
    assert_eq!(session.close().await.exit, Some(7));
    let spent = pool.cost().spent();
    // TCP 1, key exchange 2, service 1, key 2, channel 1, calls 2.
    assert_eq!((spent.connections, spent.channels, spent.round_trips), (1, 1, 9));
    assert!(spent.bytes_up > 1000 && spent.bytes_down > 1000, "{spent:?}");
}

#[tokio::test]
async fn a_large_file_streams_in_bounded_memory() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let path = sshd.path("large");
    const CHUNK: u64 = 1 << 20;
    const CHUNKS: u64 = 256;
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(CHUNK * CHUNKS).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"not only zeros", CHUNK * 77 + 5).unwrap();
    drop(file);
    let expected = crate::sshd::run("sha256sum", &[path.to_str().unwrap()]);
    let count = CHUNK * CHUNKS;
    let mut session = pool.open_program(&target, &program(&format!("head -c {count} | sha256sum; echo done"), "")).await.unwrap();
    let before = peak();
    let parts = (0..CHUNKS).map(|i| Part::File { path: path.clone(), offset: i * CHUNK, length: CHUNK });
    let mut said = Vec::new();
    let sum = session
        .exchange(parts, Duration::from_secs(60), |bytes| {
            said.extend_from_slice(bytes);
            let text = String::from_utf8_lossy(&said).into_owned();
            Ok(text.ends_with("done\n").then_some(text))
        })
        .await
        .unwrap();
    assert_eq!(sum.split(' ').next(), expected.split(' ').next());
    let grown = peak() - before;
    println!("memory grew by {grown} kB");
    assert!(grown < 24 * 1024, "memory grew by {grown} kB for {} kB", count / 1024);
}

#[tokio::test]
async fn a_node_that_talks_while_it_is_written_to_does_not_stand_still() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let mut session = pool(&sshd.path("known_hosts")).open_program(&target, &program("cat; echo done", "")).await.unwrap();
    let size = 16 << 20;
    let mut heard = 0;
    session
        .exchange([Part::Bytes(Bytes::from(vec![b'x'; size]))], Duration::from_secs(30), |bytes| {
            heard += bytes.len();
            Ok((heard == size).then_some(()))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_file_that_shrinks_and_a_bad_answer_end_the_session() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let path = sshd.path("short");
    std::fs::write(&path, "short").unwrap();
    let mut session = pool.open_program(&target, &program("cat", "")).await.unwrap();
    let part = Part::File { path, offset: 0, length: 100 };
    let lost = session.exchange([part], Duration::from_secs(10), |_| Ok(None::<()>)).await.unwrap_err();
    assert!(lost.why.contains("became shorter"), "{}", lost.why);
    assert!(ask(&mut session, "x").await.unwrap_err().why.contains("became shorter"));

    let mut session = pool.open_program(&target, &program("cat", "")).await.unwrap();
    let lost = session.exchange([Part::Bytes(Bytes::from("x"))], Duration::from_secs(10), |_| Err::<Option<()>, _>("no frame".into())).await.unwrap_err();
    assert!(lost.why.contains("no frame"), "{}", lost.why);
}

#[tokio::test]
async fn silence_ends_a_call_but_progress_does_not() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let mut session = pool.open_program(&target, &program("sleep 60", "")).await.unwrap();
    let lost = session.exchange([], Duration::from_millis(300), |_| Ok(None::<()>)).await.unwrap_err();
    assert_eq!(lost.why, "no answer for 0.3 s");
    let mut session = pool.open_program(&target, &program("for i in 1 2 3 4 5 6; do sleep 0.5; echo $i; done; echo done", "")).await.unwrap();
    let mut said = String::new();
    session
        .exchange([], Duration::from_secs(2), |bytes| {
            said += &String::from_utf8_lossy(bytes);
            Ok(said.ends_with("done\n").then_some(()))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dropped_call_spoils_the_session_not_the_pool() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let mut session = pool.open_program(&target, &program("sleep 1; echo done", "")).await.unwrap();
    let call = session.exchange([], Duration::from_secs(10), |_| Ok(None::<()>));
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    assert!(ask(&mut session, "").await.unwrap_err().why.contains("not finished"));
    assert_eq!(crate::sshd::once(&pool, &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");
}

#[tokio::test]
async fn the_end_of_the_program_and_of_the_line_are_told_apart() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let mut session = pool.open_program(&target, &program("echo oops >&2; exit 3", "")).await.unwrap();
    let lost = ask(&mut session, "").await.unwrap_err();
    assert_eq!((lost.exit, lost.stderr.as_str(), lost.early), (Some(3), "oops\n", true));
    let said = text(&lost.diagnostic(&target));
    assert!(said.starts_with("Refused") && said.contains("exit status 3") && said.contains("it said: oops"), "{said}");

    let mut session = pool.open_program(&target, &program("head -c 100000 /dev/zero | tr '\\0' e >&2; echo done; read x; kill -9 $PPID; sleep 5", "")).await.unwrap();
    ask(&mut session, "").await.unwrap();
    let lost = ask(&mut session, "now\n").await.unwrap_err();
    assert_eq!((lost.exit, lost.early, lost.stderr.len()), (None, false, 16 * 1024));
    let diagnostic = lost.diagnostic(&target);
    assert_eq!(diagnostic.kind, Kind::Unreachable);
    assert!(text(&diagnostic).contains("the connection was lost"), "{}", text(&diagnostic));
}

#[tokio::test]
async fn a_dropped_session_leaves_no_connection() {
    let Some(sshd) = Sshd::start("LogLevel VERBOSE") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let mut session = pool.open_program(&target, &program("sleep 1000", "")).await.unwrap();
    // Blocked on a full window, which is when nobody listens to the queue.
    let call = session.exchange([Part::Bytes(Bytes::from(vec![0; 64 << 20]))], Duration::from_secs(10), |_| Ok(None::<()>));
    assert!(tokio::time::timeout(Duration::from_millis(500), call).await.is_err());
    drop(session);
    for _ in 0..100 {
        if sshd.log().contains("Connection closed by") || sshd.log().contains("Connection reset by") || sshd.log().contains("Disconnected from") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still connected: {}", sshd.log());
}
