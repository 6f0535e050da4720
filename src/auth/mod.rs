//! Who may do what: tokens, sessions, login links, tickets, and the rules for Origin and Host.

pub mod access;
pub mod origins;
