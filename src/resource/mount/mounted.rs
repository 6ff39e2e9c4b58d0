//! What is mounted, as the kernel tells it, beside what is wished.

use crate::resource::shared::fstab::escaped;

/// What `scripts/mount.sh` says of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Now {
    Mounted(Live),
    /// A directory, and nothing is mounted there.
    Dir,
    Nothing,
    /// A link, a file, a device.
    Other,
}

/// A mount, its words as mountinfo writes them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Live {
    /// From what is wished, as the node resolves names and links.
    pub same: bool,
    /// What of the file system is mounted; `/` but for bind mounts and the like.
    pub root: String,
    pub flags: Vec<String>,
    pub fstype: String,
    pub source: String,
    pub options: Vec<String>,
}

/// What is to be mounted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub src: String,
    pub fstype: String,
    pub opts: Vec<String>,
    pub bind: bool,
}

/// Flags of a mount that can be told from what the kernel says, with what takes them back.
const FLAGS: &[(&str, &str)] = &[("ro", "rw"), ("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec"), ("noatime", "atime"), ("nodiratime", "diratime")];

impl Now {
    pub fn read(said: &str) -> Option<Now> {
        let words: Vec<&str> = said.split_whitespace().collect();
        let list = |text: &str| text.split(',').map(str::to_owned).collect();
        match words[..] {
            ["dir"] => Some(Now::Dir),
            ["none"] => Some(Now::Nothing),
            ["link" | "file"] => Some(Now::Other),
            ["mounted", same, root, flags, fstype, source, options] => Some(Now::Mounted(Live {
                same: same == "same",
                root: root.to_owned(),
                flags: list(flags),
                fstype: fstype.to_owned(),
                source: source.to_owned(),
                options: list(options),
            })),
            _ => None,
        }
    }
}

impl Live {
    fn on(&self, flag: &str) -> bool {
        let has = |list: &[String]| list.iter().any(|word| word == flag);
        has(&self.flags) || (flag == "ro" && has(&self.options))
    }

    fn size(&self) -> Option<u64> {
        self.options.iter().find_map(|opt| bytes(opt.strip_prefix("size=")?))
    }

    /// The options that mount it again. Those that a server and the kernel have agreed on are theirs.
    pub fn again(&self) -> String {
        let more: &[String] = if self.fstype == "tmpfs" { &self.options } else { &[] };
        self.flags.iter().chain(more).cloned().collect::<Vec<_>>().join(",")
    }
}

/// A tmpfs's size; what is said in percent is the kernel's to count.
fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    // The kernel counts in pages; all ARM kernels of this size have them of 4 KiB.
    Some(digits.parse::<u64>().ok()?.checked_mul(unit)?.div_ceil(4096) * 4096)
}

/// Options that are fstab's own, not the mount's.
fn of_the_file(opt: &str) -> bool {
    matches!(opt, "auto" | "noauto" | "nofail" | "_netdev" | "defaults" | "user" | "users" | "nouser" | "owner" | "group")
        || opt.starts_with("x-")
        || opt.starts_with("comment=")
}

fn is_flag(opt: &str) -> bool {
    FLAGS.iter().any(|(on, off)| opt == *on || opt == *off) || matches!(opt, "relatime" | "norelatime" | "strictatime")
}

impl Wanted {
    /// As fstab has them.
    pub fn opts(&self) -> String {
        if self.opts.is_empty() { "defaults".into() } else { self.opts.join(",") }
    }

    /// What `flag` is to be; the last word counts. `None`: nothing is said.
    fn flag(&self, (on, off): (&str, &str)) -> Option<bool> {
        self.opts.iter().rev().find_map(|opt| if opt == on { Some(true) } else if opt == off { Some(false) } else { None })
    }

    /// Whether what is mounted is a path of the node; `//server/share` is none.
    pub fn is_path(&self) -> bool {
        self.src.starts_with('/') && !self.src.starts_with("//")
    }

    fn network(&self) -> bool {
        matches!(self.fstype.as_str(), "nfs" | "nfs4" | "efs" | "cifs")
    }

    /// Whether systemd mounts it as soon as somebody looks.
    fn waits(&self, live: &Live) -> bool {
        live.fstype == "autofs" && self.opts.iter().any(|opt| opt == "x-systemd.automount")
    }

    /// Whether `live` is this file system.
    pub fn is(&self, live: &Live) -> bool {
        if self.waits(live) {
            return true;
        }
        let wished = self.fstype.as_str();
        let fstype = match (wished, live.fstype.as_str()) {
            _ if self.bind => true,
            ("auto" | "none", _) | ("nfs" | "nfs4", "nfs" | "nfs4") | ("efs", "nfs4") | ("cifs", "smb3") => true,
            (_, now) if now.starts_with("fuse") => true,
            (wished, now) => wished == now,
        };
        fstype && (live.same || self.from(&live.source))
    }

    /// Whether the kernel's word for the source means the same where no file of the node stands for it.
    fn from(&self, source: &str) -> bool {
        let src = escaped(&self.src);
        let end = |text: &str| text.rsplit_once(':').map_or("", |(_, path)| path).trim_matches('/').to_owned();
        match self.fstype.as_str() {
            _ if self.bind => false,
            // With TLS, it goes through a proxy on the node.
            "efs" => end(&src) == end(source),
            "nfs" | "nfs4" | "cifs" => src.trim_end_matches('/') == source.trim_end_matches('/'),
            // A name that stands for nothing, like `tmpfs`.
            _ => !self.is_path() && !src.contains([':', '=']),
        }
    }

    /// Whether what can be told of a running mount's options is not as wished.
    pub fn differs(&self, live: &Live) -> bool {
        if self.waits(live) {
            return false;
        }
        let flags = FLAGS.iter().any(|flag| match self.flag(*flag) {
            Some(on) => live.on(flag.0) != on,
            // What is mounted read-only without a word of it has mostly had errors. A bind mount has it from its source.
            None => flag.0 == "ro" && live.on("ro") && !self.bind,
        });
        let size = || self.opts.iter().rev().find_map(|opt| bytes(opt.strip_prefix("size=")?)).is_some_and(|size| live.size() != Some(size));
        flags || (self.fstype == "tmpfs" && size())
    }

    /// Options of which it is not known whether they are in effect, that differ from those in `before`.
    fn changed(&self, before: &str) -> Vec<String> {
        let before: Vec<&str> = before.split(',').collect();
        let gone = before.iter().filter(|opt| !self.opts.iter().any(|now| now == *opt)).map(|opt| (*opt).to_owned());
        let come = self.opts.iter().filter(|opt| !before.contains(&opt.as_str())).cloned();
        gone.chain(come).filter(|opt| !of_the_file(opt)).collect()
    }

    pub fn takes_a_remount(&self, before: &str) -> bool {
        !self.changed(before).is_empty()
    }

    /// A network mount keeps most of its options from when it was made.
    pub fn takes_a_new_mount(&self, before: &str) -> bool {
        self.network() && self.changed(before).iter().any(|opt| !is_flag(opt))
    }

    /// The options of a remount after which `live` is as wished: what is not wished any more has to be said.
    pub fn remount(&self, live: &Live) -> String {
        let own = self.opts.iter().filter(|opt| !of_the_file(opt)).map(String::as_str);
        let off = FLAGS.iter().filter(|flag| self.flag(**flag).is_none() && live.on(flag.0)).map(|flag| flag.1);
        std::iter::once("remount").chain(own).chain(off).collect::<Vec<_>>().join(",")
    }

    /// The options of a remount that takes that one back.
    pub fn back(&self, live: &Live) -> String {
        let off = FLAGS.iter().filter(|flag| !live.on(flag.0)).map(|flag| flag.1.to_owned());
        let bind = self.bind.then(|| "bind".to_owned());
        let size = (self.fstype == "tmpfs").then(|| live.options.iter().find(|opt| opt.starts_with("size=")).cloned()).flatten();
        let on = FLAGS.iter().filter(|flag| live.on(flag.0)).map(|flag| flag.0.to_owned());
        ["remount".to_owned()].into_iter().chain(bind).chain(on).chain(off).chain(size).collect::<Vec<_>>().join(",")
    }

    /// What will be said of it once it is mounted.
    pub fn answer(&self) -> String {
        let opts = self.opts();
        format!("mounted same / {opts} {} {} {opts}\n", if self.bind { "none" } else { &self.fstype }, escaped(&self.src))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn live(said: &str) -> Live {
        match Now::read(said) {
            Some(Now::Mounted(live)) => live,
            other => panic!("{other:?}"),
        }
    }

    fn wanted(src: &str, fstype: &str, opts: &str) -> Wanted {
        let opts: Vec<String> = opts.split(',').filter(|opt| !opt.is_empty()).map(str::to_owned).collect();
        Wanted { src: src.into(), fstype: fstype.into(), bind: opts.iter().any(|opt| opt == "bind"), opts }
    }

    #[test]
    fn what_is_mounted_is_told_from_what_is_wished() {
        let nfs = live("mounted other / rw,relatime nfs4 nas:/export rw,vers=4.1,addr=10.0.0.2\n");
        assert!(wanted("nas:/export/", "nfs", "").is(&nfs) && !wanted("nas:/other", "nfs4", "").is(&nfs) && !wanted("nas:/export", "ext4", "").is(&nfs));
        assert!(wanted("fs-1:/", "efs", "tls").is(&live("mounted other / rw nfs4 127.0.0.1:/ rw,port=20049")));
        assert!(!wanted("fs-1:/a", "efs", "tls").is(&live("mounted other / rw nfs4 127.0.0.1:/ rw")));
        assert!(wanted("none", "tmpfs", "").is(&live("mounted other / rw tmpfs tmpfs rw")));
        assert!(!wanted("/srv", "none", "bind").is(&live("mounted other /srv rw ext4 /dev/sda1 rw")));
        assert!(wanted("/srv", "none", "bind").is(&live("mounted same /srv rw ext4 /dev/sda1 rw")));
        let waiting = live("mounted other / rw,relatime autofs systemd-1 rw,fd=41");
        let nas = |opts| wanted("nas:/x", "nfs4", opts);
        assert!(nas("ro,x-systemd.automount").is(&waiting) && !nas("ro,x-systemd.automount").differs(&waiting) && !nas("ro").is(&waiting));
        assert!(wanted("UUID=1", "auto", "").is(&live("mounted same / rw ext4 /dev/sda1 rw")));
    }

    #[test]
    fn options_that_can_be_told_are_compared() {
        let at = |opts: &str| live(&format!("mounted same / {opts} tmpfs tmpfs rw,size=1024k"));
        assert!(!wanted("t", "tmpfs", "size=1m,nosuid").differs(&at("rw,nosuid,nodev")));
        assert!(wanted("t", "tmpfs", "size=2m").differs(&at("rw")) && wanted("t", "tmpfs", "nosuid").differs(&at("rw")) && wanted("t", "tmpfs", "suid").differs(&at("rw,nosuid")));
        assert!(wanted("/dev/a", "ext4", "").differs(&live("mounted same / ro ext4 /dev/a ro")));
        assert!(!wanted("/a", "none", "bind").differs(&live("mounted same / ro ext4 /dev/a rw")));
        assert!(!wanted("t", "tmpfs", "size=50%").differs(&at("rw")));
    }

    #[test]
    fn a_remount_says_what_is_not_wished_any_more() {
        let now = live("mounted same / rw,nosuid,noexec,relatime tmpfs tmpfs rw,size=1024k");
        assert_eq!(wanted("t", "tmpfs", "ro,noexec,_netdev,size=2m").remount(&now), "remount,ro,noexec,size=2m,suid");
        assert_eq!(wanted("t", "tmpfs", "").back(&now), "remount,nosuid,noexec,rw,dev,atime,diratime,size=1024k");
    }

    #[test]
    fn what_is_fstabs_own_takes_no_remount() {
        assert!(!wanted("n:/", "nfs4", "hard,nofail").takes_a_remount("hard,_netdev,x-systemd.automount"));
        assert!(wanted("n:/", "nfs4", "hard,ro").takes_a_remount("hard") && !wanted("n:/", "nfs4", "hard,ro").takes_a_new_mount("hard"));
        assert!(wanted("n:/", "nfs4", "hard").takes_a_new_mount("soft"));
    }
}
