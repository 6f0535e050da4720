//! `telltale openapi`: what the REST interface takes and answers, without a running hub.

use super::{Failure, print};

pub(super) fn run() -> Result<(), Failure> {
    print(crate::http::openapi::text())
}
