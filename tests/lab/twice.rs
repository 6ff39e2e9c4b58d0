//! What is shipped for all machines, applied to all of them: the second time there is nothing to do.

use crate::nodes::{Lab, members, repo};

#[test]
fn the_base_playbook_holds_on_every_node() {
    let Some(lab) = Lab::up() else { return };
    let shipped = repo().join("inventories/lab.yaml");
    let shipped = shipped.to_str().unwrap();
    lab.site.expect(0, &["apply", shipped, "--yes"]);
    lab.has_nothing_to_do(shipped, &members("all"));
    lab.site.expect(0, &["plan", shipped, "--detailed-exitcode"]);
}
