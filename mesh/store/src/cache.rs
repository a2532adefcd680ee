//! A bounded cache in two generations. Forgetting costs a read and nothing else.

use std::collections::HashMap;

/// Values by id. Each of the two generations has up to `CAPACITY` of them: a value is forgotten once `CAPACITY` others have
/// been written since.
#[derive(Debug)]
pub struct Cache<V, const CAPACITY: usize> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
}

impl<V, const CAPACITY: usize> Default for Cache<V, CAPACITY> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<V, const CAPACITY: usize> Cache<V, CAPACITY> {
    pub fn get(&self, id: &str) -> Option<&V> {
        self.young.get(id).or_else(|| self.old.get(id))
    }

    pub fn set(&mut self, id: &str, value: V) {
        if let Some(known) = self.young.get_mut(id) {
            *known = value;
            return;
        }
        if self.young.len() >= CAPACITY {
            // The older generation goes as a whole, so that no order of use has to be kept.
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id.to_owned(), value);
    }
}
