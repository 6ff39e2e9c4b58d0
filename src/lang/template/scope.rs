//! The names that a template sees: layers of variables, cheap to clone and to extend.
//!
//! Looking up goes from the last layer to the first. What a layer's texts may name is decided by how it was added:
//! [`Scope::vars`] see the scope they are read in, up to the next layer of [`Scope::params`]; those see the scope of
//! the caller; [`Scope::data`] is never a template, whatever it holds: what a node answered must not be run.

use crate::lang::source::Span;
use crate::lang::value::{Data, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Layers of names. The empty one is [`Scope::default`].
#[derive(Clone, Default)]
pub struct Scope {
    top: Option<Arc<Layer>>,
}

struct Layer {
    below: Scope,
    names: BTreeMap<String, Arc<Value>>,
    /// Dotted path to the reason why it is not known yet.
    late: Arc<BTreeMap<String, String>>,
    sort: Sort,
}

enum Sort {
    Vars,
    Params(Scope),
    Data,
}

/// What a name stands for.
pub(super) enum Found {
    /// Nothing in any layer.
    Missing,
    /// Known only later: why.
    Late(String),
    /// A value.
    Value(Binding),
}

/// A found value, with what is needed to render it.
#[derive(Clone)]
pub(super) struct Binding {
    pub(super) value: Arc<Value>,
    /// The scope of its texts; `None` where they are no templates.
    pub(super) home: Option<Scope>,
    /// Dotted paths that are late, those below the name among them.
    pub(super) late: Arc<BTreeMap<String, String>>,
    /// Tells equal names of different layers apart.
    pub(super) layer: usize,
}

impl Scope {
    fn push(&self, names: BTreeMap<String, Arc<Value>>, late: Arc<BTreeMap<String, String>>, sort: Sort) -> Scope {
        Scope { top: Some(Arc::new(Layer { below: self.clone(), names, late, sort })) }
    }

    /// With variables whose texts are templates, rendered when they are read, in the scope that reads them.
    #[must_use]
    pub fn vars(&self, names: impl IntoIterator<Item = (String, Value)>) -> Scope {
        self.push(shared(names), Arc::default(), Sort::Vars)
    }

    /// With parameters whose texts are templates of the caller's scope `home`. Variables of the layers below do not
    /// see them: parameters are lexical.
    #[must_use]
    pub fn params(&self, names: impl IntoIterator<Item = (String, Value)>, home: &Scope) -> Scope {
        self.push(shared(names), Arc::default(), Sort::Params(home.clone()))
    }

    /// With values that are what they are: facts, results, a loop's `item`.
    #[must_use]
    pub fn data(&self, names: impl IntoIterator<Item = (String, Value)>) -> Scope {
        self.push(shared(names), Arc::default(), Sort::Data)
    }

    /// The same as [`Scope::data`], without copying what is already shared (other hosts' facts).
    #[must_use]
    pub fn shared_data(&self, names: BTreeMap<String, Arc<Value>>) -> Scope {
        self.push(names, Arc::default(), Sort::Data)
    }

    /// With names, or dotted paths, that are known only later, each with its cause. Reading one, or anything below
    /// it, is [`super::Error::Late`].
    #[must_use]
    pub fn late(&self, late: BTreeMap<String, String>) -> Scope {
        self.shared_late(Arc::new(late))
    }

    /// The same as [`Scope::late`], without copying.
    #[must_use]
    pub fn shared_late(&self, late: Arc<BTreeMap<String, String>>) -> Scope {
        self.push(BTreeMap::new(), late, Sort::Data)
    }

    /// Every name that can be read.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut scope = self;
        while let Some(layer) = &scope.top {
            names.extend(layer.names.keys().cloned());
            names.extend(layer.late.keys().filter(|path| !path.contains('.')).cloned());
            scope = &layer.below;
        }
        names
    }

    /// The value of a name as it was written: not rendered.
    pub fn raw(&self, name: &str) -> Option<Arc<Value>> {
        match self.find(name) {
            Found::Value(binding) => Some(binding.value),
            _ => None,
        }
    }

    /// Where the value at a dotted path was written, as deep as it can be followed without rendering.
    pub fn origin_of(&self, path: &str) -> Option<Span> {
        self.origin_part(path).map(|(_, origin)| origin)
    }

    /// The same, with the part of the path that could be followed.
    pub(super) fn origin_part(&self, path: &str) -> Option<(String, Span)> {
        let mut segments = path.split('.');
        let first = segments.next()?;
        let mut known = first.to_owned();
        let root = self.raw(first)?;
        let mut value: &Value = &root;
        for segment in segments {
            let next = match &value.data {
                Data::Map(map) => map.get(segment),
                Data::Seq(items) => segment.parse::<usize>().ok().and_then(|at| items.get(at)),
                _ => None,
            };
            match next {
                Some(next) => value = next,
                None => break,
            }
            known.push('.');
            known.push_str(segment);
        }
        Some((known, value.origin.clone()?))
    }

    pub(super) fn find(&self, name: &str) -> Found {
        let below = format!("{name}.");
        let mut late: Option<Arc<BTreeMap<String, String>>> = None;
        let mut first = None;
        // The scope that a variable's texts see: all layers up to the nearest parameters above it.
        let mut visible = self;
        let mut scope = self;
        while let Some(layer) = &scope.top {
            if let Some(value) = layer.names.get(name) {
                let home = match &layer.sort {
                    Sort::Vars => Some(visible.clone()),
                    Sort::Params(home) => Some(home.clone()),
                    Sort::Data => None,
                };
                let layer = Arc::as_ptr(layer) as usize;
                return Found::Value(Binding { value: value.clone(), home, late: late.unwrap_or_default(), layer });
            }
            if let Some(cause) = layer.late.get(name) {
                return Found::Late(cause.clone());
            }
            if let Some((_, cause)) = paths_below(&layer.late, &below).next() {
                first.get_or_insert(cause);
                match &mut late {
                    // All of the layer's: paths of other names do no harm, and copying those of a thousand hosts would.
                    None => late = Some(layer.late.clone()),
                    Some(late) => {
                        let late = Arc::make_mut(late);
                        paths_below(&layer.late, &below).for_each(|(path, cause)| {
                            late.entry(path.clone()).or_insert_with(|| cause.clone());
                        });
                    }
                }
            }
            if matches!(layer.sort, Sort::Params(_)) {
                visible = &layer.below;
            }
            scope = &layer.below;
        }
        // A dotted path may be late where the rest of its name has no value yet.
        match first {
            Some(cause) => Found::Late(cause.clone()),
            None => Found::Missing,
        }
    }
}

/// The entries of `late` whose paths begin with `below`.
fn paths_below<'a>(late: &'a BTreeMap<String, String>, below: &'a str) -> impl Iterator<Item = (&'a String, &'a String)> {
    late.range::<str, _>((Bound::Included(below), Bound::Unbounded)).take_while(move |(path, _)| path.starts_with(below))
}

fn shared(names: impl IntoIterator<Item = (String, Value)>) -> BTreeMap<String, Arc<Value>> {
    names.into_iter().map(|(name, value)| (name, Arc::new(value))).collect()
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scope({:?})", self.names())
    }
}
