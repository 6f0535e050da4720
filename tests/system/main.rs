//! Whole-system tests: one binary, one file per promise.
mod commands;
