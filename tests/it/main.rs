//! The integration tests, one binary; each module holds one kind of promise.

mod diagnostics;
