//! What a person is told when a template is wrong: the exact messages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::tests::{failure, text, vars};

#[test]
fn what_is_undefined_is_told_with_its_place() {
    let scope = vars("port: 80\nfacts: {os: {family: debian}}");
    insta::assert_snapshot!(failure(&scope, "content: 'listen {{ prot }}'"), @r##"
    error: `prot` is not defined
     --> task.yaml:1:21
      |
    1 | content: 'listen {{ prot }}'
      |                     ^^^^ not defined
    hint: did you mean `port`?
    "##);
    insta::assert_snapshot!(failure(&scope, "content: '{{ facts.os.famly }}'"), @r##"
    error: `facts.os` has no `famly`
     --> task.yaml:1:11
      |
    1 | content: '{{ facts.os.famly }}'
      |           ^^^^^^^^^^^^^^^^^^^^ not there
      |
    note: `facts.os` comes from here
     --> vars.yaml:2:13
      |
    2 | facts: {os: {family: debian}}
      |             ^^^^^^^^^^^^^^^^
    hint: did you mean `family`?
    "##);
    insta::assert_snapshot!(failure(&scope, "content: \"{{ nothing.at.all }}\""), @r##"
    error: `nothing` is not defined
     --> task.yaml:1:14
      |
    1 | content: "{{ nothing.at.all }}"
      |              ^^^^^^^^^^ not defined
    hint: define it in the inventory, the play or the task, or give a fallback: `| default(…)`
    "##);
}

#[test]
fn an_error_within_a_variable_shows_both_places() {
    let scope = vars("a: 'x {{ b }}'\nb: '{{ c | upper }}'");
    insta::assert_snapshot!(failure(&scope, "content: |\n  first\n  second {{ a }}\n"), @r##"
    error: `c` is not defined
     --> vars.yaml:2:12
      |
    2 | b: '{{ c | upper }}'
      |            ^^^^^ not defined
      |
    note: read here
     --> vars.yaml:1:10
      |
    1 | a: 'x {{ b }}'
      |          ^
    note: read here
     --> task.yaml:3:13
      |
    3 |   second {{ a }}
      |             ^
    hint: define it in the inventory, the play or the task, or give a fallback: `| default(…)`
    "##);
}

#[test]
fn cycles_are_told() {
    let scope = vars("a: '{{ b }}'\nb: 'x{{ c }}'\nc: '{{ a }}'\nme: '{{ me }}/bin'");
    insta::assert_snapshot!(failure(&scope, "'{{ a }}'"), @r##"
    error: variables are defined by each other: `a` → `b` → `c` → `a`
     --> vars.yaml:1:4
      |
    1 | a: '{{ b }}'
      |    ^^^^^^^^^
      |
    note: read here
     --> vars.yaml:3:5
      |
    3 | c: '{{ a }}'
      |     ^^^^^^^
    note: read here
     --> vars.yaml:2:9
      |
    2 | b: 'x{{ c }}'
      |         ^
    note: read here
     --> vars.yaml:1:5
      |
    1 | a: '{{ b }}'
      |     ^^^^^^^
    note: read here
     --> task.yaml:1:2
      |
    1 | '{{ a }}'
      |  ^^^^^^^
    hint: give one of them a value of its own
    "##);
    insta::assert_snapshot!(failure(&scope, "'{{ me }}'"), @r##"
    error: `me` is defined by itself
     --> vars.yaml:4:5
      |
    4 | me: '{{ me }}/bin'
      |     ^^^^^^^^^^^^^^
      |
    note: read here
     --> vars.yaml:4:9
      |
    4 | me: '{{ me }}/bin'
      |         ^^
    note: read here
     --> task.yaml:1:2
      |
    1 | '{{ me }}'
      |  ^^^^^^^^
    hint: give one of them a value of its own
    "##);
}

#[test]
fn containers_that_hold_themselves_are_told() {
    let scope = vars("a: [x, '{{ a }}']\nb: ['{{ [c] }}']\nc: ['{{ b }}']\nd: {e: '{{ d.f }}', f: 1}");
    for template in ["{{ a }}", "{{ a | to_json }}", "{{ b }}", "{{ c == b }}"] {
        let told = failure(&scope, &format!("'{template}'"));
        assert!(told.contains("defined by"), "{template}: {told}");
    }
    assert!(failure(&scope, "'{{ a }}!'").contains("`a.1` is defined by itself"));
    assert_eq!(text(&scope, "{{ a[0] }} {{ d.e }} {{ d }}"), "x 1 {'e': 1, 'f': 1}");
}

#[test]
fn wrong_templates_are_told() {
    let scope = vars("port: 80\nlist: [1]");
    insta::assert_snapshot!(failure(&scope, "'{{ port | uper }}'"), @r##"
    error: there is no filter `uper`
     --> task.yaml:1:12
      |
    1 | '{{ port | uper }}'
      |            ^^^^
    hint: did you mean `upper`?
    "##);
    insta::assert_snapshot!(failure(&scope, "'{{ port is defind }}'"), @r##"
    error: there is no test `defind`
     --> task.yaml:1:13
      |
    1 | '{{ port is defind }}'
      |             ^^^^^^
    hint: did you mean `defined`?
    "##);
    insta::assert_snapshot!(failure(&scope, "'{{ rang(3) }}'"), @r##"
    error: there is no function `rang`
     --> task.yaml:1:5
      |
    1 | '{{ rang(3) }}'
      |     ^^^^^^^
    hint: did you mean `range`?
    "##);
    insta::assert_snapshot!(failure(&scope, "'{{ port '"), @r##"
    error: the template cannot be read: unexpected end of input, expected end of variable block
     --> task.yaml:1:5
      |
    1 | '{{ port '
      |     ^^^^
    hint: is a `}}`, `%}` or a quote missing?
    "##);
    insta::assert_snapshot!(failure(&scope, "'{% if port %}x'"), @r##"
    error: the template cannot be read: unexpected end of input, expected end of block
     --> task.yaml:1:15
      |
    1 | '{% if port %}x'
      |               ^
    hint: every `{% if %}` wants its `{% endif %}`, every `{% for %}` its `{% endfor %}`
    "##);
    insta::assert_snapshot!(failure(&scope, "'{{ port + list }}'"), @r##"
    error: tried to use + operator on unsupported types number and sequence
     --> task.yaml:1:5
      |
    1 | '{{ port + list }}'
      |     ^^^^^^^^^^^
      |
    note: `port` comes from here
     --> vars.yaml:1:7
      |
    1 | port: 80
      |       ^^
    note: `list` comes from here
     --> vars.yaml:2:7
      |
    2 | list: [1]
      |       ^^^
    hint: check the values that the expression uses
    "##);
    insta::assert_snapshot!(failure(&scope, "'x {{ port | network }}'"), @r##"
    error: `network` wants an address like `192.168.7.1/24` or `fd00::1/64`, not a number
     --> task.yaml:1:14
      |
    1 | 'x {{ port | network }}'
      |              ^^^^^^^
    hint: check the values that the expression uses
    "##);
    insta::assert_snapshot!(failure(&scope, "'{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}'"), @r##"
    error: the template takes too many steps
     --> task.yaml:1:41
      |
    1 | '{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}'
      |                                         ^^^^^^^^^^^^
    hint: is there a loop over a very long list, or one within another?
    "##);
    insta::assert_snapshot!(failure(&scope, "'{% include \"gone.txt\" %}'"), @r##"
    error: there is no template `gone.txt`
     --> task.yaml:1:5
      |
    1 | '{% include "gone.txt" %}'
      |     ^^^^^^^^^^^^^^^^^^
    hint: it is looked for beside the file that includes it
    "##);
}
