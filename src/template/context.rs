//! The state of one rendering, and what functions may do with it.

use super::error::{FunctionError, LimitError};
use super::host::{Host, Mode};
use super::limits::Limits;
use super::value::{Text, Value};
use std::any::{Any, TypeId};
use std::collections::HashMap;

/// One rendering: passed to functions, shared by all templates executed in it.
pub struct Context<'run> {
    host: &'run mut dyn Host,
    limits: Limits,
    mode: Mode,
    caches: HashMap<TypeId, Box<dyn Any>>,
}

impl<'run> Context<'run> {
    /// The outside world.
    pub fn host(&mut self) -> &mut (dyn Host + 'run) {
        self.host
    }

    /// The limits of this rendering.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How strict this rendering is.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Fails when a function is about to make a string of this many bytes and that is too much.
    pub fn check_size(&self, bytes: usize) -> Result<(), LimitError> {
        if bytes > self.limits.bytes {
            Err(LimitError::Bytes(self.limits.bytes))
        } else {
            Ok(())
        }
    }

    /// A cache that lives as long as the rendering, one for each Rust type: compiled regular expressions and the like.
    pub fn cache<T: Default + 'static>(&mut self) -> &mut T {
        let entry = self.caches.entry(TypeId::of::<T>());
        let cache = entry.or_insert_with(|| Box::<T>::default());
        if !cache.is::<T>() {
            *cache = Box::<T>::default();
        }
        match cache.downcast_mut() {
            Some(cache) => cache,
            None => unreachable!("the entry is keyed by its type"),
        }
    }

    /// Helm's `include`: executes a named template with this data.
    pub fn include(&mut self, name: &Text, data: &Value) -> Result<Text, FunctionError> {
        let _ = data;
        Err(FunctionError::message(format!(
            "include {name}: the executor is not there yet"
        )))
    }

    /// Helm's `tpl`: executes a text as a template; what it defines is seen only by itself.
    pub fn tpl(&mut self, text: &Text, data: &Value) -> Result<Text, FunctionError> {
        let _ = data;
        Err(FunctionError::message(format!(
            "tpl {text}: the executor is not there yet"
        )))
    }
}
