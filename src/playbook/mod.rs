//! STUB until branch play is merged.
use crate::lang::*; use crate::resource::Resource;
#[derive(Debug)]
pub enum Body { Resource(Box<dyn Resource>), Late { cause: String, needs_facts: bool }, Skipped { why: String }, Assert { failed: Option<Diagnostic> } }
#[derive(Debug, Clone, Default)]
pub struct Register { pub name: String, pub keep: bool, pub secret: bool }
#[derive(Debug)]
pub struct Step { pub key: String, pub label: String, pub span: Option<Span>, pub notify: Vec<String>, pub register: Option<Register>,
 pub retries: u32, pub delay: u64, pub timeout: Option<u64>, pub provides: Option<Vec<String>>, pub guard: bool, pub run_once: bool, pub secret: bool, pub body: Body , pub r#become: bool}
