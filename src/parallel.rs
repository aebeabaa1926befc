//! Work side by side. Without the feature `threads`, as in a browser, one after the other: results are
//! the same, since no result depends on the number of threads.

#[cfg(not(feature = "threads"))]
pub(crate) use alone::*;
#[cfg(feature = "threads")]
pub(crate) use rayon::{current_num_threads as threads, join, prelude::*};

/// The words of rayon that are used here, for one thread.
#[cfg(not(feature = "threads"))]
mod alone {
    /// What can be gone through by reference.
    pub(crate) trait ByRef<T> {
        fn par_iter(&self) -> std::slice::Iter<'_, T>;
    }

    impl<T> ByRef<T> for [T] {
        fn par_iter(&self) -> std::slice::Iter<'_, T> {
            self.iter()
        }
    }

    /// What can be gone through by value.
    pub(crate) trait ByValue: IntoIterator + Sized {
        fn into_par_iter(self) -> Self::IntoIter {
            self.into_iter()
        }
    }

    impl<T: IntoIterator> ByValue for T {}

    /// What rayon's iterators have beside those of the standard library.
    pub(crate) trait Going: Iterator + Sized {
        fn with_max_len(self, _: usize) -> Self {
            self
        }

        fn flat_map_iter<I: IntoIterator, F: FnMut(Self::Item) -> I>(
            self,
            f: F,
        ) -> std::iter::FlatMap<Self, I, F> {
            self.flat_map(f)
        }
    }

    impl<T: Iterator> Going for T {}

    pub(crate) fn threads() -> usize {
        1
    }

    pub(crate) fn join<A, B>(one: impl FnOnce() -> A, other: impl FnOnce() -> B) -> (A, B) {
        (one(), other())
    }
}
