//! `telltale status`: what the running hub says of itself, as JSON.

use clap::Args;

use super::{Failure, Place, client, print};

#[derive(Args, Debug)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let answer = client::ask(&self.place.data_dir()?, "GET", "/api/v1/status", None)?;
        print(format_args!("{answer:#}"))
    }
}
