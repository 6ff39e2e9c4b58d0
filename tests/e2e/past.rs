//! Runs of the past: told, taken back, and what stands against that.

use crate::site::{Ended, Site};
use serde_json::Value;

const BEFORE: &str = "- name: Greet\n  copy: {dest: /etc/motd, content: \"one\\n\"}\n- name: A place\n  file: {path: /srv/d, state: directory}";
const AFTER: &str = "\
- name: Greet
  copy: {dest: /etc/motd, content: \"two\\n\", mode: 0600}
  notify: [Tell]
- name: A place
  file: {path: /srv/d, state: directory, mode: 0700}
- name: A file in it
  copy: {dest: /srv/d/new, content: new}
- name: A link
  file: {path: /srv/link, src: /srv/d, state: link}
- name: Named undo
  command: {argv: [touch, /srv/marked], creates: /srv/marked}
  undo: rm -f /srv/marked";
const HANDLER: &str = "handlers:\n  - name: Tell\n    command: {shell: true, cmd: \"cat /etc/motd >>/srv/told\"}";

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.out))
}

/// The names of the runs of `pi`, oldest first.
fn runs(site: &Site) -> Vec<String> {
    runs_of(site, "pi")
}

fn runs_of(site: &Site, host: &str) -> Vec<String> {
    let history = json(&site.expect(0, &["history", "inventory.yaml", "--json", "--limit", host]));
    let runs = history["hosts"][0]["runs"].as_array().unwrap();
    runs.iter().rev().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

fn back(site: &Site, code: i32, more: &[&str]) -> Ended {
    site.expect(code, &[&["rollback", "inventory.yaml"], more].concat())
}

#[test]
fn the_last_run_is_taken_back_and_a_second_time_there_is_nothing() {
    let site = Site::new(BEFORE);
    site.apply();
    let before = site.snapshot("pi");
    site.play(HANDLER, AFTER);
    site.apply();
    let after = site.snapshot("pi");
    assert_eq!(site.text("/srv/told"), "two\n");

    let unasked = back(&site, 64, &[]);
    assert!(unasked.err.contains("`--yes`"), "{}", unasked.err);
    assert_eq!(site.snapshot("pi"), after, "it was taken back unasked");

    let ended = back(&site, 0, &["--yes"]);
    let lines: Vec<&str> = ended.out.lines().collect();
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {}", ended.out));
    assert!(at("- Tell (undo: equivalent)") < at("- Named undo (undo: as named)") && at("- Named undo") < at("- A link") && at("- A link") < at("- Greet"), "{}", ended.out);
    assert!(ended.out.contains("pi  taken back: 6 undone\n"), "{}", ended.out);
    // The handler ran once more, on what is there again.
    assert_eq!(site.text("/srv/told"), "two\none\n");
    std::fs::remove_file(site.inside("pi", "/srv/told")).unwrap();
    assert_eq!(site.snapshot("pi"), before);
    // The receipts say what is there: what was taken back is pending, and nobody's touch.
    let drift = site.expect(0, &["drift", "inventory.yaml"]);
    assert_eq!(drift.out + &drift.err, "");
    let plan = json(&site.expect(0, &["plan", "inventory.yaml", "--json"]));
    let lines = plan["hosts"][0]["lines"].as_array().unwrap();
    let greet = lines.iter().find(|line| line["task"] == "Greet").unwrap();
    assert_eq!((&greet["divergence"], &greet["outcome"]), (&"pending".into(), &"change".into()), "{greet}");

    let names = runs(&site);
    let again = back(&site, 0, &["--yes"]);
    assert!(again.out.contains(&format!("nothing to take back: run {} was taken back already; the one before that could be: `homelab rollback INVENTORY {}`", names[1], names[0])), "{}", again.out);
    assert_eq!(site.snapshot("pi"), before);
    // That one, too, and then all of it once more.
    back(&site, 0, &[&names[0], "--yes"]);
    assert!(!site.inside("pi", "/srv/d").exists());
    let drift = site.expect(0, &["drift", "inventory.yaml"]);
    assert_eq!(drift.out + &drift.err, "", "whoever took everything back knows");
    let none = back(&site, 0, &[&names[0], "--yes"]);
    assert!(none.out.contains("was taken back already\n"), "{}", none.out);
    site.apply();
    std::fs::remove_file(site.inside("pi", "/srv/told")).unwrap();
    let mut then = after;
    then.retain(|line| !line.starts_with("srv/told "));
    assert_eq!(site.snapshot("pi"), then);
}

#[test]
fn the_run_before_last_is_refused_with_its_conflicts_named_unless_forced() {
    let site = Site::new("- copy: {dest: /etc/other, content: \"0\"}");
    site.apply();
    let before = site.snapshot("pi");
    site.tasks(BEFORE);
    site.apply();
    site.tasks("- name: Greet again\n  copy: {dest: /etc/motd, content: \"two\\n\"}\n- name: Fill it\n  copy: {dest: /srv/d/x, content: x}\n- copy: {dest: /etc/other, content: \"1\"}");
    site.apply();
    let after = site.snapshot("pi");
    let names = runs(&site);
    let ended = back(&site, 1, &[&names[1], "--yes"]);
    for said in [format!("conflict: /etc/motd: run {} built upon it, in `Greet again`", names[2]), format!("conflict: /srv/d: run {} built upon it, in `Fill it`", names[2])] {
        assert!(ended.out.contains(&said), "{said}\n{}", ended.out);
    }
    assert!(ended.err.contains("2 conflicts, named above") && ended.err.contains("take later runs back first") && ended.err.contains("`--force`"), "{}", ended.err);
    assert_eq!(site.snapshot("pi"), after, "a refusal changed something");
    assert!(!site.inside("pi", "/var/lib/homelab/lock").exists());
    let document = json(&back(&site, 1, &[&names[1], "--yes", "--json"]));
    assert_eq!(document["hosts"]["pi"]["conflicts"][0]["what"], "/etc/motd");
    assert_eq!(document["hosts"]["pi"]["conflicts"][0]["run"], names[2].as_str());

    let forced = back(&site, 0, &[&names[1], "--yes", "--force"]);
    assert!(forced.out.contains("forced: /etc/motd") && forced.out.contains("what was in /srv/d is kept on the node"), "{}", forced.out);
    let mut then = before;
    then.iter_mut().filter(|line| line.starts_with("etc/other ")).for_each(|line| {
        *line = after.iter().find(|line| line.starts_with("etc/other ")).unwrap().clone();
    });
    assert_eq!(site.snapshot("pi"), then, "only what that run did");
    // In the right order nothing stands against it.
    let site = Site::new(BEFORE);
    site.apply();
    site.tasks("- copy: {dest: /etc/motd, content: \"two\\n\"}\n- copy: {dest: /srv/d/x, content: x}");
    site.apply();
    back(&site, 0, &["--yes"]);
    let names = runs(&site);
    let first = back(&site, 0, &[&names[0], "--yes"]);
    assert!(!first.out.contains("conflict"), "{}", first.out);
    assert!(!site.inside("pi", "/srv/d").exists());
}

#[test]
fn what_somebody_touched_since_is_named() {
    let site = Site::new("- name: Greet\n  copy: {dest: /etc/motd, content: \"one\\n\"}\n- copy: {dest: /srv/x, content: x}");
    site.apply();
    std::fs::write(site.inside("pi", "/etc/motd"), "by hand\n").unwrap();
    let ended = back(&site, 1, &["--yes"]);
    assert!(ended.out.contains("conflict: /etc/motd: its content was changed since the run ended"), "{}", ended.out);
    assert!(!ended.out.contains("/srv/x:"), "{}", ended.out);
    assert_eq!(site.text("/etc/motd"), "by hand\n");
    back(&site, 0, &["--yes", "--force"]);
    assert!(!site.inside("pi", "/srv/x").exists());
}

#[test]
fn a_first_run_goes_back_with_what_commands_put_into_its_directories() {
    let site = Site::new(
        "- file: {path: /srv/app, state: directory}\n\
         - command: {cmd: touch /srv/app/created, creates: /srv/app/created, undo: rm /srv/app/created}\n\
         - name: Provide\n  command: {cmd: touch /srv/app/provided, undo: rm -f /srv/app/provided}\n  provides: [/srv/app/provided]",
    );
    site.apply();
    back(&site, 0, &["--yes"]);
    assert!(!site.inside("pi", "/srv/app").exists());
}

#[test]
fn a_step_that_nothing_can_undo_is_named_and_stays() {
    let site = Site::new("- copy: {dest: /srv/x, content: x}\n- name: Send mail\n  command: {argv: [touch, /srv/sent], creates: /srv/sent}");
    site.apply();
    let ended = back(&site, 0, &["--yes"]);
    assert!(ended.out.contains("! Send mail: nothing can undo it, it stays") && ended.out.contains("taken back: 1 undone, 1 left"), "{}", ended.out);
    assert!(site.inside("pi", "/srv/sent").exists() && !site.inside("pi", "/srv/x").exists());
    let told = site.expect(0, &["history", "inventory.yaml", "-v"]);
    assert!(told.out.contains("taken back, 2 steps") && told.out.contains("left       Send mail") && told.out.contains("undone     "), "{}", told.out);
}

#[test]
fn history_tells_every_run_and_its_steps() {
    let site = Site::new(BEFORE);
    let none = site.expect(0, &["history", "inventory.yaml"]);
    assert!(none.out.contains("no runs"), "{}", none.out);
    site.apply();
    site.tasks(&format!("{BEFORE}\n- name: More\n  copy: {{dest: /srv/more, content: more}}\n- name: Break\n  command: {{argv: [\"false\"]}}\n- name: Never\n  copy: {{dest: /srv/never, content: x}}"));
    site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    site.play("rollback: none", &format!("{BEFORE}\n- name: More\n  copy: {{dest: /srv/more, content: more}}\n- name: Break\n  command: {{argv: [\"false\"]}}"));
    site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    let user = json(&site.expect(0, &["history", "inventory.yaml", "--json"]));
    let runs = user["hosts"][0]["runs"].as_array().unwrap();
    let states: Vec<&str> = runs.iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["interrupted", "taken_back", "done"], "newest first");
    let steps = |at: usize| runs[at]["steps"].as_array().unwrap().iter().map(|step| format!("{} {}", step["label"].as_str().unwrap(), step["came"].as_str().unwrap())).collect::<Vec<_>>();
    assert_eq!(steps(0), ["More done", "Break failed"]);
    assert_eq!(steps(1), ["More undone", "Break left"], "what was never begun the node does not know");
    assert_eq!(steps(2), ["Greet done", "A place done"]);
    assert!(runs[2]["seconds"].is_u64() && runs[0]["seconds"].is_null());
    let plain = site.expect(0, &["history", "inventory.yaml"]);
    assert!(plain.out.contains("done, 2 steps, ") && plain.out.contains("interrupted, 2 steps\n") && !plain.out.contains("More"), "{}", plain.out);
    let looked = site.expect(0, &["history", "inventory.yaml", "-v"]);
    assert!(looked.out.contains("      failed     Break (cannot be undone)\n"), "{}", looked.out);
}

#[test]
fn a_run_that_was_left_in_the_middle_is_resumed_as_that_run_or_taken_back() {
    let broken = |greeting: &str| format!("- name: Greet\n  copy: {{dest: /etc/motd, content: {greeting}}}\n- name: Break\n  command: {{shell: true, cmd: \"test -e /srv/ready\", creates: /srv/ready}}\n- name: Last\n  copy: {{dest: /srv/last, content: last}}");
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n  quiet: {sandbox: true, become: true}\n");
    site.tasks("- copy: {dest: /etc/motd, content: before}");
    site.apply();
    let before = site.snapshot("pi");
    site.play("rollback: none", &broken("one"));
    site.expect(1, &["apply", "inventory.yaml", "--yes", "--limit", "pi"]);
    assert!(site.inside("pi", "/etc/motd").exists() && !site.inside("pi", "/srv/last").exists());
    let name = runs(&site).pop().unwrap();

    // It fails again, now with taking back: everything since the beginning of the run goes.
    site.tasks(&broken("two"));
    let failed = site.expect(3, &["resume", "inventory.yaml", "--yes"]);
    assert!(failed.out.contains("quiet: nothing to resume") && failed.out.contains("failed and taken back"), "{}{}", failed.out, failed.err);
    assert!(failed.err.contains(&format!("pi: going on in run {name}, which was interrupted")), "{}", failed.err);
    assert_eq!(site.snapshot("pi"), before, "what was done before the resume was not taken back");
    assert_eq!(runs(&site).last(), Some(&name), "it is the same run");
    let nothing = site.expect(0, &["resume", "inventory.yaml", "--yes"]);
    assert!(nothing.out.contains("pi: nothing to resume") && nothing.out.contains("quiet: nothing to resume"), "{}", nothing.out);

    // It goes on and ends; then it is taken back as one.
    site.play("rollback: none", &broken("three"));
    site.expect(1, &["apply", "inventory.yaml", "--yes", "--limit", "pi"]);
    std::fs::write(site.inside("pi", "/srv/ready"), "").unwrap();
    let resumed = site.expect(0, &["resume", "inventory.yaml", "--yes"]);
    assert!(resumed.out.contains("pi  done: "), "{}", resumed.out);
    assert_eq!((site.text("/etc/motd").as_str(), site.text("/srv/last").as_str()), ("three", "last"));
    let drift = site.expect(0, &["drift", "inventory.yaml", "--limit", "pi"]);
    assert_eq!(drift.out + &drift.err, "");
    back(&site, 0, &["--yes", "--limit", "pi"]);
    std::fs::remove_file(site.inside("pi", "/srv/ready")).unwrap();
    assert_eq!(site.snapshot("pi"), before);
}

#[test]
fn an_interrupted_run_that_has_nothing_left_to_do_is_ended_by_resume() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    site.play("rollback: none", "- copy: {dest: /srv/x, content: x}\n- name: Break\n  command: {argv: [\"false\"]}");
    site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    site.tasks("- copy: {dest: /srv/x, content: x}");
    site.expect(0, &["resume", "inventory.yaml", "--yes"]);
    let told = site.expect(0, &["history", "inventory.yaml"]);
    assert!(told.out.contains("done, 2 steps"), "{}", told.out);
    back(&site, 0, &["--yes"]);
    assert!(!site.inside("pi", "/srv/x").exists());
}

#[test]
fn kept_values_come_back_and_no_secret_shows() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    let make = |token: &str| format!("- name: Make a token\n  command: {{shell: true, cmd: \"echo {token} | tee /srv/{token}\", creates: /srv/{token}}}\n  undo: rm -f /srv/{token}\n  register: {{name: token, keep: true, secret: true}}");
    site.tasks(&make("hunter-one"));
    site.apply();
    site.tasks(&make("hunter-two"));
    site.apply();
    let kept = || std::fs::read_to_string(site.inside("pi", "/var/lib/homelab/kept")).unwrap();
    let second = kept();
    let mut said = String::new();
    for args in [&["history", "inventory.yaml", "-v"][..], &["history", "inventory.yaml", "--json"], &["rollback", "inventory.yaml", "--yes", "-vv"], &["rollback", "inventory.yaml", "--json", "--yes"]] {
        let ended = site.expect(0, args);
        said += &(ended.out + &ended.err);
    }
    assert!(said.contains("- kept value token") && said.contains("kept       token"), "{said}");
    let encoded = |text: &str| text.split_once(' ').unwrap().1.trim().to_owned();
    assert_ne!(kept(), second);
    assert!(!said.contains(&encoded(&kept())) && !said.contains(&encoded(&second)), "{said}");
    let journals = std::process::Command::new("grep").args(["-r", "-e", &encoded(&second)]).arg(site.inside("pi", "/var/lib/homelab/runs")).output().unwrap();
    assert!(!String::from_utf8(journals.stdout).unwrap().contains("/journal:"), "a value stands in a journal");
}

#[test]
fn hosts_without_such_a_run_are_told_and_a_name_that_nobody_knows_is_usage() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n  other: {sandbox: true, become: true}\n");
    site.tasks("- copy: {dest: /srv/x, content: x}");
    site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", "pi"]);
    let name = runs(&site).pop().unwrap();
    let unknown = back(&site, 64, &["1234", "--yes"]);
    assert!(unknown.err.contains("no host has a run 1234"), "{}", unknown.err);
    let one = back(&site, 0, &[&name[..name.len() - 1], "--yes"]);
    assert!(one.out.contains("other  has no such run") && one.out.contains("pi     taken back") || one.out.contains("pi  taken back"), "{}", one.out);
    let rest = back(&site, 0, &["--yes"]);
    assert!(rest.out.contains("other  nothing to take back: it keeps no run"), "{}", rest.out);
}

#[test]
fn the_beginning_of_several_names_takes_nothing_back_and_lists_them() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n  other: {sandbox: true, become: true}\n");
    for (host, text) in [("pi", "one"), ("other", "two"), ("pi", "three")] {
        site.tasks(&format!("- copy: {{dest: /srv/x, content: {text}}}"));
        site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", host]);
    }
    let (pi, other) = (runs_of(&site, "pi"), runs_of(&site, "other"));
    // A name begins with the time, whose first digit they have in common.
    let several = back(&site, 64, &[&pi[0][..1], "--yes"]);
    assert!(several.err.contains(&format!("several runs begin with {}", &pi[0][..1])), "{}", several.err);
    for (run, host) in [(&pi[0], "pi"), (&pi[1], "pi"), (&other[0], "other")] {
        assert!(several.err.lines().any(|line| line.contains(&format!("{run} of ")) && line.ends_with(&format!(": {host}"))), "{run}\n{}", several.err);
    }
    assert!(several.out.is_empty(), "{}", several.out);
    // Nor where each host has one, and another.
    std::fs::rename(site.inside("pi", &format!("/var/lib/homelab/runs/{}", pi[0])), site.path("away")).unwrap();
    let each = back(&site, 64, &[&pi[0][..1], "--yes", "--json"]);
    let problem = json(&each)["problems"][0]["message"].as_str().unwrap().to_owned();
    assert!(problem.starts_with("several runs begin with"), "{problem}");
    assert_eq!((site.text("/srv/x").as_str(), std::fs::read_to_string(site.inside("other", "/srv/x")).unwrap().as_str()), ("three", "two"));
    // The whole name is never the beginning of another.
    back(&site, 0, &[&pi[1], "--yes"]);
    assert_eq!(site.text("/srv/x"), "one");
}

#[test]
fn a_broken_playbook_keeps_nobody_from_telling_of_a_run_and_taking_it_back() {
    // Whose runs they are the inventory does not say: one play acts as root, the other as the login.
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true}\n  own: {sandbox: true, become: true}\n  fresh: {sandbox: true}\n");
    site.write("site.yaml", "- hosts: pi\n  become: true\n  tasks:\n  - copy: {dest: /srv/x, content: x}\n- hosts: own\n  tasks:\n  - copy: {dest: /home/pi/x, content: x}\n");
    site.apply();
    for broken in ["- hosts: [\n", "- hosts: pi\n  tasks:\n  - no_such_thing: {}\n"] {
        site.write("site.yaml", broken);
        site.expect(1, &["check", "inventory.yaml"]);
        let told = site.expect(0, &["history", "inventory.yaml"]);
        assert_eq!(told.out.matches("done, 1 step").count(), 2, "{}", told.out);
        assert!(told.out.contains("fresh\n  no runs") && told.err.contains("`homelab check` says why"), "{}{}", told.out, told.err);
    }
    // Which hosts are meant is no guess to act upon.
    let unsure = back(&site, 64, &["--yes"]);
    assert!(unsure.err.contains("every host of the inventory") && unsure.err.contains("`--limit`"), "{}", unsure.err);
    assert!(site.inside("pi", "/srv/x").exists() && site.inside("own", "/home/pi/x").exists());
    back(&site, 0, &["--yes", "--limit", "own"]);
    assert!(site.inside("pi", "/srv/x").exists() && !site.inside("own", "/home/pi/x").exists());
    std::fs::remove_file(site.path("site.yaml")).unwrap();
    let name = runs_of(&site, "pi").pop().unwrap();
    back(&site, 0, &[&name, "--yes"]);
    assert!(!site.inside("pi", "/srv/x").exists());
    // An inventory that names none will do, a broken one will not, and neither will a pattern for nobody.
    site.write("inventory.yaml", "hosts:\n  pi: {sandbox: true}\n");
    assert!(site.expect(0, &["history", "inventory.yaml"]).out.contains("taken back, 1 step"));
    site.expect(64, &["history", "inventory.yaml", "--limit", "nobody"]);
    site.write("inventory.yaml", "hosts:\n  pi: {sandbox: true, nonsense: 1}\n");
    let wrong = site.expect(1, &["history", "inventory.yaml"]);
    assert!(wrong.err.contains("nonsense") && !wrong.err.contains("is enough"), "{}", wrong.err);
}

/// What homelab says to somebody who types these answers.
fn at_a_terminal(site: &Site, command: &str, answers: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let inner = site.command(&command.split(' ').collect::<Vec<_>>());
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &format!("{} {command}", inner.get_program().display()), "/dev/null"]);
    script.current_dir(inner.get_current_dir().unwrap()).stdin(Stdio::piped()).stdout(Stdio::piped());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let mut child = script.spawn().expect("`script`, of bsdutils");
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn what_may_keep_everybody_out_is_said_before_and_found_out_after() {
    let site = Site::new("- name: Greet\n  copy: {dest: /etc/motd, content: hello}");
    site.apply();
    let calm = back(&site, 64, &[]);
    assert!(calm.out.contains("- Greet") && !calm.out.contains("not guarded"), "{}", calm.out);
    let key = site.text("/etc/ssh/authorized_keys.d/pi");
    site.tasks(&format!("- name: Place\n  file: {{path: /home/pi/.ssh, state: directory}}\n- name: Key\n  copy: {{dest: /home/pi/.ssh/authorized_keys, content: {key:?}}}\n- name: Greet\n  copy: {{dest: /etc/motd, content: welcome}}"));
    site.apply();
    let unasked = back(&site, 64, &[]);
    let lines: Vec<&str> = unasked.out.lines().map(str::trim).collect();
    let after = |step: &str| lines[lines.iter().position(|line| *line == step).unwrap_or_else(|| panic!("{step}: {}", unasked.out)) + 1];
    for step in ["- Key", "- Place"] {
        assert_eq!(after(step), "not guarded: taking it back may keep everybody out", "{}", unasked.out);
    }
    assert!(!after("- Greet").contains("not guarded"), "{}", unasked.out);
    // At a terminal each is asked for by its name, before all of it is.
    let asked = at_a_terminal(&site, "rollback inventory.yaml", "y\nn\n");
    for step in ["Key", "Place"] {
        assert!(asked.contains(&format!("pi: taking `{step}` back may keep everybody out, and no guard watches. Do it all the same? [y/N]")), "{asked}");
    }
    assert!(asked.contains("nothing was taken back") && !asked.contains("Take this back on"), "{asked}");
    assert_eq!(site.text("/etc/motd"), "welcome");
    // Somebody has taken the other key away since: the run's is the last one.
    std::fs::remove_file(site.inside("pi", "/etc/ssh/authorized_keys.d/pi")).unwrap();
    let ended = back(&site, 5, &["--yes"]);
    assert!(ended.out.contains("pi  taken back: 3 undone, and nobody can log in any more; a person is needed"), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("pi: nobody can log in any more after what was taken back") && ended.err.contains("the last try: "), "{}{}", ended.out, ended.err);
    assert_eq!(site.text("/etc/motd"), "hello");
}
