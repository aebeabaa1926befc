//! The integration tests, one module per question.

mod cli;
