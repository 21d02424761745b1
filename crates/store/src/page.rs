//! Pages of lists, newest first.

/// Which page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Window<K> {
    /// Only what is older than this; none for the first page.
    pub before: Option<K>,
    /// At most so many.
    pub limit: u32,
}

/// Some of a list.
#[derive(Debug, Clone)]
pub struct Page<T, K> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Where the next page begins; none when this was the last.
    pub next: Option<K>,
}

impl<K> Window<K> {
    /// One more than asked for, to see whether there is a next page.
    pub(crate) fn reach(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Makes the page of what [`Window::reach`] found.
    pub(crate) fn page<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Page<T, K> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Page { items, next }
    }
}

impl<T, K> Page<T, K> {
    /// The same page of something made from the items.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U, K> {
        Page {
            items: self.items.into_iter().map(make).collect(),
            next: self.next,
        }
    }
}
