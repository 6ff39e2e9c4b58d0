//! What several kinds have in common: attributes, putting and editing files, names, tools, and what offers tell.

pub mod apt_offer;
pub mod attrs;
pub mod backrefs;
pub mod edit;
pub mod fstab;
pub mod image_offer;
pub mod names;
pub mod openpgp;
pub mod put;
pub mod ssh_file;
pub mod ssh_key;
pub mod tool;
pub mod waiting;
pub mod words;
