//! Tests of rendering: types, laziness, reads, taint, lateness, and every diagnostic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::lang::source::Source;
use crate::lang::yaml;
use std::collections::BTreeMap;

fn engine() -> Engine {
    Engine::new(Arc::new(Files::on_disk()), vec![])
}

fn map(text: &str) -> Vec<(String, Value)> {
    named("vars.yaml", text)
}

fn named(name: &str, text: &str) -> Vec<(String, Value)> {
    let source = Arc::new(Source { name: name.into(), text: text.into() });
    let value = yaml::parse(&source).unwrap();
    value.as_map().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect()
}

pub(super) fn vars(text: &str) -> Scope {
    Scope::default().vars(map(text))
}

fn value(text: &str) -> Value {
    yaml::parse(&Arc::new(Source { name: "task.yaml".into(), text: text.into() })).unwrap()
}

pub(super) fn text(scope: &Scope, text: &str) -> String {
    engine().render_text(text, None, scope).unwrap().text
}

fn reads(set: &BTreeSet<String>) -> Vec<&str> {
    set.iter().map(String::as_str).collect()
}

/// A failing rendering of a YAML scalar, as the user would see it.
pub(super) fn failure(scope: &Scope, yaml: &str) -> String {
    match engine().render_value(&value(yaml), scope) {
        Err(Error::Wrong(problems)) => problems.render(false),
        other => format!("{other:?}"),
    }
}

fn secret(text: &str) -> Value {
    Value::from(text).tainted(true)
}

#[test]
fn texts_are_rendered_and_single_expressions_keep_their_type() {
    let scope = vars("port: 80\nports: [80, 443]\nname: pi\non: true\nnone: ~");
    let rendered = engine().render_value(&value("a: '{{ port }}'\nb: '{{ ports }}'\nc: 'x{{ port }}'\nd: '{{ port }}{{ port }}'\ne: '{{ on }}'\nf: '{{ none }}'\ng: '{{ port + 1 }}'\nh: ' {{ port }}'"), &scope).unwrap();
    insta::assert_snapshot!(format!("{:?}", rendered.value), @r##"
    Map({"a": Int(80), "b": Seq([Int(80), Int(443)]), "c": Str("x80"), "d": Str("8080"), "e": Bool(true), "f": Null, "g": Int(81), "h": Str(" 80")})
    "##);
}

#[test]
fn variables_may_be_templates_and_see_each_other() {
    let scope = vars("base: /srv\ndir: '{{ base }}/app'\nfiles: ['{{ dir }}/a', '{{ dir }}/b']\nmap: {at: '{{ dir }}'}\nwhole: '{{ map }}'");
    assert_eq!(text(&scope, "{{ files | join(' ') }} {{ map.at }} {{ whole.at }}"), "/srv/app/a /srv/app/b /srv/app /srv/app");
    let outer = scope.vars(map("base: /opt"));
    assert_eq!(text(&outer, "{{ dir }}"), "/opt/app", "an overriding layer is seen by the layers below");
}

#[test]
fn parameters_are_lexical() {
    let caller = vars("size: big\nabout: 'size is {{ size }}'");
    let role = caller.params(map("size: 'not {{ size }}'\nother: '{{ size }}!'"), &caller);
    assert_eq!(text(&role, "{{ size }} | {{ other }} | {{ about }}"), "not big | big! | size is big");
    let inside = role.vars(map("here: '{{ size }}'"));
    assert_eq!(text(&inside, "{{ here }}"), "not big");
}

#[test]
fn data_is_never_a_template() {
    let scope = vars("evil: no").data(map("out: '{{ evil }}'"));
    assert_eq!(text(&scope, "{{ out }}"), "{{ evil }}");
    let value = engine().render_value(&value("'{{ out }}'"), &scope).unwrap().value;
    assert_eq!(value.as_str(), Some("{{ evil }}"));
}

#[test]
fn reads_are_the_deepest_paths() {
    let scope = Scope::default().data(map("facts: {os: {family: debian, name: x}, cpus: 4, addresses: [a, b]}"));
    let got = engine().render_text("{{ facts.os.family }} {{ facts['cpus'] }}", None, &scope).unwrap();
    assert_eq!(reads(&got.reads), ["facts.cpus", "facts.os.family"]);
    let got = engine().eval("facts.os", None, &scope).unwrap();
    assert_eq!(reads(&got.reads), ["facts.os", "facts.os.family", "facts.os.name"]);
    let got = engine().eval("facts.addresses | length > 1", None, &scope).unwrap();
    assert_eq!(reads(&got.reads), ["facts.addresses"]);
    assert_eq!(got.value, Value::from(true));
    let got = engine().eval("facts.model is defined", None, &scope).unwrap();
    assert_eq!(reads(&got.reads), ["facts.model"], "that something is absent was read too");
}

#[test]
fn only_the_leaf_that_is_read_taints() {
    let mut creds = value("user: pi\nkeys: [one, two]");
    if let Data::Map(map) = &mut creds.data {
        map.insert("password".into(), secret("hunter2"));
    }
    let scope = Scope::default().vars([("creds".to_owned(), creds)]).vars(map("alias: '{{ creds }}'\npass: '{{ creds.password }}'"));
    let tainted = |t: &str| engine().render_text(t, None, &scope).unwrap().secret;
    assert!(!tainted("{{ creds.user }} {{ creds | length }} {% for k in creds %}{{ k }}{% endfor %}{{ alias.user }}"));
    for template in ["{{ creds.password }}", "{{ creds }}", "{{ pass }}", "{{ pass | length }}", "{% if creds.password %}x{% endif %}",
        "{{ alias.password }}", "{% for k, v in creds | items %}{{ k }}{% endfor %}", "{{ creds | to_json }}", "{{ pass }}{{ pass }}"] {
        assert!(tainted(template), "{template}");
    }
    let whole = engine().render_value(&value("'{{ alias }}'"), &scope).unwrap().value;
    assert!(!whole.secret && !whole.get("user").unwrap().is_secret() && whole.get("password").unwrap().secret, "{whole:?}");
    let list = engine().eval("[creds.user, creds.password]", None, &scope).unwrap().value;
    assert!(list.secret);
    assert!(!format!("{:?}", engine().render_text("{{ pass }}", None, &scope)).contains("hunter2"));
}

#[test]
fn late_names_end_the_rendering_with_their_cause() {
    let scope = vars("uses: '{{ probe.stdout }}'").data(map("facts: {os: {family: x}}")).late(BTreeMap::from([
        ("probe".to_owned(), "after task \"probe\"".to_owned()),
        ("facts.kernel".to_owned(), "facts of a fresh node".to_owned()),
        ("later.only.this".to_owned(), "soon".to_owned()),
    ]));
    for (template, cause, name) in [
        ("{{ probe.rc }}", "after task \"probe\"", "probe"),
        ("{{ uses }}", "after task \"probe\"", "probe"),
        ("{{ probe | default('x') }}", "after task \"probe\"", "probe"),
        ("{% if probe is defined %}x{% endif %}", "after task \"probe\"", "probe"),
        ("{{ facts.kernel.arch }}", "facts of a fresh node", "facts.kernel"),
        ("{{ later.only.this }}", "soon", "later"),
        ("{{ [uses] }}", "after task \"probe\"", "probe"),
    ] {
        match engine().render_text(template, None, &scope) {
            Err(Error::Late { cause: got, name: path, .. }) => assert_eq!((got.as_str(), path.as_str()), (cause, name), "{template}"),
            other => panic!("{template}: {other:?}"),
        }
    }
    assert_eq!(text(&scope, "{{ facts.os.family }}"), "x");
}

#[test]
fn an_error_never_shows_a_secret() {
    let scope = Scope::default().vars([("pin".to_owned(), secret("hunter2"))]);
    for template in ["{{ pin | network }}", "{{ pin | int }}", "{{ pin + 1 }}", "{{ pin | from_json }}", "{{ pin | from_yaml | host(3) }}", "{{ pin.x.y }}", "{{ pin | b64decode }}", "{{ 'a' | regex_replace(pin ~ '(') }}"] {
        let told = failure(&scope, &format!("\"{template}\""));
        assert!(!told.contains("hunter2"), "{told}");
        assert!(told.starts_with("error: "), "{told}");
    }
}

#[test]
fn files_include_what_is_beside_them_and_in_the_search_directories() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("role/main.j2", "{% if on %}\n  yes\n{% endif %}\n{% include 'part.j2' %}\n{% include 'shared.j2' %}\n");
    put("role/part.j2", "part {{ name }}\n");
    put("templates/shared.j2", "{% from 'role/macros.j2' import hello %}{{ hello(name) }}");
    put("templates/role/macros.j2", "{% macro hello(who) %}hello {{ who }}{% endmacro %}");
    put("role/bad.j2", "one\n{% include 'worse.j2' %}\n");
    put("role/worse.j2", "two\nthree {{ nme }}\n");
    let engine = Engine::new(Arc::new(Files::on_disk()), vec![dir.path().join("templates")]);
    let scope = vars("on: true\nname: pi");
    let got = engine.render_file(&dir.path().join("role/main.j2"), &scope).unwrap();
    // As in Jinja, `trim_blocks` takes the newline after an include.
    assert_eq!(got.text, "  yes\npart pi\nhello pi");
    assert_eq!(reads(&got.reads), ["name", "on"]);
    let Err(Error::Wrong(problems)) = engine.render_file(&dir.path().join("role/bad.j2"), &scope) else { panic!() };
    let told = problems.render(false).replace(&dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(told, @r##"
    error: `nme` is not defined
     --> DIR/role/worse.j2:2:10
      |
    2 | three {{ nme }}
      |          ^^^ not defined
      |
    note: included here
     --> DIR/role/bad.j2:2:4
      |
    2 | {% include 'worse.j2' %}
      |    ^^^^^^^^^^^^^^^^^^
    hint: did you mean `name`?
    "##);
    let Err(Error::Wrong(problems)) = engine.render_file(Path::new("nowhere.j2"), &scope) else { panic!() };
    insta::assert_snapshot!(problems.render(false), @r##"
    error: the template nowhere.j2 cannot be read: No such file or directory (os error 2)
    hint: check the path; templates are looked for beside the playbook and in `templates/`
    "##);
}

#[test]
fn names_can_be_told_without_rendering() {
    let names = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names(names_read("{{ a.b }} {% for x in y %}{{ x }}{% endfor %}")), "a y");
    assert_eq!(names(names_read_by_expression("facts.os.family == 'x' and hosts['a'].facts")), "facts hosts");
    assert_eq!(names(names_read("{{ broken")), "");
}

#[test]
fn deep_chains_and_deep_values_end_in_a_diagnostic() {
    let mut chain = String::from("v0: x\n");
    for n in 1..100 {
        chain.push_str(&format!("v{n}: '{{{{ v{} }}}}'\n", n - 1));
    }
    let scope = vars(&chain);
    assert_eq!(text(&scope, "{{ v30 }}"), "x");
    assert!(failure(&scope, "'{{ v99 }}'").contains("more than 40 variables stand in each other"));
}

#[test]
fn lists_that_cannot_be_read_can_be_compared() {
    let scope = vars("b: ['{{ b }}', '{{ b }}']\nm: {a: '{{ m.a }}', b: '{{ m.b }}'}\nc: '{{ c }}'\n");
    for expression in ["b < b", "m < m", "[b, m, b] | sort", "b | sort", "b | min", "b | max", "b | unique", "m | dictsort(by='value')", "m | items | sort", "m.values() | sort", "b | list | sort", "c < c", "b == b", "b in [b]", "b | map('upper') | sort", "b | sum", "b | batch(1) | sort"] {
        assert!(engine().eval(expression, None, &scope).is_err(), "{expression}");
    }
}
